"""The same requests to the framework and to the sandbox; every difference between them is an error.

    python bench/laravel/compare.py

It takes about two minutes. Requests go to both at the same moments, with each of the stores that
the framework can count in, and are compared by status, headers and body. The exit code is 1 if
there is a difference; on a machine so busy that a window ends too early, run it again.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from typing import Any

import aiohttp
import attrs
from framework import GATEWAY_TIMEOUT, STORES, Framework, framework

from raydocs_async.sandbox import Fault, Sandbox

LIMIT = 30
WINDOW = 10
TOLERANCE = 0.35
"""Seconds by which the end of a window may differ, as it is looked for by requests."""
VOLATILE = {
    "cache-control", "connection", "content-length", "date", "server", "transfer-encoding",
    "x-request-id",
}  # fmt: skip
"""Headers that are the servers' own, and that no client of the API reads."""
NEWER_WORDS = {"no route", "POST", "422"}
"""Requests whose message was changed after release 8; the sandbox has the newer one."""
OF_THE_GATEWAY = {"gateway 502", "gateway 504"}
"""Requests that a gateway answers: nginx's pages are not those of the service's gateway."""
PATH = "/extractions/sessions/"
JSON = {"Accept": "application/json"}
BROWSER = {"Accept": "*/*"}
GOOD = {**JSON, "Authorization": "Bearer sandbox-token"}
FORBIDDEN = {**JSON, "Authorization": "Bearer sandbox-token-forbidden"}
UNKNOWN = "dead0404-0d44-4b50-8888-8dd25736052a"

Answer = dict[str, object]
"""What is compared of a reply."""


@attrs.frozen
class Side:
    """One of the two servers, and what it has answered to each request."""

    url: str
    known: str
    http: aiohttp.ClientSession
    fault: Callable[[Fault, str], str]
    """Prepares a fault; returns the query by which the framework is asked for it."""
    answers: dict[str, Answer] = attrs.field(factory=dict)

    async def ask(
        self,
        name: str,
        target: str | None = None,
        headers: Mapping[str, str] = GOOD,
        *,
        method: str = "GET",
        query: str = "",
        http: aiohttp.ClientSession | None = None,
    ) -> Answer:
        """Send a request, and keep the answer under `name`."""
        path = PATH + self.known if target is None else target
        sent = time.time()
        async with (http or self.http).request(
            method, f"{self.url}{path}{query}", headers=headers, allow_redirects=False
        ) as reply:
            body = await reply.read()
        self.answers[name] = answer = dict(observed(name, reply, body, sent))
        return answer


def observed(
    name: str, reply: aiohttp.ClientResponse, body: bytes, sent: float
) -> Iterator[tuple[str, object]]:
    """What a client can see of a reply."""
    yield "status", reply.status
    headers = {key.lower(): value for key, value in reply.headers.items()}
    for key in headers.keys() - VOLATILE:
        yield (
            key,
            headers[key].partition("//")[2].partition("/")[2]
            if key == "location"
            else headers[key],
        )
    if "x-ratelimit-reset" in headers:  # the same moment by another name
        wait = int(headers["x-ratelimit-reset"]) - int(headers["retry-after"])
        yield "retry-after", "now" if wait - int(sent) in {0, 1} else f"{wait - sent} s off"
    if body and reply.content_type == "application/json" and reply.status != 200:
        yield "body", {**json.loads(body), **({"message": "…"} if name in NEWER_WORDS else {})}


def differences(store: str, ours: Side, theirs: Side) -> Iterator[str]:
    """A line for each thing that the framework does and the sandbox does not, or the other way."""
    for name, real in theirs.answers.items():
        mine = ours.answers[name]
        keys = {"status", "x-ratelimit-limit", "x-ratelimit-remaining"}
        for key in sorted(keys if name in OF_THE_GATEWAY else {*real, *mine}):
            if real.get(key) != mine.get(key):
                yield f"{store}: {name}: {key}: {real.get(key)!r}, sandbox {mine.get(key)!r}"


async def every_reply(side: Side, other_peer: aiohttp.ClientSession) -> None:
    """Each kind of reply once, and some of them again with no hit left."""
    browser = {**GOOD, **BROWSER}
    await side.ask("no token", headers=JSON)
    await side.ask("wrong token", headers={**JSON, "Authorization": "Bearer wrong"})
    await side.ask("no token, browser", headers=BROWSER)
    await side.ask("OPTIONS, no token", headers=JSON, method="OPTIONS")
    await side.ask("first")
    await side.ask("HEAD", method="HEAD")
    await side.ask("another address", http=other_peer)
    await side.ask("unknown", PATH + UNKNOWN)
    await side.ask("unknown, browser", PATH + UNKNOWN, browser)
    await side.ask("no UUID", PATH + "nonsense")
    await side.ask("upper case", PATH + side.known.upper())
    await side.ask("trailing slash", PATH + side.known + "/")
    await side.ask("query", query="?include=results")
    await side.ask("no route", "/nope")
    await side.ask("POST", method="POST")
    await side.ask("OPTIONS", method="OPTIONS")
    await side.ask("browser", headers=browser)
    await side.ask("vendor's JSON", headers={**GOOD, "Accept": "application/vnd.api+json"})
    await side.ask("forbidden", headers=FORBIDDEN)
    for status in (422, 500, 503):
        fault = Fault.status(status, retry_after=7 if status == 503 else None)
        await side.ask(str(status), query=side.fault(fault, f"fail={status}"))
    await side.ask("last")


async def no_hit_left(side: Side, other_peer: aiohttp.ClientSession) -> None:
    """What is refused, and what is answered all the same."""
    for _ in range(LIMIT):
        await side.ask("the window's rest")
    await side.ask("refused")
    await side.ask("refused HEAD", method="HEAD")
    await side.ask("refused, browser", headers={**GOOD, **BROWSER})
    await side.ask("refused, no token", headers=JSON)
    await side.ask("refused, OPTIONS", method="OPTIONS")
    await side.ask("refused, unknown", PATH + UNKNOWN)
    await side.ask("refused, another address", http=other_peer)


async def outlasts(side: Side) -> None:
    """A request whose window is over before its handler is."""
    await side.ask("opens a window")
    await asyncio.sleep(WINDOW - 1.5)
    await side.ask("outlasts it", query=side.fault(Fault.latency(2), "sleep=2"))


async def window_end(side: Side, phase: float) -> float:
    """Use a window up from its start in a phase of the second; return how long it lasted."""
    await asyncio.sleep((phase - time.time()) % 1)
    opened = time.time()
    waits: list[object] = []
    async with side.http.get(f"{side.url}{PATH}{side.known}", headers=GOOD):
        pass
    name = f"opened at {phase}"
    while True:
        async with side.http.get(f"{side.url}{PATH}{side.known}", headers=GOOD) as reply:
            if reply.status != 429 and waits:
                break
            if reply.status == 429 and reply.headers["Retry-After"] not in waits:
                waits.append(reply.headers["Retry-After"])
        await asyncio.sleep(0.03 if waits else 0)
    ended = time.time()
    left = [reply.headers["X-RateLimit-Remaining"]]
    await asyncio.sleep(1.1)
    later = await side.ask(f"{name}, after its end")
    side.answers[f"{name}, its end"] = {"Retry-After": waits[-3:], "Remaining": left}
    assert later["status"] == 200
    return ended - opened


async def both(ours: Side, theirs: Side, step: Callable[[Side], Awaitable[Any]]) -> tuple[Any, Any]:
    """Do the same on both sides at the same time, with new windows."""
    await asyncio.sleep(WINDOW + 1.2)
    return await asyncio.gather(step(theirs), step(ours))


async def compare(store: str, real: Framework) -> list[str]:
    """Everything, with one store."""
    found: list[str] = []
    elsewhere = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
    async with (
        Sandbox(LIMIT, WINDOW, store=store) as api,  # type: ignore[arg-type]
        aiohttp.ClientSession() as http,
        aiohttp.ClientSession(connector=elsewhere) as other_peer,
    ):
        (known,) = api.ids(1)

        def script(fault: Fault, query: str) -> str:
            api.script(fault)
            return ""

        ours = Side(api.url, known, http, script)
        theirs = Side(real.url(store), known, http, lambda fault, query: f"?{query}")
        await both(ours, theirs, lambda side: every_reply(side, other_peer))
        await both(ours, theirs, lambda side: no_hit_left(side, other_peer))
        await both(ours, theirs, outlasts)
        for phase in (0.3, 0.6, 0.85):
            lasted = await both(ours, theirs, partial(window_end, phase=phase))
            if abs(lasted[0] - lasted[1]) > TOLERANCE:
                found.append(
                    f"{store}: window from {phase}: {lasted[0]:.2f} s, sandbox {lasted[1]:.2f} s"
                )
        found += differences(store, ours, theirs)
    return found


async def gateway(real: Framework) -> list[str]:
    """What costs a hit where the application is not reached, or not in time."""
    store = STORES[0]
    async with Sandbox(LIMIT, WINDOW) as api, aiohttp.ClientSession() as http:
        (known,) = api.ids(1)
        ours = Side(api.url, known, http, lambda fault, query: "")
        theirs = Side(real.url(store), known, http, lambda fault, query: "")
        sides = (theirs, ours)

        async def ask(name: str, query: str = "") -> None:
            await asyncio.gather(theirs.ask(name, query=query), ours.ask(name))

        await asyncio.sleep(WINDOW + 1.2)
        await ask("before")
        real.go_down(7)
        api.script(Fault.maintenance(retry_after=7), Fault.maintenance(retry_after=7))
        await ask("maintenance")
        for side in sides:
            await side.ask("maintenance, browser", headers={**GOOD, **BROWSER})
        real.come_up()
        real.stop_php()
        api.script(Fault.gateway(502))
        await ask("gateway 502")
        real.start_php()
        await ask("after the 502")
        api.script(Fault.gateway(504))
        await ask("gateway 504", query=f"?sleep={GATEWAY_TIMEOUT + 0.5}")
        await ask("after the 504")
        return list(differences("gateway", ours, theirs))


async def main() -> int:
    """Compare, print the differences, and return how it went."""
    with framework(LIMIT, WINDOW) as real:
        found = await asyncio.gather(*(compare(store, real) for store in STORES))
        lines = [line for lines in (*found, await gateway(real)) for line in lines]
    print(*lines, sep="\n")
    print(f"{len(lines)} differences between the framework and the sandbox ({', '.join(STORES)})")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
