"""Faults that a sandbox can inject, and the plan that assigns them to requests."""

import math
import random
from collections import deque
from collections.abc import Iterable, Mapping
from enum import Enum, auto

import msgspec
from attrs import field, frozen
from attrs.validators import ge, le, min_len

from raydocs_async.sandbox._replies import JSON

REFUSALS = frozenset({401, 429})
"""The statuses of requests that the framework refuses before they reach the application."""


class Kind(Enum):
    """The effect of a fault on a request."""

    REPLY = auto()
    CUT = auto()
    RESET = auto()
    STALL = auto()
    LATENCY = auto()


class Origin(Enum):
    """The part of the server that answers a request."""

    APPLICATION = auto()
    MAINTENANCE = auto()
    GATEWAY = auto()


@frozen
class Fault:
    """One failure of one request. Make it with one of the constructors.

    The throttle counts each request that reaches the application, whatever its reply, and each
    reply of the application has the rate-limit headers. A 401 and a 429 are refusals and cost no
    hit. Maintenance, and a gateway that cannot reach the application, cost no hit and send no
    rate-limit headers.
    """

    kind: Kind
    code: int = 200
    payload: bytes | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0
    origin: Origin = Origin.APPLICATION
    is_counted: bool = True
    """True if the throttle counts the request that the fault hits."""

    @classmethod
    def status(
        cls,
        code: int,
        *,
        retry_after: str | int | None = None,
        body: bytes | str | Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> "Fault":
        """Let the application answer with another status.

        The request costs a hit, and the reply has the rate-limit headers. The exceptions are 401
        and 429, which are refusals. See `maintenance` and `gateway` for a 502, 503 or 504 that
        does not come from the application.

        Args:
            code: The status, from 200 to 999. 200 without a `body` sends the right resource, for a
                right body under wrong `headers`.
            retry_after: The ``Retry-After`` header, sent unchanged: seconds, an HTTP date, or
                nonsense. ``None`` sends no such header.
            body: The body; a mapping is sent as JSON. ``None`` sends the server's own body for
                `code`.
            headers: Headers to add, or to send in place of the sandbox's own.

        Raises:
            ValueError: `code` is out of its range.
        """
        if not 200 <= code <= 999:
            raise ValueError(f"a final status is from 200 to 999, not {code!r}")
        return cls(
            Kind.REPLY,
            code,
            _encoded(body),
            _added(headers, retry_after),
            is_counted=code not in REFUSALS,
        )

    @classmethod
    def maintenance(cls, *, retry_after: str | int | None = None) -> "Fault":
        """Answer 503 as in maintenance (``artisan down``), before the throttle.

        It costs no hit, and has no rate-limit headers.

        Args:
            retry_after: The ``Retry-After`` header, as for `status`.
        """
        headers = _added(None, retry_after)
        return cls(Kind.REPLY, 503, headers=headers, origin=Origin.MAINTENANCE, is_counted=False)

    @classmethod
    def gateway(
        cls,
        code: int = 502,
        *,
        counted: bool | None = None,
        retry_after: str | int | None = None,
    ) -> "Fault":
        """Let the gateway in front of the application answer, in JSON, without rate-limit headers.

        Args:
            code: The status: 502 by default, for an application that cannot be reached.
            counted: True if the request reached the application and costs a hit. By default, a
                504 (a time-out) does, and the other statuses do not.
            retry_after: The ``Retry-After`` header, as for `status`.

        Raises:
            ValueError: `code` is not from 400 to 599.
        """
        if not 400 <= code <= 599:
            raise ValueError(f"a gateway's error is from 400 to 599, not {code!r}")
        return cls(
            Kind.REPLY,
            code,
            headers=_added(None, retry_after),
            origin=Origin.GATEWAY,
            is_counted=code == 504 if counted is None else counted,
        )

    @classmethod
    def body(cls, content: bytes, *, content_type: str = JSON) -> "Fault":
        """Answer 200 with `content`, which may be anything, also invalid JSON."""
        return cls(Kind.REPLY, 200, content, (("Content-Type", content_type),))

    @classmethod
    def cut(cls) -> "Fault":
        """Announce the right body's whole length, send half of it, and close the connection."""
        return cls(Kind.CUT)

    @classmethod
    def reset(cls) -> "Fault":
        """Reset the connection (a TCP RST) before the first byte of a reply."""
        return cls(Kind.RESET)

    @classmethod
    def stall(cls) -> "Fault":
        """Send no reply until the client gives up or the sandbox closes."""
        return cls(Kind.STALL)

    @classmethod
    def latency(cls, seconds: float) -> "Fault":
        """Send the right reply, later by `seconds`.

        Raises:
            ValueError: `seconds` is negative or not finite.
        """
        if not 0 <= seconds < math.inf:
            raise ValueError(f"a latency is a number of seconds, not {seconds!r}")
        return cls(Kind.LATENCY, seconds=seconds)

    @property
    def has_rate_limit(self) -> bool:
        """True if its reply has the rate-limit headers."""
        return self.origin is Origin.APPLICATION and self.code not in REFUSALS


NO_FAULT = Fault.latency(0)
"""The fault of a request that none hits: with it, callers have no second case to handle."""


def _listed(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    return tuple(faults)


@frozen
class Chaos:
    """Random faults: the same ones in each run that sends its requests in the same order.

    Args:
        rate: The share of requests to hit, from 0 to 1.
        faults: The faults to choose from, each with the same probability.
        seed: The seed of the random choice; another seed gives other faults.

    Raises:
        ValueError: `rate` is out of its range, or `faults` is empty.
    """

    rate: float = field(validator=[ge(0), le(1)])
    faults: tuple[Fault, ...] = field(converter=_listed, validator=min_len(1))
    seed: int = 0


class Plan:
    """The faults to come: those for one id go first, then the script, then chance."""

    def __init__(self, chaos: Chaos | None = None) -> None:
        self._chaos = chaos
        # Its own generator: a test that seeds or uses the global one must not change the faults.
        self._random = random.Random(chaos.seed if chaos else 0)
        self._script: deque[Fault] = deque()
        self._scripts: dict[str, deque[Fault]] = {}

    def script(self, faults: Iterable[Fault]) -> None:
        """Append `faults` to the script: they hit the next requests, one each."""
        self._script.extend(faults)

    def script_for(self, target: str, faults: Iterable[Fault]) -> None:
        """Append `faults` to the script of one id or path, in any letter case."""
        self._scripts.setdefault(target.lower(), deque()).extend(faults)

    def clear(self) -> None:
        """Drop the scripted faults that have not been taken."""
        self._script.clear()
        self._scripts.clear()

    def take(self, resource_id: str, path: str) -> Fault | None:
        """Remove and return the fault for a request for `resource_id` at `path`, if one is due."""
        for target in (path, resource_id) if self._scripts else ():
            if own := self._scripts.get(target.lower()):
                return own.popleft()
        if self._script:
            return self._script.popleft()
        # A request that the script hits draws no random number, so a script shifts random faults
        # to later requests, but it never changes their order.
        if self._chaos is None or self._random.random() >= self._chaos.rate:
            return None
        return self._random.choice(self._chaos.faults)


def _added(
    headers: Mapping[str, str] | None, retry_after: str | int | None
) -> tuple[tuple[str, str], ...]:
    extra = dict(headers or {})
    if retry_after is not None:
        extra["Retry-After"] = str(retry_after)
    return tuple(extra.items())


def _encoded(body: bytes | str | Mapping[str, object] | None) -> bytes | None:
    match body:
        case None | bytes():
            return body
        case str():
            return body.encode()
    return msgspec.json.encode(body)
