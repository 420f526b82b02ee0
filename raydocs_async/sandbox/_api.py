"""The handle that tests hold, whichever way the requests come."""

from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from itertools import count
from typing import Any

import msgspec

from raydocs_async.sandbox._catalog import Catalog
from raydocs_async.sandbox._faults import Chaos, Fault, Plan
from raydocs_async.sandbox._replies import Reply
from raydocs_async.sandbox._service import Service
from raydocs_async.sandbox._stats import Stats
from raydocs_async.sandbox._throttle import Throttle


class Api:
    """The service's sessions, throttle and faults, and what it saw; not yet a way to reach it."""

    def __init__(
        self,
        throttle: Throttle,
        *,
        sessions: int | None,
        latency: float,
        chaos: Chaos | None,
        token: str,
    ) -> None:
        self.throttle = throttle
        """The throttle; its ``limit`` and its ``workers`` may be changed at any time."""
        self.latency = latency
        """Seconds that each accepted request takes from now on; they count before its headers."""
        self.stats = Stats()
        """What it saw so far, in numbers."""
        self._catalog = Catalog(sessions)
        self._plan = Plan(chaos)
        self._service = Service(
            throttle, self._catalog, self._plan, self.stats, token, f"{token}-forbidden"
        )
        self._request_ids = count(1)

    @property
    def token(self) -> str:
        """The bearer token that it accepts."""
        return self._service.token

    @property
    def forbidden_token(self) -> str:
        """A token that is known but lacks the ability to read sessions, and so gets a 403."""
        return self._service.forbidden_token

    def ids(self, n: int) -> list[str]:
        """The ids of `n` sessions that exist, the same ones each time.

        Raises:
            ValueError: There are fewer.
        """
        return self._catalog.ids(n)

    def session(self, session_id: str) -> dict[str, Any]:
        """A fresh copy of the session that it serves under this id.

        Raises:
            KeyError: There is none.
        """
        body = self._catalog.body(session_id)
        if body is None:
            raise KeyError(session_id)
        return msgspec.json.decode(body, type=dict[str, Any])

    def put(self, session: Mapping[str, Any]) -> None:
        """Serve a session of your own under its ``id``, in place of what was there.

        It is copied: a later change to `session` has no effect.

        Raises:
            ValueError: `session` has no ``id`` that is a string.
        """
        self._catalog.put(session)

    def script(self, *faults: Fault) -> None:
        """Let `faults` hit the next accepted requests, one each and in this order."""
        self._plan.script(faults)

    def script_for(self, session_id: str, *faults: Fault) -> None:
        """Let `faults` hit the next accepted requests for one session, before any other fault."""
        self._plan.script_for(session_id, faults)

    def clear_script(self) -> None:
        """Forget the scripted faults that have not hit yet; random ones go on."""
        self._plan.clear()

    def _headers(self, reply: Reply, now: float) -> dict[str, str]:
        """Those that every reply has at `now`, in epoch seconds, and those of this one."""
        return {
            "Date": _http_date(int(now)),
            "X-Request-Id": f"sandbox-{next(self._request_ids)}",
            **reply.headers,
        }


@lru_cache(1)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)
