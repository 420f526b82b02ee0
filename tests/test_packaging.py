"""What is built from a checkout: the named files, and nothing else that lies about."""

import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[1]
FOLDERS = ("raydocs_async", "tests", "bench", "docs", "examples")
PLANTED = ("id_rsa", ".netrc", ".env", "token.txt", "secrets.json", "key.pem", "out.jsonl")
"""What must not leave the machine, in each folder of the copy."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the project, with secrets in all of its folders."""
    for name in ("pyproject.toml", "README.md", "LICENSE", "noxfile.py"):
        shutil.copy(ROOT / name, tmp_path)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in [path for path in tmp_path.rglob("*") if path.is_dir()]:
        for name in PLANTED:
            (folder / name).write_text("secret", encoding="utf-8")
    return tmp_path


def files(checkout: Path, folder: str, *patterns: str) -> set[str]:
    """The files of a folder that match, as they are named in an archive."""
    found = (path for pattern in patterns for path in (checkout / folder).rglob(pattern))
    return {path.relative_to(checkout).as_posix() for path in found if path.name not in PLANTED}


def wheel(checkout: Path) -> set[str]:
    """The files in the wheel, its metadata aside."""
    (built,) = WheelBuilder(str(checkout)).build(directory=str(checkout / "dist"))
    with ZipFile(built) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def sdist(checkout: Path) -> Iterator[PurePosixPath]:
    """The files in the source distribution."""
    (built,) = SdistBuilder(str(checkout)).build(directory=str(checkout / "dist"))
    with tarfile.open(built) as archive:
        for name in archive.getnames():
            yield PurePosixPath(*PurePosixPath(name).parts[1:])


def test_wheel(checkout: Path) -> None:
    """The wheel holds the code, types and templates, and nothing that lies beside them."""
    wanted = ("*.py", "*.pyi", "py.typed", "*.css", "*.html", "*.js")
    assert wheel(checkout) == files(checkout, "raydocs_async", *wanted)


def test_sdist_holds_no_secret(checkout: Path) -> None:
    """The source distribution holds none of the files that lie about."""
    assert [path for path in sdist(checkout) if path.name in PLANTED] == []


def test_sdist_is_whole(checkout: Path) -> None:
    """The source distribution holds what the tests, the docs and the build need."""
    code = ("*.py", "*.pyi", "*.typed", "*.php", "*.css", "*.html", "*.js", "*.png", "*.svg")
    texts = ("*.md", "*.toml", "*.json", "*.txt")
    needed = set[str]().union(*(files(checkout, folder, *code, *texts) for folder in FOLDERS))
    top = {"pyproject.toml", "README.md", "LICENSE", "noxfile.py"}
    assert needed | top <= {str(path) for path in sdist(checkout)}
