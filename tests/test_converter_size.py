"""Large bodies: the memory that an error keeps, and the time that many results take."""

import cProfile
import tracemalloc

from raydocs_async import Session
from raydocs_async._converter import decode
from raydocs_async.errors import PAYLOAD_LIMIT
from tests.strategies import REFERENCE, encoded, many_results, varied
from tests.support.sessions import SESSION, problem, refusal


def test_a_large_body_is_cut() -> None:
    """Of a large body the error keeps the documented number of bytes, and the size."""
    body = varied(SESSION, {"name": "x" * 2 * PAYLOAD_LIMIT, "size": 1, "id": 1})
    error = refusal(body)
    assert (error.payload, error.payload_size, error.truncated) == (
        body[:PAYLOAD_LIMIT],
        len(body),
        False,
    )


def test_many_large_bodies() -> None:
    """A hundred and fifty refused bodies of a megabyte each take less than 40 MiB."""
    body = b"[" + b" " * 10**6 + b"]"
    tracemalloc.start()
    try:
        errors = [refusal(body) for _ in range(150)]
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(errors), taken < 40 * 2**20) == (150, True)


def calls_to_decode(body: bytes) -> int:
    """Return the number of function calls that decoding a body takes."""
    profile = cProfile.Profile()
    profile.runcall(decode, body, Session)
    return sum(entry.callcount for entry in profile.getstats())


def test_many_results_are_linear() -> None:
    """M10: ten times the results, up to 10 000, cost ten times the work."""
    decode(REFERENCE, Session)
    few, many = (calls_to_decode(encoded(many_results(count))) for count in (1000, 10_000))
    assert 9 < many / few < 11


def test_bad_result_at_the_end() -> None:
    """M10: a problem in the last one of 10 000 results is found and named."""
    payload = many_results(10_000)
    payload["results"][-1]["id"] = "x"
    assert problem(encoded(payload)) == "$.results[9999].id is a string, not a UUID"


def test_many_bad_results() -> None:
    """M10: with 10 000 bad results, the message names three of them."""
    payload = many_results(10_000)
    for result in payload["results"]:
        result["title"] = 1
    places = [f"$.results[{index}].title is an integer, not a string" for index in range(3)]
    assert problem(encoded(payload)) == "; ".join(places)
