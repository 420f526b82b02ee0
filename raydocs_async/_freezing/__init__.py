"""Hooks for PyInstaller, which finds them by an entry point of this distribution.

A tool that freezes programs follows import statements. It does not find names that are loaded at
their first use, nor commands that are imported when they are called.
"""

from pathlib import Path


def find_hooks() -> list[str]:
    """Return the folder of the hooks, for the entry point ``pyinstaller40``."""
    return [str(Path(__file__).parent)]


def list_files(folder: str, *suffixes: str) -> list[tuple[str, str]]:
    """Return the files in a folder of the package that are not code, each with its folder.

    Args:
        folder: The path of the folder, which begins with ``raydocs_async``.
        suffixes: The suffixes of the files.
    """
    paths = sorted((Path(__file__).parents[2] / folder).iterdir())
    return [(str(path), folder) for path in paths if path.suffix in suffixes]


def list_modules(package: str, *left_out: str) -> list[str]:
    """Return the modules of a package and its subpackages, by their files; import none of them.

    Args:
        package: The full name of the package, which begins with ``raydocs_async``.
        left_out: Full names of modules to leave out, with all modules below them.
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
