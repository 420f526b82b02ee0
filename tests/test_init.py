"""The package's front door: its names are loaded when they are used."""

import subprocess
import sys
from importlib.metadata import version

import pytest

import raydocs_async
from raydocs_async import _public

EXPORTED: list[str] = raydocs_async.__all__  # type: ignore[attr-defined]
NAMES = {name for name in vars(_public) if not name.startswith("_")}


def run(code: str) -> str:
    """What a fresh interpreter prints for `code`."""
    command = [sys.executable, "-c", f"import sys; {code}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("module", ["", ".models", ".errors"])
def test_a_module_without_http_loads_no_http_library(module: str) -> None:
    """Importing the package alone, its models or its errors does not import aiohttp.

    Such an import is all that unpickling needs in a worker.
    """
    assert run(f"import raydocs_async{module}; print('aiohttp' in sys.modules)") == "False\n"


def test_every_public_name_is_there() -> None:
    """The package has each name of the one list, and exports no other."""
    assert all(getattr(raydocs_async, name) is getattr(_public, name) for name in NAMES)
    assert set(EXPORTED) == NAMES


def test_a_star_import_brings_all_names() -> None:
    """`from raydocs_async import *` is the first use of the names as well as any other."""
    assert run("from raydocs_async import *; print(RaydocsClient.__name__)") == "RaydocsClient\n"


def test_the_version() -> None:
    """The package says the version that it was installed as."""
    assert raydocs_async.__version__ == version("raydocs-async")


def test_dir_tells_the_names_before_they_are_loaded() -> None:
    """`dir()`, and so a prompt's completion, knows every public name."""
    assert set(EXPORTED) <= set(dir(raydocs_async))
    assert [name for name in dir(raydocs_async) if name[0] == "_"] == ["__version__"]


def test_a_public_module_is_there_without_an_import_of_its_own() -> None:
    """`raydocs_async.errors` is found after importing the package alone."""
    code = "import raydocs_async; print(raydocs_async.errors.RaydocsError.__name__)"
    assert run(code) == "RaydocsError\n"


def test_a_name_that_is_not_there() -> None:
    """An unknown name is the usual AttributeError."""
    with pytest.raises(AttributeError, match="'raydocs_async' has no attribute 'Sesion'"):
        raydocs_async.Sesion  # type: ignore[attr-defined]  # noqa: B018
