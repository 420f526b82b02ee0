"""The API token: its sources, and files that cannot hold one."""

import os
from pathlib import Path

import pytest

from raydocs_async.sandbox import Sandbox
from tests.cli.conftest import UNKNOWN, Run


async def test_no_token(run: Run, environment: dict[str, str]) -> None:
    """Without a token, the message names the places where the command looks for one."""
    done = await run("get", "a", env=environment | {"RAYDOCS_API_TOKEN": ""})
    assert done.code == 2
    assert "no token: set RAYDOCS_API_TOKEN, or give --token-file" in done.err


async def test_a_token_from_a_file(run: Run, api: Sandbox, tmp_path: Path) -> None:
    """The token can come from a file, with a line's end."""
    (tmp_path / "token").write_text(f"{api.token}\n")
    (session_id,) = api.ids(1)
    done = await run("get", session_id, "--token-file", "token")
    assert done.code == 0


async def test_a_token_from_standard_input(run: Run, api: Sandbox) -> None:
    """The token can come from standard input."""
    (session_id,) = api.ids(1)
    done = await run("get", session_id, "--token-file", "-", stdin=f"{api.token}\n")
    assert done.code == 0


async def test_undecodable_token_file(run: Run, tmp_path: Path) -> None:
    """A file that is not text is refused by its name, and its content is not shown."""
    (tmp_path / "token").write_bytes(b"\xff")
    done = await run("get", UNKNOWN, "--token-file", "token")
    assert (done.code, done.err) == (
        2,
        "Error: the token file token cannot be read: it is not text\n",
    )


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("after", [b"", b"\r\n"])
async def test_a_token_as_editors_write_it(
    run: Run, api: Sandbox, tmp_path: Path, before: bytes, after: bytes
) -> None:
    """A byte order mark and a line's end do not belong to the token."""
    content = before + api.token.encode() + after
    (tmp_path / "token").write_bytes(content)
    assert (await run("get", *api.ids(1), "--token-file", "token")).code == 0
    done = await run("get", *api.ids(1), "--token-file", "-", stdin=content.decode())
    assert done.code == 0


async def test_a_token_from_a_pipe(run: Run, api: Sandbox, tmp_path: Path) -> None:
    """The token can come from another program, by a shell's substitution."""
    reading, writing = os.pipe()
    os.write(writing, api.token.encode())
    os.close(writing)
    done = await run("get", *api.ids(1), "--token-file", f"/dev/fd/{reading}", pass_fds=[reading])
    os.close(reading)
    assert done.code == 0


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/dev/zero", "is longer than 16384 bytes, so it holds no token"),
        ("utf-16-le", "is UTF-16; save it as UTF-8"),
        ("utf-16-be", "is UTF-16; save it as UTF-8"),
        (".", "cannot be read: Is a directory"),
    ],
)
async def test_an_unusable_token_file(
    run: Run, api: Sandbox, tmp_path: Path, name: str, reason: str
) -> None:
    """A file that cannot hold a token is refused with the reason, and is not read to its end."""
    for encoding in ("utf-16-le", "utf-16-be"):
        (tmp_path / encoding).write_text("\ufeff" + api.token, encoding=encoding)
    done = await run("get", UNKNOWN, "--token-file", name)
    assert (done.code, done.err) == (2, f"Error: the token file {name} {reason}\n")


async def test_a_token_without_end(run: Run) -> None:
    """A line of standard input that is too long for a token is refused."""
    done = await run("get", UNKNOWN, "--token-file", "-", stdin="x" * 20_000)
    assert done.code == 2
    assert "standard input is longer than 16384 bytes, so it holds no token" in done.err
