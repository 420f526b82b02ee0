"""The check of the pages' types."""

from pathlib import Path

from check_types import complaints

PAGE = """\
# A page

```python
count = 1
```

```python
# helper.py
def double(number: int) -> int:
    return 2 * number
```

```python
from helper import double

await double(count)
```

```python
from helper import double


def test_double() -> None:
    assert double("1") == 2
```
"""


def test_errors_are_found_where_the_page_has_them(tmp_path: Path) -> None:
    """An error in any block is reported with its page and its line there; await is allowed."""
    page = tmp_path / "a-page.md"
    page.write_text(PAGE, encoding="utf-8")
    awaited, called = sorted(complaints([page], tmp_path))
    assert awaited.startswith('a-page.md:16: error: Incompatible types in "await"')
    assert called.startswith('a-page.md:24: error: Argument 1 to "double"')
