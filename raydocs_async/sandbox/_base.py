"""The part of a sandbox that does not depend on how requests reach it."""

from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from itertools import count
from typing import Any

import msgspec

from raydocs_async.sandbox._application import Application
from raydocs_async.sandbox._catalog import Catalog
from raydocs_async.sandbox._faults import Chaos, Fault, Plan
from raydocs_async.sandbox._replies import Reply
from raydocs_async.sandbox._stats import Stats
from raydocs_async.sandbox._throttle import Throttle


class BaseSandbox:
    """The sessions, throttle, faults and counters of a sandbox, without a way to reach them."""

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
        """Seconds that each accepted request takes from now on; they pass before its headers are
        made."""
        self.stats = Stats()
        """Counters of the requests so far."""
        self._catalog = Catalog(sessions)
        self._plan = Plan(chaos)
        self._application = Application(
            throttle, self._catalog, self._plan, self.stats, token, f"{token}-forbidden"
        )
        self._request_ids = count(1)

    @property
    def token(self) -> str:
        """The bearer token that the sandbox accepts."""
        return self._application.token

    @property
    def forbidden_token(self) -> str:
        """A valid token without the ability to read sessions; its requests get a 403."""
        return self._application.forbidden_token

    def ids(self, n: int) -> list[str]:
        """Return the ids of `n` existing sessions, the same ones each time.

        Raises:
            ValueError: Fewer than `n` sessions exist.
        """
        return self._catalog.ids(n)

    def session(self, session_id: str) -> dict[str, Any]:
        """Return a fresh copy of the session that the sandbox serves under this id.

        Raises:
            KeyError: No session has this id.
        """
        body = self._catalog.session(session_id)
        if body is None:
            raise KeyError(session_id)
        return msgspec.json.decode(body, type=dict[str, Any])

    def put(self, session: Mapping[str, Any]) -> None:
        """Serve a session of your own under its ``id``, in place of any session with that id.

        The sandbox keeps a copy: a later change to `session` has no effect.

        Raises:
            ValueError: `session` has no ``id`` that is a string.
        """
        self._catalog.put(session)

    def script(self, *faults: Fault) -> None:
        """Let `faults` hit the next accepted requests, one each and in this order."""
        self._plan.script(faults)

    def script_for(self, resource_id: str, *faults: Fault) -> None:
        """Let `faults` hit the next accepted requests for one id, before any other fault.

        Args:
            resource_id: The id in the requests' path, in any letter case.
            faults: The faults, one for each request and in this order.
        """
        self._plan.script_for(resource_id, faults)

    def clear_script(self) -> None:
        """Drop the scripted faults that have not hit yet; random faults continue."""
        self._plan.clear()

    def _headers(self, reply: Reply, now: float) -> dict[str, str]:
        """Return the headers of `reply`, and those that every reply has at `now`."""
        return {
            "Date": _http_date(int(now)),
            "X-Request-Id": f"sandbox-{next(self._request_ids)}",
            **reply.headers,
        }


# A busy server sends hundreds of replies a second, and `formatdate` is slow.
@lru_cache(1)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)
