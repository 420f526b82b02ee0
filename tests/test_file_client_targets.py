"""The target of a download: checked before anything is sent, and replaced as a whole."""

import errno
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from raydocs_async import ConfigurationError, FileError
from tests.support.clients import client_for
from tests.support.files import ID, PDF, Running, Service, files_in
from tests.support.replies import reply

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


def existing(directory: Path) -> Path:
    """Make a file."""
    path = directory / "a.pdf"
    path.write_text("mine")
    return path


def linked(directory: Path, target: str) -> Path:
    """Make a symbolic link to `target`."""
    link = directory / "link"
    link.symlink_to(target)
    return link


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (existing, r"a\.pdf is there already; allow it by overwrite=True"),
        (lambda directory: directory, "is a directory; name a file in it"),
        (lambda directory: f"{directory}/new/", "new/ names a directory; name a file in it"),
        (lambda _: Path("/dev/null"), "is a device or a pipe; name a file"),
        (lambda directory: directory / "no" / "a.pdf", r"there is no directory .*; make it first"),
        (lambda directory: existing(directory) / "b", r"there is no directory .*; make it first"),
        (lambda directory: directory / ("x" * 300), "cannot be used: File name too long; choose"),
        (lambda directory: directory / "a\0b", "cannot be used: .*embedded null .*; choose"),
        (
            lambda directory: directory / "\ud800",
            "cannot be used: .*surrogates not allowed; choose",
        ),
        (lambda directory: linked(directory, "link"), "cannot be used: Too many levels of symbol"),
        (lambda directory: linked(directory, "no/a.pdf"), r"there is no directory .*; make it fir"),
        (lambda directory: linked(directory, "."), "is a directory; name a file in it"),
        (lambda directory: linked(directory, existing(directory).name), "is there already"),
    ],
)
@pytest.mark.parametrize("name", ["download_document", "export_result"])
async def test_a_target_that_cannot_work(
    tmp_path: Path, target: Callable[[Path], str | Path], message: str, name: str
) -> None:
    """An unusable target is refused before anything is sent, and stays as it is."""
    path = target(tmp_path)
    before = files_in(tmp_path)
    async with Running(Service()) as (server, client):
        with pytest.raises(ConfigurationError, match=message):
            await getattr(client, name)(ID, path)
    assert (server.requests, files_in(tmp_path)) == ([], before)


async def test_overwriting(tmp_path: Path) -> None:
    """With `overwrite`, the whole new file replaces the old one."""
    path = existing(tmp_path)
    async with Running(Service()) as (_, client):
        await client.download_document(ID, path, overwrite=True)
    assert path.read_bytes() == PDF
    assert files_in(tmp_path) == ["a.pdf"]


@pytest.mark.parametrize("overwrite", [False, True])
async def test_a_dangling_link(tmp_path: Path, overwrite: bool) -> None:
    """A download to a dangling link makes the link's target, as `open` does."""
    link = linked(tmp_path, "a.pdf")
    async with Running(Service()) as (_, client):
        path = await client.download_document(ID, link, overwrite=overwrite)
    assert (path, link.is_symlink(), files_in(tmp_path)) == (link, True, ["a.pdf", "link"])
    assert (tmp_path / "a.pdf").read_bytes() == PDF


async def test_overwriting_by_a_link(tmp_path: Path) -> None:
    """A download to a link keeps the link, and replaces its target in the target's directory."""
    (tmp_path / "far").mkdir()
    path = existing(tmp_path / "far")
    link = linked(tmp_path, "far/a.pdf")
    async with Running(Service()) as (_, client):
        await client.download_document(ID, link, overwrite=True)
    assert (link.is_symlink(), path.read_bytes()) == (True, PDF)
    assert (files_in(tmp_path), files_in(path.parent)) == (["far", "link"], ["a.pdf"])


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
async def test_overwriting_keeps_the_mode(tmp_path: Path, mode: int) -> None:
    """The mode of the file is kept; the new file is private while it is being written."""
    path = existing(tmp_path)
    path.chmod(mode)
    modes: set[int] = set()

    def look(*_: object) -> None:
        modes.update(each.stat().st_mode & 0o777 for each in tmp_path.glob(".*.part"))

    async with Running(Service()) as (_, client):
        await client.download_document(ID, path, overwrite=True, on_progress=look)
    assert (path.stat().st_mode & 0o777, modes) == (mode, {0o600})


async def test_a_new_file_has_the_usual_mode(tmp_path: Path) -> None:
    """A new file has the mode of any other file that this process makes."""
    async with Running(Service()) as (_, client):
        path = await client.download_document(ID, tmp_path / "a.pdf")
    assert path.stat().st_mode == existing(tmp_path / "..").stat().st_mode


@pytest.mark.parametrize(
    ("protected", "message"),
    [
        ("a.pdf", "a.pdf is write-protected; make it"),
        ("", "no file can be made in .*no permission"),
    ],
)
async def test_no_permission(tmp_path: Path, protected: str, message: str) -> None:
    """A target without permission to write is refused before anything is sent."""
    path = existing(tmp_path)

    def access(asked: Path, _: int) -> bool:
        return asked != tmp_path / protected

    async with client_for("http://127.0.0.1:1") as client:
        with mock.patch("os.access", access), pytest.raises(ConfigurationError, match=message):
            await client.download_document(ID, path, overwrite=True)
    assert (path.read_text(), files_in(tmp_path)) == ("mine", ["a.pdf"])


async def test_a_disk_that_takes_no_new_file(tmp_path: Path) -> None:
    """If no temporary file can be made, a `FileError` is raised before anything is sent."""
    full = mock.patch("os.open", side_effect=OSError(errno.ENOSPC, "No space left on device"))
    async with client_for("http://127.0.0.1:1") as client:
        with full, pytest.raises(FileError, match=f"^file of document {ID}: .*: No space left"):
            await client.download_document(ID, tmp_path / "a.pdf")
    assert files_in(tmp_path) == []


async def test_the_longest_name(tmp_path: Path) -> None:
    """The longest name that the file system allows is accepted."""
    async with Running(Service()) as (_, client):
        path = await client.download_document(ID, tmp_path / ("x" * 251 + ".pdf"))
    assert path.read_bytes() == PDF


async def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    """With `overwrite`, a failed download leaves the old file as it was."""
    path = existing(tmp_path)
    async with Running(Service(sha256="0" * 64)) as (_, client):
        with pytest.raises(FileError):
            await client.download_document(ID, path, overwrite=True)
    assert path.read_text() == "mine"


async def test_a_target_that_comes_up_meanwhile(tmp_path: Path) -> None:
    """A file that another program made during the download is not overwritten."""
    path = tmp_path / "a.pdf"
    async with Running(Service()) as (_, client):
        with pytest.raises(FileError, match="it was made by another program meanwhile"):
            await client.download_document(
                ID, path, on_progress=lambda *_: path.write_text("theirs")
            )
    assert path.read_text() == "theirs"
    assert files_in(tmp_path) == ["a.pdf"]


@pytest.mark.parametrize("comes_up", [False, True])
async def test_a_file_system_without_links(tmp_path: Path, comes_up: bool) -> None:
    """Without hard links the file is renamed, and another program's file is not overwritten."""
    path = tmp_path / "a.pdf"
    no_links = OSError(errno.EPERM, "Operation not permitted")

    def link(*_: object) -> None:
        if comes_up:
            path.write_text("theirs")
        raise no_links

    with mock.patch("os.link", link):
        async with Running(Service()) as (_, client):
            download = client.download_document(ID, path)
            if comes_up:
                with pytest.raises(FileError, match="by another program meanwhile"):
                    await download
            else:
                await download
    assert path.read_bytes() == (b"theirs" if comes_up else PDF)
    assert files_in(tmp_path) == ["a.pdf"]


async def test_windows_renames(tmp_path: Path) -> None:
    """On Windows a rename is enough, because it refuses to overwrite."""
    windows = mock.patch("raydocs_async._rename._RENAMES_TO_NEW_ONLY", True)
    with windows, mock.patch("os.link", None):
        async with Running(Service()) as (_, client):
            path = await client.download_document(ID, tmp_path / "a.pdf")
    assert path.read_bytes() == PDF


@pytest.fixture
def small_files() -> Iterator[None]:
    """Bound the size of files to a megabyte, which fails a write as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files")
async def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """A failed write is an error with the system's reason, and no part is left."""
    service = Service(size=None, sha256=None)
    service.files = iter([reply(b"x" * 3_000_000)])
    async with Running(service) as (_, client):
        with pytest.raises(FileError, match="cannot be written: File too large; nothing was kept"):
            await client.download_document(ID, tmp_path / "a.pdf")
    assert files_in(tmp_path) == []
