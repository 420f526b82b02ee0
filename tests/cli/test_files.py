"""A file of one process, on file systems that lack something."""

import errno
import fcntl
import io
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from raydocs_async.cli._exit import CannotStart
from raydocs_async.cli._files import File, write_new
from raydocs_async.cli._streams import write_all


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where to write."""
    return tmp_path / "out.jsonl"


def failing(code: int) -> Callable[..., Any]:
    """A system call that fails."""

    def fail(*arguments: object, **options: object) -> Any:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOTSUP, errno.EINVAL])
def test_a_file_system_without_locks(
    monkeypatch: pytest.MonkeyPatch, path: Path, code: int
) -> None:
    """Where nothing can be locked, the file is written all the same, with one word about it."""
    monkeypatch.setattr(fcntl, "flock", failing(code))
    monkeypatch.setattr("portalocker.portalocker.LOCKER", failing(code))
    file = File.open(str(path))
    write_all(file.raw, b"content")
    file.close()
    assert path.read_bytes() == b"content"
    (note,) = file.notes
    assert f"{path}: this file system has no locks ({os.strerror(code)}); let no other" in note


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_fsync(
    monkeypatch: pytest.MonkeyPatch, path: Path, code: int
) -> None:
    """Where fsync does not exist, that is no failure, and there is one word about it."""
    file = File.open(str(path))
    monkeypatch.setattr(os, "fsync", failing(code))
    file.close()
    (note,) = file.notes
    assert "does not say when data is on the disk" in note


def test_a_disk_that_fails(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """An fsync that fails is a failure; the file is closed."""
    file = File.open(str(path))
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        file.close()
    assert file.raw.closed
    assert not file.notes


def test_a_link_is_followed(path: Path, tmp_path: Path) -> None:
    """Through a symbolic link the target is written, undone or replaced; the link stays."""
    link = tmp_path / "link"
    link.symlink_to("out.jsonl")
    File.open(str(link)).undo()
    assert (link.is_symlink(), path.exists()) == (True, False)
    file = File.open(str(link))
    write_all(file.raw, b"old")
    file.replace([b"n", b"ew"])
    write_all(file.raw, b"er")
    file.close()
    assert (link.is_symlink(), path.is_symlink(), path.read_bytes()) == (True, False, b"newer")
    File.open(str(link)).undo()
    assert path.exists()


@pytest.mark.parametrize("target", ["missing/out.jsonl", "link"])
def test_a_link_to_nowhere(tmp_path: Path, target: str) -> None:
    """A link that cannot be followed is refused, and stays."""
    (link := tmp_path / "link").symlink_to(target)
    with pytest.raises(CannotStart, match="cannot be written"):
        File.open(str(link))
    assert link.is_symlink()


def test_undo_leaves_the_files_of_others(path: Path) -> None:
    """What another process has put in the place of a new file is not removed."""
    file = File.open(str(path))
    path.rename(path.with_name("moved"))
    path.write_text("theirs")
    file.undo()
    assert path.read_text() == "theirs"
    assert file.raw.closed


def test_replaced_while_it_is_opened(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """A lock on a file that was replaced before it was locked is worth nothing."""
    path.write_text("old")

    def replace(*arguments: object) -> None:
        path.with_name("new").write_text("new")
        path.with_name("new").replace(path)

    monkeypatch.setattr("portalocker.portalocker.LOCKER", replace)
    with pytest.raises(CannotStart, match="another process is writing to it"):
        File.open(str(path))


def test_a_path_that_cannot_be_looked_at(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """A directory that does not answer just now is no reason to stop."""
    file = File.open(str(path))
    with monkeypatch.context() as patched:
        patched.setattr(Path, "stat", failing(errno.ESTALE))
        assert file.is_in_place()
    path.unlink()
    assert not file.is_in_place()
    file.close()


def test_replacing(path: Path) -> None:
    """The new content has the old file's mode, its lock, and nothing lies beside it."""
    path.write_text("old")
    path.chmod(0o640)
    (left := path.with_name(".out.jsonl.resume~")).write_text("of a run that was killed")
    file = File.open(str(path))
    file.replace([b"new"])
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    with pytest.raises(CannotStart, match="another process is writing to it"):
        File.open(str(path))
    assert not left.exists()
    file.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_owner_stays(path: Path) -> None:
    """A file that belongs to another user goes on to belong to them."""
    path.write_text("old")
    os.chown(path, 1234, 4321)
    file = File.open(str(path))
    file.replace([b"new"])
    file.close()
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)


def full_disk() -> Iterator[bytes]:
    """Content that does not fit."""
    yield b"new"
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["write", "replace"])
def test_replacing_in_vain(monkeypatch: pytest.MonkeyPatch, path: Path, call: str) -> None:
    """Where the new content cannot be put in place, the old one stays, and nothing beside it."""
    path.write_text("old")
    file = File.open(str(path))
    if call == "replace":
        monkeypatch.setattr(Path, "replace", failing(errno.EBUSY))
    with pytest.raises(CannotStart, match=r"has lines to drop, and cannot be replaced: (No s|De)"):
        file.replace(full_disk() if call == "write" else [b"new"])
    file.close()
    assert [each.read_text() for each in path.parent.iterdir()] == ["old"]


def test_hard_links(path: Path) -> None:
    """A file with a second name would lose it, and is not replaced."""
    path.write_text("old")
    path.with_name("second").hardlink_to(path)
    file = File.open(str(path))
    with pytest.raises(CannotStart, match="hard links: go on with a copy of it"):
        file.replace([b"new"])
    file.close()
    assert path.read_text() == "old"


def test_a_directory_that_cannot_be_opened(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Where a directory cannot be seen to the disk, the file is."""
    file = File.open(str(path))
    monkeypatch.setattr(os, "open", failing(errno.EACCES))
    file.close()
    assert not file.notes


def test_a_pipe(tmp_path: Path) -> None:
    """A named pipe is written to its reader, who may go; there is nothing to lock or to cut."""
    os.mkfifo(pipe := tmp_path / "pipe")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    file = File.open(str(pipe))
    write_all(file.raw, b"x")
    assert (os.read(reader, 9), file.size, file.is_regular) == (b"x", 0, False)
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        write_all(file.raw, b"x")
    file.undo()
    assert pipe.exists()


def test_a_pipe_without_a_name() -> None:
    """A descriptor's path, as shells give it, leads to a pipe that has no other name."""
    reader, writer = os.pipe()
    file = File.open(f"/dev/fd/{writer}")
    write_all(file.raw, b"x")
    file.close()
    assert os.read(reader, 9) == b"x"
    os.close(reader)
    os.close(writer)


def test_a_slow_reader() -> None:
    """A full pipe that was made non-blocking is waited for."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.write(writer, b"x" * 65536)
    file = File.open(f"/dev/fd/{writer}")
    os.set_blocking(file.raw.fileno(), False)
    waited: list[int] = []

    def drain(*arguments: object) -> None:
        waited.append(len(os.read(reader, 65536)))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("raydocs_async.cli._streams._wait", drain)
        write_all(file.raw, b"y" * 10)
    assert (waited, os.read(reader, 99)) == ([65536], b"y" * 10)
    file.close()
    os.close(reader)
    os.close(writer)


def test_a_new_file(path: Path) -> None:
    """Content is written to a new file, or to one that is empty."""
    write_new(str(path), b"new")
    assert path.read_bytes() == b"new"
    with pytest.raises(CannotStart, match="is there already; move it away"):
        write_new(str(path), b"newer")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("there", [True, False])
def test_a_new_file_that_does_not_fit(
    monkeypatch: pytest.MonkeyPatch, path: Path, *, there: bool
) -> None:
    """A part of the content is removed again."""
    if there:
        path.touch()

    def run_full(raw: Any, content: bytes) -> None:
        raw.write(content[:3])
        failing(errno.ENOSPC)()

    monkeypatch.setattr("raydocs_async.cli._files.write_all", run_full)
    with pytest.raises(CannotStart, match="cannot be written: No space left"):
        write_new(str(path), b"content")
    assert path.exists() == there
    assert not there or path.read_bytes() == b""


def test_a_new_file_on_a_full_device() -> None:
    """A device cannot be emptied."""
    with pytest.raises(CannotStart, match="/dev/full cannot be written: No space left"):
        write_new("/dev/full", b"content")


def test_a_file_without_a_path(path: Path) -> None:
    """Standard output is wherever it leads to, and cannot be taken away."""
    file = File(io.FileIO(path, "w"), None, "standard output")
    path.unlink()
    assert file.is_in_place()
    file.undo()
