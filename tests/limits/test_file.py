"""The store in a file: real files, on a clock of their own."""

import errno
import logging
import os
import stat
import sys
import types
from importlib import util
from pathlib import Path

import attrs
import pytest

from raydocs_async._limits import _file, _lock
from raydocs_async._limits._claim import Claim, Configuration, Grant
from raydocs_async._limits._file import FileStore, clock_identity
from raydocs_async._limits._lock import try_lock
from raydocs_async._limits._record import RECENT, SKEW
from raydocs_async._limits._slots import MAGIC
from raydocs_async._limits._store import StoreError

JOIN = Claim(owner="a", single=1, joins=Configuration(100, 60.0))


@attrs.define
class Clock:
    """The clock and the calendar of a machine."""

    name: str = "this boot"
    at: float = 1000.0
    wall: float = 1e9

    def store(self, path: Path) -> FileStore:
        """Return a store on this clock."""
        return FileStore(
            str(path), clock=self.name, monotonic=lambda: self.at, wall=lambda: self.wall
        )

    def grant(self, path: Path, claim: Claim = JOIN) -> Grant:
        """Settle a claim now."""
        grant = self.store(path).transact(claim, self.at)
        assert grant is not None
        return grant


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the record is to be."""
    return tmp_path / "limit"


def refusal(path: Path, clock: Clock | None = None) -> str:
    """Return why a file cannot be used."""
    clock = clock or Clock()
    with pytest.raises(StoreError) as caught:
        clock.store(path).transact(JOIN, clock.at)
    return str(caught.value)


def test_the_record_is_shared(path: Path) -> None:
    """A second process finds the probe of the first one, and waits for its reply."""
    clock = Clock()
    assert clock.grant(path).single == 1
    grant = clock.grant(path, attrs.evolve(JOIN, owner="b"))
    assert (grant.single, grant.processes) == (0, 2)


def test_a_look_changes_nothing(path: Path) -> None:
    """A look returns what a claim would get, and leaves the file as it is."""
    clock = Clock()
    clock.grant(path)
    before = path.read_bytes()
    clock.at += 1.0
    grant = clock.store(path).look(attrs.evolve(JOIN, owner="b"), clock.at)
    assert grant is not None
    assert grant.single == 1
    assert path.read_bytes() == before


def test_a_look_at_nothing(path: Path) -> None:
    """An empty file has nothing to look at."""
    path.touch()
    assert Clock().store(path).look(JOIN, 1000.0) is None


def test_a_locked_file_is_not_waited_for(path: Path) -> None:
    """The answer is that it is locked, at once; after the lock it is as before."""
    clock = Clock()
    clock.grant(path)
    with path.open("r+b") as file:
        assert try_lock(file.fileno())
        assert clock.store(path).transact(JOIN, clock.at) is None
        assert clock.store(path).look(JOIN, clock.at) is not None
    assert clock.grant(path).single == 1


def test_no_descriptor_is_left_open(path: Path) -> None:
    """Nothing is open between two transactions, so that no child process inherits a lock."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    clock = Clock()
    for _ in range(5):
        clock.grant(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_deleted_file_is_made_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it is deleted between its opening and its lock."""
    clock = Clock()
    clock.grant(path)
    path.unlink()
    assert clock.grant(path).processes == 1

    def late(file: int) -> bool:
        path.unlink()
        return try_lock(file)

    with monkeypatch.context() as patch:
        patch.setattr(_file, "try_lock", late)
        assert clock.store(path).transact(JOIN, clock.at) is None
    assert not path.exists()
    assert clock.grant(path).single == 1


def test_the_file_is_for_its_user_alone(path: Path) -> None:
    """Nobody else can read or write it."""
    Clock().grant(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_directory_of_a_group_shares_the_file(path: Path) -> None:
    """``chmod g+ws`` on the directory lets the group's other users in, whatever the umask."""
    path.parent.chmod(0o2770)
    Clock().grant(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_the_file_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In ``/tmp`` somebody else could have put it there; in a group's directory it is welcome."""
    Clock().grant(path)
    monkeypatch.setattr(_file, "_trusted_users", lambda: (0x7777,))
    assert refusal(path) == f"{path}: it belongs to another user"
    path.parent.chmod(0o2770)
    assert Clock().grant(path).single == 1


def test_a_symbolic_link_is_not_followed(path: Path) -> None:
    """A symbolic link is not followed, because it could lead to another file of the user's."""
    target = path.with_name("target")
    target.touch()
    path.symlink_to(target)
    assert "symbolic links" in refusal(path)


def test_a_missing_directory_is_named(path: Path) -> None:
    """The reason names the path."""
    missing = path / "deeper"
    assert refusal(missing) == f"{missing}: No such file or directory"


def test_a_directory_is_refused(path: Path) -> None:
    """A path that is not a file's is named, too."""
    path.mkdir()
    assert str(path) in refusal(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes")
def test_a_pipe_is_refused(path: Path) -> None:
    """Only a regular file can hold a record."""
    os.mkfifo(path)
    assert refusal(path) == f"{path}: it is not a regular file"


def test_a_file_with_something_else_is_not_touched(path: Path) -> None:
    """A path that was given by mistake costs nothing."""
    path.write_text("the only copy of something")
    assert "something else" in refusal(path)
    assert path.read_text() == "the only copy of something"


def test_a_damaged_file_begins_anew(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log names it."""
    path.write_bytes(MAGIC + b"\xff" * 1000)
    with caplog.at_level(logging.WARNING):
        assert Clock().grant(path).single == 1
    assert [record.message for record in caplog.records] == [
        f"the file {path} was damaged, so the shared rate limit begins anew"
    ]
    assert Clock().grant(path, attrs.evolve(JOIN, owner="b")).processes == 2


def test_a_full_disk_is_a_failure(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that is cut short is not taken for a whole one."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:9]))
    assert refusal(path) == f"{path}: the disk is full"


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL])
def test_a_file_system_without_locks_is_a_failure(
    path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Some network file systems, and some of containers, have none."""

    def fail(file: int, operation: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", fail)
    assert refusal(path) == f"{path}: {os.strerror(code)}"


@pytest.mark.parametrize("cut", [0, 1, 20, 40, 100])
def test_a_write_that_is_cut_at_any_byte_leaves_the_record_before_it(path: Path, cut: int) -> None:
    """A machine that loses its power in the middle of a write keeps the other slot."""
    clock = Clock()
    clock.grant(path)
    before = path.read_bytes()
    clock.grant(path, attrs.evolve(JOIN, owner="b"))
    after = path.read_bytes()
    changed = [at for at in range(len(after)) if at >= len(before) or before[at] != after[at]]
    torn = after[: changed[0] + cut] + before[changed[0] + cut :]
    path.write_bytes(torn)
    assert clock.grant(path, attrs.evolve(JOIN, owner="c")).processes in (2, 3)


def test_a_slow_file_system_is_a_failure(path: Path) -> None:
    """A slow file system is a failure, because each transaction would block the event loop."""
    moments = iter([1000.0, 1000.0, 1002.0])
    store = FileStore(str(path), clock="c", monotonic=lambda: next(moments))
    with pytest.raises(StoreError, match="too slow"):
        store.transact(JOIN, 1000.0)


def test_an_event_loop_with_a_clock_of_its_own_is_refused(path: Path) -> None:
    """An event loop with its own clock is refused, because its times mean nothing elsewhere."""
    with pytest.raises(StoreError, match="clock of its own"):
        Clock().store(path).transact(JOIN, 1000.0 + 2 * SKEW)


def test_a_restart_of_the_machine_is_noticed(path: Path) -> None:
    """After a restart of the machine, the record of before is forgotten."""
    Clock().grant(path)
    after = Clock("another boot", 5.0, 1e9 + 2 * RECENT)
    assert after.grant(path, attrs.evolve(JOIN, owner="b")).processes == 1


def test_a_container_with_a_clock_of_its_own_is_refused(path: Path) -> None:
    """Two clocks at one file would reset it for each other again and again."""
    Clock().grant(path)
    assert "another clock" in refusal(path, Clock("another boot", 5.0, 1e9 + 1))


def test_the_clock_has_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The clock's name has the boot and the container on Linux, and is empty elsewhere."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert clock_identity().startswith(f"{boot} time:")
    monkeypatch.setattr(_file, "Path", lambda path: tmp_path / "missing")
    assert clock_identity() == ""


def test_the_lock_of_windows(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """There a byte far beyond the content is locked, as locked bytes cannot be read by others."""
    locked: list[int] = []

    def locking(file: int, mode: int, count: int) -> None:
        if locked:
            raise PermissionError
        locked.append(os.lseek(file, 0, os.SEEK_CUR))

    monkeypatch.setattr(sys, "platform", "win32")
    module = types.SimpleNamespace(locking=locking, LK_NBLCK=2)
    monkeypatch.setitem(sys.modules, "msvcrt", module)
    spec = util.spec_from_file_location("windows_lock", _lock.__file__)
    assert spec is not None
    assert spec.loader is not None
    windows = util.module_from_spec(spec)
    spec.loader.exec_module(windows)
    with path.open("w+b") as file:
        assert windows.try_lock(file.fileno())
        assert not windows.try_lock(file.fileno())
    assert locked == [1 << 30]
    assert _file._trusted_users() == (0,)
