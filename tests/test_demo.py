"""The demo: it shows what the library is for."""

import re

import pytest

from raydocs_async import RaydocsClient, RaydocsError, demo

pytestmark = pytest.mark.looptime


async def test_the_demo_fetches_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """Every session arrives, in little more than the least the limit allows, without a 429."""
    await demo.main()
    said = capsys.readouterr().out
    assert re.search(r"150 of 150 sessions in 1[23]\.\d s", said)
    assert "; 0 were refused by the rate limit." in said


async def test_a_failure_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A session that cannot be had is named, and the others arrive."""

    async def fail(self: RaydocsClient, session_id: str) -> None:
        raise RaydocsError("it is not there", session_id=session_id)

    monkeypatch.setattr(RaydocsClient, "get_session", fail)
    await demo.main()
    assert "it is not there" in capsys.readouterr().out
