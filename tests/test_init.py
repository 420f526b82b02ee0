"""The package's front door: its names are loaded when they are used."""

import ast
import importlib
import inspect
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import raydocs_async

STUB = Path(inspect.getfile(raydocs_async)).with_suffix(".pyi")


def test_the_package_alone_loads_no_http_library() -> None:
    """Importing the package, or a model from it, does not import aiohttp."""
    code = "import sys; from raydocs_async import Session; print('aiohttp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_every_name_is_what_its_stub_says() -> None:
    """The stub, which type checkers read, imports each name from where the package has it."""
    imports = [
        node for node in ast.parse(STUB.read_text()).body if isinstance(node, ast.ImportFrom)
    ]
    assert [
        name.name
        for node in imports
        for name in node.names
        if getattr(importlib.import_module(str(node.module)), name.name)
        is not getattr(raydocs_async, name.name)
    ] == []


def test_the_version() -> None:
    """The package says the version that it was installed as."""
    assert raydocs_async.__version__ == version("raydocs-async")


def test_the_stub_has_all_names() -> None:
    """What the package exports, its stub exports, and nothing else."""
    (exported,) = (
        node.value for node in ast.parse(STUB.read_text()).body if isinstance(node, ast.Assign)
    )
    assert sorted(ast.literal_eval(exported)) == sorted(raydocs_async.__all__)


def test_dir_tells_the_names_before_they_are_loaded() -> None:
    """`dir()`, and so a prompt's completion, knows every public name."""
    assert set(raydocs_async.__all__) <= set(dir(raydocs_async))
    assert [name for name in dir(raydocs_async) if name[0] == "_"] == ["__version__"]


def test_a_public_module_is_there_without_an_import_of_its_own() -> None:
    """`raydocs_async.sandbox` is found by whoever has imported the package alone."""
    code = "import raydocs_async; print(raydocs_async.sandbox.Sandbox.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "Sandbox\n"


def test_a_name_that_is_not_there() -> None:
    """An unknown name is the usual AttributeError."""
    with pytest.raises(AttributeError, match="'raydocs_async' has no attribute 'Sesion'"):
        raydocs_async.Sesion  # type: ignore[attr-defined]  # noqa: B018
