"""An output file, also on file systems that lack locks or fsync."""

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
from raydocs_async.cli._files import OutputFile, write_new
from raydocs_async.cli._streams import write_all


def failing(code: int) -> Callable[..., Any]:
    """Return a system call that fails."""

    def fail(*arguments: object, **options: object) -> Any:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOTSUP, errno.EINVAL])
def test_a_file_system_without_locks(
    monkeypatch: pytest.MonkeyPatch, path: Path, code: int
) -> None:
    """Without locks, the file is written, and one warning says so."""
    monkeypatch.setattr(fcntl, "flock", failing(code))
    monkeypatch.setattr("portalocker.portalocker.LOCKER", failing(code))
    file = OutputFile.open(str(path))
    write_all(file.raw, b"content")
    file.close()
    assert path.read_bytes() == b"content"
    (warning,) = file.warnings
    assert f"{path}: this file system has no locks ({os.strerror(code)}); let no other" in warning


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_fsync(
    monkeypatch: pytest.MonkeyPatch, path: Path, code: int
) -> None:
    """Without fsync, closing succeeds, and one warning says so."""
    file = OutputFile.open(str(path))
    monkeypatch.setattr(os, "fsync", failing(code))
    file.close()
    (warning,) = file.warnings
    assert "cannot confirm that data is on the disk" in warning


def test_a_disk_that_fails(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """A failure of fsync is raised, and the file is closed."""
    file = OutputFile.open(str(path))
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        file.close()
    assert file.raw.closed
    assert not file.warnings


def test_a_link_is_followed(path: Path, tmp_path: Path) -> None:
    """The target of a symbolic link is written, discarded or replaced; the link stays."""
    link = tmp_path / "link"
    link.symlink_to("out.jsonl")
    OutputFile.open(str(link)).discard()
    assert (link.is_symlink(), path.exists()) == (True, False)
    file = OutputFile.open(str(link))
    write_all(file.raw, b"old")
    file.replace([b"n", b"ew"])
    write_all(file.raw, b"er")
    file.close()
    assert (link.is_symlink(), path.is_symlink(), path.read_bytes()) == (True, False, b"newer")
    OutputFile.open(str(link)).discard()
    assert path.exists()


@pytest.mark.parametrize("target", ["missing/out.jsonl", "link"])
def test_a_link_to_nowhere(tmp_path: Path, target: str) -> None:
    """A link with an impossible target is refused, and stays."""
    (link := tmp_path / "link").symlink_to(target)
    with pytest.raises(CannotStart, match="cannot be written"):
        OutputFile.open(str(link))
    assert link.is_symlink()


def test_discarding_leaves_other_files(path: Path) -> None:
    """A file that another process has put in the place of a new one is not removed."""
    file = OutputFile.open(str(path))
    path.rename(path.with_name("moved"))
    path.write_text("theirs")
    file.discard()
    assert path.read_text() == "theirs"
    assert file.raw.closed


def test_replaced_while_it_is_opened(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """A file that was replaced before it was locked is refused."""
    path.write_text("old")

    def replace(*arguments: object) -> None:
        path.with_name("new").write_text("new")
        path.with_name("new").replace(path)

    monkeypatch.setattr("portalocker.portalocker.LOCKER", replace)
    with pytest.raises(CannotStart, match="another process is writing to it"):
        OutputFile.open(str(path))


def test_a_directory_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """A directory that does not answer is not a reason to stop."""
    file = OutputFile.open(str(path))
    with monkeypatch.context() as patched:
        patched.setattr(Path, "stat", failing(errno.ESTALE))
        assert file.is_in_place()
    path.unlink()
    assert not file.is_in_place()
    file.close()


def test_replacing(path: Path) -> None:
    """The new content has the old file's mode and lock, and temporary files are gone."""
    path.write_text("old")
    path.chmod(0o640)
    (left := path.with_name(".out.jsonl.resume~")).write_text("of a run that was killed")
    file = OutputFile.open(str(path))
    file.replace([b"new"])
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    with pytest.raises(CannotStart, match="another process is writing to it"):
        OutputFile.open(str(path))
    assert not left.exists()
    file.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_owner_stays(path: Path) -> None:
    """A replaced file keeps its owner."""
    path.write_text("old")
    os.chown(path, 1234, 4321)
    file = OutputFile.open(str(path))
    file.replace([b"new"])
    file.close()
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)


def full_disk() -> Iterator[bytes]:
    """Yield content that does not fit on the disk."""
    yield b"new"
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["write", "replace"])
def test_replacing_in_vain(monkeypatch: pytest.MonkeyPatch, path: Path, call: str) -> None:
    """If a replacement fails, the old content stays, without a temporary file beside it."""
    path.write_text("old")
    file = OutputFile.open(str(path))
    if call == "replace":
        monkeypatch.setattr(Path, "replace", failing(errno.EBUSY))
    with pytest.raises(CannotStart, match=r"has lines to drop, and cannot be replaced: (No s|De)"):
        file.replace(full_disk() if call == "write" else [b"new"])
    file.close()
    assert [each.read_text() for each in path.parent.iterdir()] == ["old"]


def test_hard_links(path: Path) -> None:
    """A file with hard links, whose other names would keep the old content, is not replaced."""
    path.write_text("old")
    path.with_name("second").hardlink_to(path)
    file = OutputFile.open(str(path))
    with pytest.raises(CannotStart, match="hard links: continue with a copy of it"):
        file.replace([b"new"])
    file.close()
    assert path.read_text() == "old"


def test_a_directory_that_cannot_be_opened(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """The file is flushed to the disk even if its directory cannot be."""
    file = OutputFile.open(str(path))
    monkeypatch.setattr(os, "open", failing(errno.EACCES))
    file.close()
    assert not file.warnings


def test_a_pipe(tmp_path: Path) -> None:
    """A named pipe is written without locks, and raises after its reader has gone."""
    os.mkfifo(pipe := tmp_path / "pipe")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    file = OutputFile.open(str(pipe))
    write_all(file.raw, b"x")
    assert (os.read(reader, 9), file.size, file.is_own) == (b"x", 0, False)
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        write_all(file.raw, b"x")
    file.discard()
    assert pipe.exists()


def test_a_pipe_without_a_name() -> None:
    """A pipe without a name can be opened by its descriptor's path, as shells give it."""
    reader, writer = os.pipe()
    file = OutputFile.open(f"/dev/fd/{writer}")
    write_all(file.raw, b"x")
    file.close()
    assert os.read(reader, 9) == b"x"
    os.close(reader)
    os.close(writer)


def test_a_slow_reader() -> None:
    """A write waits for the reader of a full, non-blocking pipe."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.write(writer, b"x" * 65536)
    file = OutputFile.open(f"/dev/fd/{writer}")
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
    """Content is written to a new file, and an existing one is refused."""
    write_new(str(path), b"new")
    assert path.read_bytes() == b"new"
    with pytest.raises(CannotStart, match="exists already; move it away"):
        write_new(str(path), b"newer")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("there", [True, False])
def test_a_new_file_that_does_not_fit(
    monkeypatch: pytest.MonkeyPatch, path: Path, *, there: bool
) -> None:
    """An incomplete content is removed."""
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
    """A write error of a device is reported, though a device cannot be truncated."""
    with pytest.raises(CannotStart, match="/dev/full cannot be written: No space left"):
        write_new("/dev/full", b"content")


def test_a_file_without_a_path(path: Path) -> None:
    """A file without a path counts as in place after its name was deleted."""
    file = OutputFile(io.FileIO(path, "w"), None, "standard output")
    path.unlink()
    assert file.is_in_place()
    file.discard()
