"""The hazards of networks, servers and gateways, as one table.

The name of a row begins with the id of its hazard; `hazards.toml` has the list of ids. Bodies with
document data hold `DATA`, and error replies quote the token, so that tests can look for both.
"""

import pytest
from attrs import evolve

from raydocs_async import (
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    UnprocessableEntityError,
)
from tests.support.clients import OTHER_ID, SESSION_ID, TOKEN
from tests.support.network import black_hole, refused
from tests.support.replies import CHUNKED, GZIP, bomb, chunk, gzipped, reply, session_json
from tests.support.tls import CA, GOOD_TLS, OTHER_CA, server_tls
from tests.support.wire import Drip, End, Endless, Raw, Step
from tests.support.worlds import Hazard

DATA = "Jane Doe, IBAN DE00"
"""Stands for data of a document, which must not get into messages."""
BODY = session_json(SESSION_ID, name=DATA)
GOOD = reply(BODY)
MESSAGE = b'{"message": "so it is, %s"}' % TOKEN.encode()


def rows(common: Hazard, cases: dict[str, tuple[Step, ...]]) -> dict[str, Hazard]:
    """Return a row for each of the `cases`, which differ from `common` by their answers alone."""
    return {name: evolve(common, answer=answer) for name, answer in cases.items()}


UNREACHED = Hazard(says="could not connect", retried=True)
LOST = Hazard(says="the connection was lost", retried=True)
TOO_LATE = Hazard(error=APITimeoutError, says="no complete answer in time", retried=True)
INVALID = Hazard(says="not valid HTTP", retried=True)
CUT = Hazard(says="cut short", retried=True)
TORN = Hazard(error=APIResponseValidationError, says="truncated", status=200, retried=True)
NO_SESSION = Hazard(error=APIResponseValidationError, says="the body is not", status=200)
TOO_LARGE = Hazard(says="larger than max_response_bytes")
DISTRUSTED = Hazard(says="certificate was not accepted")
ENCRYPTED_LOST, ENCRYPTED_CUT, ENCRYPTED_TORN = (
    evolve(each, tls=GOOD_TLS) for each in (LOST, CUT, TORN)
)


def says(common: Hazard, *words: str) -> Hazard:
    """Return `common` with more expressions for the error's message."""
    return evolve(common, says=".*".join((common.says, *words)))


NO_SUCH_NAME = OSError(-2, "Name or service not known")
REACHING = {
    "N1 refused": evolve(UNREACHED, elsewhere=refused),
    "N2 DNS fails": evolve(says(UNREACHED, "Name or service not known"), dns=(NO_SUCH_NAME,)),
    "N3 DNS hangs": evolve(TOO_LATE, dns=(End.HANG,)),
    "N4 black hole": evolve(TOO_LATE, elsewhere=black_hole),
    "N5 unknown authority": evolve(
        says(DISTRUSTED, "certificate verify failed"), tls=server_tls(OTHER_CA)
    ),
    "N5 wrong host": evolve(says(DISTRUSTED, "mismatch"), tls=server_tls(CA, "other.example")),
    "N5 expired": evolve(says(DISTRUSTED, "has expired"), tls=server_tls(CA, day=-3)),
    "N5 not yet valid": evolve(says(DISTRUSTED, "not yet valid"), tls=server_tls(CA, day=3)),
    **{
        f"N6 handshake {name}": evolve(TOO_LATE, tls=GOOD_TLS, greeting=greeting)
        for name, greeting in {
            "never begins": (End.HANG,),
            "stops half-way": (bytes.fromhex("160303007a0200"), End.HANG),
            "drips": (Drip(bytes.fromhex("1603034000") + bytes(99)), End.HANG),
        }.items()
    },
    **{
        f"N7 {name} in the handshake": evolve(UNREACHED, tls=GOOD_TLS, greeting=greeting)
        for name, greeting in {
            "FIN": (End.CLOSE,),
            "half-closed": (End.HALF,),
            "RST": (End.RESET,),
            "alert": (bytes.fromhex("15030300020228"), End.CLOSE),
            "plain HTTP": (GOOD, End.CLOSE),
        }.items()
    },
}
CONNECTIONS = {
    **rows(
        LOST,
        {
            "N8 FIN before any byte": (End.CLOSE,),
            "N8 half-closed": (End.HALF,),
            "N9 RST after the request": (End.RESET,),
            "N10 FIN after half the headers": (GOOD[:30], End.CLOSE),
            "N10 RST after half the headers": (GOOD[:30], End.RESET),
        },
    ),
    "N8 FIN at once": evolve(LOST, greeting=(End.CLOSE,)),
    "N9 RST at once": evolve(LOST, greeting=(End.RESET,)),
    **rows(
        ENCRYPTED_LOST,
        {
            "N8 TLS ends": (End.CLOSE,),
            "N8 TLS ends, TCP does not": (End.NOTICE,),
            "N8 TCP ends, TLS does not": (End.HALF,),
            "N9 RST on TLS": (End.RESET,),
            "N10 TLS ends after half the headers": (GOOD[:30], End.CLOSE),
            "N10 TCP ends after half the headers, TLS does not": (GOOD[:30], End.HALF),
            "N10 garbage in TLS": (GOOD[:30], Raw(b"GARBAGE GARBAGE")),
            "N10 a forged record in TLS": (GOOD, Raw(bytes.fromhex("1703030020") + bytes(32))),
        },
    ),
    **rows(
        TOO_LATE,
        {
            "N13 silent": (End.HANG,),
            "N13 silent at the last byte": (GOOD[:-1], End.HANG),
            "N14 drips headers": (Drip(GOOD, every=1),),
            "N15 drips the body": (GOOD[:-100], Drip(GOOD[-100:], every=1)),
        },
    ),
    "N13 silent on TLS": evolve(TOO_LATE, tls=GOOD_TLS, answer=(End.HANG,)),
    "N13 silent to the end of the call": evolve(
        TOO_LATE, says="no answer within 2 s", answer=(End.HANG,), timeout=2.0, retried=False
    ),
}
PROTOCOL = rows(
    INVALID,
    {
        "H1 garbage": (b"GARBAGE\r\n\r\n",),
        "H1 HTTP/0.9": (BODY, End.CLOSE),
        "H1 HTTP/3.0": (GOOD.replace(b"/1.1", b"/3.0"),),
        "H2 HTTP/2 frame": (bytes.fromhex("000012040000000000000300000064"),),
        "H3 TLS bytes": (bytes.fromhex("15030100020246"),),
        "H4 status 99": (reply(BODY, status="99 Odd"),),
        "H4 status 1000": (reply(BODY, status="1000 Odd"),),
        "H5 header of 8191 bytes": (reply(BODY, headers={"X-Long": "x" * 8191}),),
        "H6 200 headers": (reply(BODY, headers={f"X-{n}": "x" for n in range(200)}),),
        "H6 NUL in a header": (reply(BODY, headers={"X-Odd": "a\0b"}),),
        "H7 two lengths": (reply(BODY, headers={"content-length": "5"}),),
        "H7 negative length": (reply(BODY, headers={"Content-Length": "-1"}),),
        "H7 25 digits": (reply(BODY, headers={"Content-Length": "1" * 25}),),
        "H8 length and chunked": (reply(chunk(BODY), headers=CHUNKED),),
        "H9 chunk size": (reply(b"zz\r\n" + BODY, framed=False, headers=CHUNKED),),
        "H9 huge chunk size": (reply(b"f" * 18 + b"\r\n", framed=False, headers=CHUNKED),),
    },
)
STATUSES = {
    **{
        f"H10 status {status}": Hazard(
            answer=(answer,), error=APIStatusError, says=f"HTTP {status}", status=status
        )
        for status, answer in {
            101: b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            201: reply(BODY, status="201 Created"),
            204: b"HTTP/1.1 204 No Content\r\n\r\n",
            206: reply(BODY, status="206 Partial Content"),
            304: b"HTTP/1.1 304 Not Modified\r\n\r\n",
            405: reply(status="405 Method Not Allowed"),
            600: reply(BODY, status="600 Odd"),
            999: reply(BODY, status="999 Odd"),
        }.items()
    },
    "H11 status 302": Hazard(
        answer=(reply(status="302 Found", headers={"Location": "http://127.0.0.1:1/"}),),
        error=APIStatusError,
        says="HTTP 302, a redirect, which is not followed",
        status=302,
    ),
    **{
        f"H13 status {status}": Hazard(
            answer=(reply(MESSAGE, status=f"{status} Odd"),),
            error=error,
            says="so it is",
            status=status,
        )
        for status, error in {
            400: BadRequestError,
            401: AuthenticationError,
            403: PermissionDeniedError,
            404: NotFoundError,
            422: UnprocessableEntityError,
        }.items()
    },
    **{
        f"H14 status {status}": Hazard(
            answer=(reply(MESSAGE, status=f"{status} Odd"),),
            error=InternalServerError if status >= 500 else APIStatusError,
            says="so it is",
            status=status,
            retried=True,
        )
        for status in (408, 425, 500, 502, 503, 504)
    },
    "H15 status 503 for an hour": Hazard(
        answer=(reply(MESSAGE, status="503 Odd", headers={"Retry-After": "3600"}),),
        error=InternalServerError,
        says="retry after 3600 s",
        status=503,
    ),
    "R4 status 429 for a day": Hazard(
        answer=(reply(MESSAGE, status="429 Odd", headers={"Retry-After": "86400"}),),
        error=RateLimitError,
        says="retry after 86401 s",
        status=429,
    ),
    **rows(
        Hazard(error=InternalServerError, says="HTTP 500", status=500, retried=True),
        {
            "B9 endless 500": (
                reply(framed=False, status="500 Odd", headers=CHUNKED),
                Endless(chunk(b"x" * 4096)),
            ),
            "B9 500 of bad gzip": (reply(b"x" * 64, status="500 Odd", headers=GZIP),),
            "B9 500 of a gzip bomb": (reply(bomb(64), status="500 Odd", headers=GZIP),),
            "B21 message of a list": (reply(b'{"message": ["so"]}', status="500 Odd"),),
            "B21 message of a number": (reply(b'{"message": 7}', status="500 Odd"),),
        },
    ),
    "B9 429 of 10 MB": Hazard(
        answer=(reply(bytes(10**7), status="429 Odd", headers={"Retry-After": "999"}),),
        error=RateLimitError,
        says="retry after 1000 s",
        status=429,
    ),
    "B9 404 cut by a RST": Hazard(
        answer=(reply(b"x" * 64, status="404 Odd", headers={"Content-Length": "999"}), End.RESET),
        error=NotFoundError,
        says="HTTP 404",
        status=404,
    ),
    "B21 message of 60 kB": Hazard(
        answer=(reply(b'{"message": "%s"}' % (b"x" * 60_000), status="404 Odd"),),
        error=NotFoundError,
        says=r"HTTP 404 Not Found: x{199}…",
        status=404,
    ),
}
BODIES = {
    **rows(
        CUT,
        {
            "B1 cut length": (GOOD[:-20], End.CLOSE),
            "B1 cut by a RST": (GOOD[:-20], End.RESET),
            "B2 cut chunks": (
                reply(chunk(BODY)[:-20], framed=False, headers=CHUNKED),
                End.CLOSE,
            ),
            "B4 no gzip at all": (reply(b"x" * 64, headers=GZIP),),
        },
    ),
    **rows(
        ENCRYPTED_CUT,
        {
            "B1 cut as TLS ends": (GOOD[:-20], End.CLOSE),
            "B1 cut as TLS ends, TCP does not": (GOOD[:-20], End.NOTICE),
            "B1 cut as TCP ends, TLS does not": (GOOD[:-20], End.HALF),
        },
    ),
    **rows(
        TORN,
        {
            "B3 close-delimited, cut": (reply(BODY[:-20], framed=False), End.CLOSE),
            "B4 gzip cut at its length": (reply(gzipped(BODY)[:-30], headers=GZIP),),
            "B10 empty": (reply(),),
        },
    ),
    "B3 close-delimited, cut as TCP ends, TLS does not": evolve(
        ENCRYPTED_TORN, answer=(reply(BODY[:-20], framed=False), End.HALF)
    ),
    **{
        name: evolve(says(NO_SESSION, words), answer=(reply(body),))
        for name, words, body in (
            ("B11 null", "null", b"null"),
            ("B11 list", "array", f'["{DATA}"]'.encode()),
            ("B11 string", "string", f'"{DATA}"'.encode()),
            ("B11 number", "integer", b"7"),
            ("B12 HTML", "JSON", f"<html><form>{DATA}</form></html>".encode()),
            ("B14 NaN", "JSON", BODY.replace(b"{}", b'{"a": NaN}')),
            ("B15 5000 digits", "JSON", BODY.replace(b"{}", b'{"a": %s}' % (b"7" * 5000))),
            ("B17 100 000 deep", "JSON", b"[" * 100_000 + DATA.encode()),
            ("B19 UTF-16", "JSON", BODY.decode().encode("utf-16")),
            ("B19 latin-1", "UTF-8", BODY.replace(b"Jane", b"J\xe4ne")),
            ("M2 no results", "results is missing", BODY.replace(b'"results"', b'"result"')),
            ("M6 null for a string", r"\$\.id is null", session_json(None, name=DATA)),
            ("M7 3.7 for a string", "name is a number", session_json(SESSION_ID, name=3.7, a=DATA)),
        )
    },
    **rows(
        TOO_LARGE,
        {
            "B6 gzip bomb": (reply(bomb(512), headers=GZIP),),
            "B7 endless chunks": (
                reply(framed=False, headers=CHUNKED),
                Endless(chunk(DATA.encode() * 400)),
            ),
            "B8 length of 10 GB": (
                reply(headers={"Content-Length": str(10 * 2**30)}),
                End.HANG,
            ),
        },
    ),
    "M11 another session": Hazard(
        answer=(reply(session_json(OTHER_ID, name=DATA)),), says="another session", retried=True
    ),
}
HAZARDS = REACHING | CONNECTIONS | PROTOCOL | STATUSES | BODIES


PASSING = {
    name: hazard for name, hazard in HAZARDS.items() if hazard.retried and hazard.elsewhere is None
}
"""The hazards after which a later attempt can succeed."""


def cases(hazards: dict[str, Hazard]) -> pytest.MarkDecorator:
    """Run a test with each of the `hazards`."""
    return pytest.mark.parametrize("hazard", hazards.values(), ids=hazards)
