"""A file that appears under its name whole or not at all."""

import contextlib
import os
from pathlib import Path
from unittest import mock

import pytest

from raydocs_async.cli._exit import CannotStart, CommandFailed
from raydocs_async.cli._whole_file import WholeFile


def write(path: Path | str, *, overwrite: bool = False, meanwhile: bytes = b"") -> None:
    """Write a file; another program makes one of the same name `meanwhile`."""
    with WholeFile(str(path), overwrite=overwrite) as file:
        file.part.write_bytes(b"new")
        if meanwhile:
            Path(path).write_bytes(meanwhile)
        file.keep()


def test_a_new_file(tmp_path: Path) -> None:
    """A new file is whole, and nothing lies beside it."""
    write(tmp_path / "a.csv")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.csv", b"new")]


def test_an_old_file(tmp_path: Path) -> None:
    """A file that is replaced keeps its mode, and a link keeps leading to it."""
    (path := tmp_path / "a.csv").write_bytes(b"old")
    path.chmod(0o640)
    (link := tmp_path / "link.csv").symlink_to(path)
    write(link, overwrite=True)
    assert (path.read_bytes(), path.stat().st_mode & 0o777, link.is_symlink()) == (
        b"new",
        0o640,
        True,
    )


def test_nothing_is_left(tmp_path: Path) -> None:
    """A job that fails leaves nothing."""
    with (
        contextlib.suppress(ZeroDivisionError),
        WholeFile(str(tmp_path / "a.csv"), overwrite=False) as file,
    ):
        file.part.write_bytes(b"half")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_that_comes_up(tmp_path: Path, *, has_links: bool) -> None:
    """A file that another program makes in the meantime is not replaced."""
    path = tmp_path / "a.csv"
    link = mock.patch("os.link", os.link if has_links else mock.Mock(side_effect=PermissionError))
    with link, pytest.raises(CommandFailed, match="another program has made it"):
        write(path, meanwhile=b"theirs")
    assert path.read_bytes() == b"theirs"


def test_without_hard_links(tmp_path: Path) -> None:
    """A file system without hard links is used without them."""
    with mock.patch("os.link", side_effect=PermissionError):
        write(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == b"new"


def test_a_sync_that_fails(tmp_path: Path) -> None:
    """Data that may not have reached the disk is a failure, and the old file stays."""
    (path := tmp_path / "a.csv").write_bytes(b"old")
    full = mock.patch("os.fsync", side_effect=OSError(28, "No space left on device"))
    with full, pytest.raises(CommandFailed, match="cannot be written: No space left on device;"):
        write(path, overwrite=True)
    assert path.read_bytes() == b"old"


def test_content_on_a_full_disk(tmp_path: Path) -> None:
    """Content that does not fit onto the disk is a failure, and the old file stays."""
    (path := tmp_path / "a.json").write_bytes(b"old")
    full = mock.patch.object(Path, "write_bytes", side_effect=OSError(28, "No space left"))
    with full, pytest.raises(CommandFailed, match="cannot be written: No space left; nothing was"):
        WholeFile(str(path), overwrite=True).write(b"new")
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"old"]


def test_an_overwrite_of_nothing(tmp_path: Path) -> None:
    """A file that may be replaced need not be there."""
    write(tmp_path / "a.csv", overwrite=True)
    assert (tmp_path / "a.csv").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("-", "-o needs a file's path"),
        (".", "is a folder; name a file in it"),
        (os.devnull, "is a device or a pipe; name a file"),
        ("no/a.csv", "there is no such folder; make it first"),
        ("mine", "is there already; replace it with --overwrite"),
    ],
)
def test_what_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, complaint: str
) -> None:
    """A target that cannot work is refused before anything is done."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").write_bytes(b"mine")
    with pytest.raises(CannotStart, match=complaint):
        write(path)
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A folder without room for a temporary one is named with the system's reason."""
    full = mock.patch("tempfile.mkdtemp", side_effect=OSError(28, "No space left on device"))
    with full, pytest.raises(CannotStart, match=r"a\.csv cannot be written: No space left"):
        write(tmp_path / "a.csv")
