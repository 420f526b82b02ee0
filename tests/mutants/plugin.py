"""Tells mutmut which tests concern what runs before all tests, and then never again.

mutmut runs, for a mutant, the tests that call its function. What is called at import, or while
cattrs builds a hook that it then keeps, would count for the one test that comes first.
"""

import attrs
import pytest
from mutmut.state import state

from raydocs_async import converter, models

_before_tests = set[str]()


def pytest_collection_finish() -> None:
    """Build every hook, and keep what has been called up to now."""
    for model in filter(attrs.has, vars(models).values()):
        converter.get_structure_hook(model)
        converter.get_unstructure_hook(model)
    _before_tests.update(state()._stats)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Count each function of that kind for the tests of its module, in `test_x{,_y}.py`."""
    words = item.path.stem.split("_")[1:]
    modules = ["_".join(words[:count]) for count in range(1, len(words) + 1)]
    state()._stats.update(
        name for name in _before_tests if any(f"{module}.x" in name for module in modules)
    )
