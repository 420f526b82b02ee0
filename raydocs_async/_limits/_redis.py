"""A shared record in a key of a Redis server, for processes on any number of machines.

One script reads the key, and replaces its value if nobody else has done so since this process read
it. So the decisions are those of `_ledger` here, too, and Redis knows nothing of them. If another
process was faster, its value is the script's answer, and the claim is settled anew on that.

Times in the record are those of the server's clock, which each answer of the script names.
"""

import asyncio
import secrets
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from attrs import define, evolve
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from raydocs_async._limits._address import RedisAddress
from raydocs_async._limits._claim import Claim, Grant
from raydocs_async._limits._clocks import Offset, shift_claim, shift_grant
from raydocs_async._limits._ledger import transact
from raydocs_async._limits._record import Record, Stamped, decode, encode
from raydocs_async._limits._store import Answer, Store, StoreError

TIMEOUT: Final = 0.5
"""Seconds after which a claim without an answer has failed."""
SLOW: Final = 0.075
"""Seconds; a server that takes longer for a round trip makes each window wait too often."""
SLOW_TRIPS: Final = 8
"""Consecutive slow round trips after which the server counts as slow; some may be due to this
process, on a busy machine."""
FIRST_TRIPS: Final = 3
"""The same, before the server is relied on."""
LIFETIME: Final = 24 * 3600
"""Seconds for which the server keeps a record that nobody uses."""

_MAGIC: Final = b"raydocs limit 1\n"
_TOKEN: Final = 16
"""Bytes after the magic ones that are new with each write."""
_HEAD: Final = len(_MAGIC) + _TOKEN
_NO_VALUE: Final = b"?"
"""Is the beginning of no value, so that the script reads only."""

# TIME before SET: servers before Redis 5, which replicate scripts as they are, refuse this.
SCRIPT: Final = f"""
local time = redis.call('TIME')
local found = redis.call('GET', KEYS[1]) or ''
if string.sub(found, 1, {_HEAD}) ~= ARGV[1] then
    return {{time[1], time[2], found}}
end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return {{time[1], time[2]}}
"""

_Result = tuple[Claim, Grant | StoreError]


class _Script(Protocol):
    async def __call__(self, *, keys: list[str], args: list[bytes | int]) -> list[bytes]: ...


@define
class _Connection:
    """A connection of one event loop, and what the server has said by it."""

    loop: asyncio.AbstractEventLoop
    client: Redis
    script: _Script
    known: bytes = _NO_VALUE
    """The value that the key probably has."""
    slow: int = 0
    """Consecutive slow round trips."""

    @classmethod
    def to(cls, address: RedisAddress) -> "_Connection":
        """Return a connection, which is opened when it is used."""
        client = Redis.from_url(
            address.url,
            single_connection_client=True,
            protocol=2,
            retry=Retry(NoBackoff(), 0),  # a claim is not repeated, but made anew
            socket_timeout=None,  # `TIMEOUT` is for all of a claim
            socket_connect_timeout=None,
        )
        return cls(asyncio.get_running_loop(), client, client.register_script(SCRIPT))


class RedisStore(Store):
    """A store in a key of a Redis server, over one connection.

    Args:
        address: The server and the key.
        wake: Called after each answer.
    """

    looks_every = 0.02

    def __init__(self, address: RedisAddress, wake: Callable[[], None]) -> None:
        self.name = f"the key {address.key} of {address.place}"
        self._address, self._wake = address, wake
        self._key = f"raydocs-async:{{{address.key}}}:limit"
        self._offset = Offset()
        self._task: asyncio.Task[_Result] | None = None
        self._connection: _Connection | None = None

    @property
    def pending(self) -> bool:  # type: ignore[override]  # a protocol's attribute
        """True while the answer to a claim is on its way in an open event loop."""
        task = self._task
        return task is not None and not task.done() and not task.get_loop().is_closed()

    def submit(self, claim: Claim, now: float, answer: Answer) -> None:
        """Settle a claim in a task of its own; see `Store`."""
        self._task = asyncio.get_running_loop().create_task(self._settle(claim))
        self._task.add_done_callback(partial(self._deliver, answer))
        # A callback of its own, so that it runs after an interrupt of the first one, too.
        self._task.add_done_callback(lambda task: None if task.cancelled() else self._wake())

    async def wait(self) -> None:
        """Wait for the answer on its way; it may lead to another claim."""
        while self._task is not None and self.pending:
            await asyncio.wait([self._task])

    async def close(self) -> None:
        """Wait for the answer on its way, and close the connection."""
        await self.wait()
        connection, self._connection = self._connection, None
        if connection is not None and connection.loop is asyncio.get_running_loop():
            await connection.client.aclose()

    def _deliver(self, answer: Answer, task: asyncio.Task[_Result]) -> None:
        if not task.cancelled() and task.exception() is None:
            answer(*task.result(), task.get_loop().time())

    async def _settle(self, claim: Claim) -> _Result:
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._compare_and_set(claim, self._connect())
        except TimeoutError:
            reason = f"no answer within {TIMEOUT} seconds"
        # Options in the URL can make the library raise anything; the headers are there in any case.
        except Exception as error:
            reason = str(error)
        return claim, StoreError(f"{self._address.place}: {reason}")

    def _connect(self) -> _Connection:
        connection = self._connection
        if connection is None or connection.loop is not asyncio.get_running_loop():
            self._connection = connection = _Connection.to(self._address)
        return connection

    async def _compare_and_set(self, claim: Claim, connection: _Connection) -> _Result:
        """Settle a claim on the value that is known here, then on that of the server."""
        found, connection.known = connection.known, _NO_VALUE
        if claim.joins is not None:
            await self._open(connection)
        if claim.looks or found == _NO_VALUE:
            found = await self._run(connection) or b""
        while True:
            if connection.slow >= (FIRST_TRIPS if claim.joins else SLOW_TRIPS):
                raise StoreError(f"it takes longer than {SLOW * 1000:g} ms to answer")
            by = self._offset.seconds or 0.0
            now = connection.loop.time() + by
            record, grant = transact(_parse(found, now), shift_claim(claim, by), now)
            grant = shift_grant(grant, -by)
            if claim.looks and not grant.hits:
                return claim, grant
            claim = evolve(claim, looks=False)
            value = _value(record, now)
            other = await self._run(connection, found[:_HEAD], value)
            if other is None:
                connection.known = value
                return claim, grant
            found = other

    async def _open(self, connection: _Connection) -> None:
        """Open the connection, and find out whether the server is slow before it is relied on."""
        await self._run(connection)
        connection.slow = 0  # opening a connection takes longer than using it
        for _ in range(FIRST_TRIPS - 1):
            await self._run(connection)
            if not connection.slow:
                break

    async def _run(
        self, connection: _Connection, expected: bytes = _NO_VALUE, value: bytes = b""
    ) -> bytes | None:
        """Write a value if the present one begins as expected; else return the present one."""
        sent_at = connection.loop.time()
        reply = await connection.script(keys=[self._key], args=[expected, value, LIFETIME])
        received_at = connection.loop.time()
        connection.slow = connection.slow + 1 if received_at - sent_at > SLOW else 0
        seconds, micros, *found = reply
        self._offset.learn(sent_at, received_at, int(seconds) + int(micros) / 1e6)
        return found[0] if found else None


def _value(record: Record, now: float) -> bytes:
    stamped = Stamped(clock="server", at=now, wall=now, record=record)
    return _MAGIC + secrets.token_bytes(_TOKEN) + encode(stamped)


def _parse(value: bytes, now: float) -> Record | None:
    """Return the record in a value; ``None`` for none, or one of before the clock was set back.

    Raises:
        ValueError: the value is something else.
        MsgspecError: the same.
    """
    if not value:
        return None
    if not value.startswith(_MAGIC):
        raise ValueError("the key holds something else than a shared rate limit of this version")
    stored = decode(value[_HEAD:])
    return stored.record if stored.agrees("server", now, now) else None
