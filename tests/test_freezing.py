"""What tools that freeze programs are told."""

import pkgutil
import runpy
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import raydocs_async
from raydocs_async._freezing import find_hooks


def hidden_imports(hook: str) -> set[str]:
    """The modules that a hook names."""
    (folder,) = find_hooks()
    told: dict[str, Any] = runpy.run_path(str(Path(folder, f"{hook}.py")))
    return set(told["hiddenimports"])


def test_every_module_is_named() -> None:
    """Each module is named by one of the hooks, but for those that only statements import."""
    modules = pkgutil.walk_packages(raydocs_async.__path__, "raydocs_async.")
    imported = ("__main__", "_ray_checkpoint", "_rows", "otel", "ray", "testing")
    named = hidden_imports("hook-raydocs_async"), hidden_imports("hook-raydocs_async.cli")
    assert {*named[0], *named[1]} == {
        "raydocs_async",
        *(module.name for module in modules if "-" not in module.name),
    } - {f"raydocs_async.{name}" for name in imported}
    assert named[0] & named[1] == set()


def test_every_template_is_named() -> None:
    """A frozen command line has the files beside its code, in the folder of their module."""
    (folder,) = find_hooks()
    told: dict[str, Any] = runpy.run_path(str(Path(folder, "hook-raydocs_async.cli.py")))
    (package,) = raydocs_async.__path__
    others = {
        path
        for path in Path(package).rglob("*.*")
        if path.suffix not in (".py", ".pyc", ".pyi", ".typed")
    }
    assert {Path(package).parent / to / Path(path).name for path, to in told["datas"]} == others
    assert {Path(path) for path, _ in told["datas"]} == others


def test_the_hooks_are_found() -> None:
    """The entry point at which PyInstaller looks leads to them."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    module, _, name = project["entry-points"]["pyinstaller40"]["hook-dirs"].partition(":")
    assert getattr(import_module(module), name) is find_hooks
