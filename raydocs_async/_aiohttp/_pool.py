"""Connections: the addresses that they may lead to, and the pool that keeps them."""

import asyncio
import socket
from typing import Any
from weakref import WeakKeyDictionary, ref

import aiohttp
from aiohttp.abc import ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from attrs import define, field

from raydocs_async._aiohttp._failures import ExposureError
from raydocs_async._base_url import REMEDY, is_local_name, is_loopback


class LoopbackResolver(aiohttp.ThreadedResolver):
    """Looks names up; ``localhost`` and names below it must lead to this machine.

    Plain http is allowed to these names alone, and ``foo.localhost`` does not guarantee it. The
    connector connects to the checked addresses and to no others, so a second look-up cannot lead it
    elsewhere. Other names are those of storages, by https.
    """

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Look `host` up.

        Raises:
            ExposureError: a local name has an address that is not on loopback.
        """
        found = await super().resolve(host, port, family)
        for each in found:
            if is_local_name(host) and not is_loopback(each["host"]):
                raise ExposureError(
                    f"base_url is plain http, and {host} leads to {each['host']}, which is not a "
                    f"loopback address; {REMEDY}"
                )
        return found


class Connector(aiohttp.TCPConnector):
    """A connector that can close its idle connections, and leave those in use open."""

    def __init__(self, limit: int, resolver: LoopbackResolver | None = None) -> None:
        super().__init__(limit=limit, resolver=resolver)
        self._latest = WeakKeyDictionary[ResponseHandler, ref[Connection]]()

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:
        """Return a connection, which has no protocol any more when aiohttp releases it."""
        connection = await super().connect(*args, **kwargs)
        assert connection.protocol is not None
        self._latest[connection.protocol] = ref(connection)
        return connection

    def close_idle(self) -> None:
        """Close the idle connections."""
        for protocol, latest in list(self._latest.items()):
            connection = latest()
            if connection is None or connection.protocol is None:
                protocol.close()


@define(eq=False)
class Pool:
    """An aiohttp session, and the tasks that use it."""

    session: aiohttp.ClientSession = field(repr=False)
    users: set[asyncio.Task[Any]] = field(factory=set, repr=False)
    """Tasks instead of a count, because an interrupt can end a task without any clean-up."""

    @property
    def is_unused(self) -> bool:
        """True if no exchange is in flight."""
        return all(task.done() for task in self.users)
