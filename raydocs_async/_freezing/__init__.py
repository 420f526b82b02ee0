"""Hooks for PyInstaller, which finds them by an entry point of this distribution.

A tool that freezes programs follows the import statements that it reads. Names that are loaded
when they are first used, and commands that are imported when they are called, show it none.
"""

from pathlib import Path


def find_hooks() -> list[str]:
    """The folder of the hooks, as the entry point ``pyinstaller40`` asks for it."""
    return [str(Path(__file__).parent)]


def list_modules(package: str, *left_out: str) -> list[str]:
    """The modules of a package and of those below it, by their files; imports nothing.

    Args:
        package: Its full name, which begins with ``raydocs_async``.
        left_out: Full names of modules to leave out, with all below them.
    """
    root = Path(__file__).parents[2]
    paths = sorted((root / package.replace(".", "/")).rglob("*.py"))
    names = (".".join(path.relative_to(root).with_suffix("").parts) for path in paths)
    found = (name.removesuffix(".__init__") for name in names if "-" not in name)
    return [
        name
        for name in found
        if not any(name == each or name.startswith(f"{each}.") for each in left_out)
    ]
