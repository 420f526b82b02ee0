"""Faults as values, and the plan that tells whom they hit."""

import math
from collections import Counter
from collections.abc import Callable

import pytest
from attrs.exceptions import FrozenInstanceError

from raydocs_async.sandbox import Chaos, Fault
from raydocs_async.sandbox._faults import Plan

ERROR = Fault.status(500)


def drawn(plan: Plan, n: int = 1000) -> list[Fault | None]:
    """Return the faults of `n` requests for one session."""
    return [plan.take("some-id", "/path") for _ in range(n)]


def test_values() -> None:
    """Faults are frozen values: equal when made alike, and fit for a set."""
    made_twice = {Fault.cut(), Fault.cut(), Fault.status(503, retry_after=2)}
    assert made_twice == {Fault.cut(), Fault.status(503, retry_after="2")}
    with pytest.raises(FrozenInstanceError):
        ERROR.code = 200  # type: ignore[misc]


@pytest.mark.parametrize("code", [199, 1000, 0, -1])
def test_bad_status(code: int) -> None:
    """A status that cannot be a final one is refused."""
    with pytest.raises(ValueError, match="final status"):
        Fault.status(code)


@pytest.mark.parametrize(
    ("body", "sent"),
    [(None, None), (b"\xff", b"\xff"), ("é", "é".encode()), ({"message": [1]}, b'{"message":[1]}')],
)
def test_status_body(body: bytes | str | dict[str, object] | None, sent: bytes | None) -> None:
    """A body may be bytes, text, or a mapping for JSON."""
    assert Fault.status(500, body=body).payload == sent


@pytest.mark.parametrize("retry_after", [0, "30", "Wed, 21 Oct 2026 07:28:00 GMT", "nan", ""])
def test_retry_after(retry_after: str | int) -> None:
    """`Retry-After` is sent as it was given, beside the other headers."""
    fault = Fault.status(503, retry_after=retry_after, headers={"Server": "gateway"})
    assert dict(fault.headers) == {"Server": "gateway", "Retry-After": str(retry_after)}


@pytest.mark.parametrize("fault", [Fault.maintenance, Fault.gateway])
def test_retry_after_before_the_application(fault: Callable[..., Fault]) -> None:
    """Maintenance and the gateway may say when to come back, too."""
    assert fault(retry_after=2).headers == (("Retry-After", "2"),)
    assert fault().headers == ()


def test_gateway() -> None:
    """A gateway that cannot reach the application answers 502, and not as maintenance does."""
    assert Fault.gateway().code == 502
    assert Fault.maintenance().code == 503
    assert Fault.maintenance() != Fault.gateway(503)


@pytest.mark.parametrize("code", [200, 399, 600])
def test_bad_gateway_status(code: int) -> None:
    """A gateway of its own answers with errors alone."""
    with pytest.raises(ValueError, match="gateway"):
        Fault.gateway(code)


def test_body() -> None:
    """A body of one's own comes with 200, and as JSON unless it is said otherwise."""
    fault = Fault.body(b"<html>", content_type="text/html")
    assert (fault.code, fault.payload) == (200, b"<html>")
    assert fault.headers == (("Content-Type", "text/html"),)
    assert Fault.body(b"").headers == (("Content-Type", "application/json"),)


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf])
def test_bad_latency(seconds: float) -> None:
    """A latency is a length of time."""
    with pytest.raises(ValueError, match="seconds"):
        Fault.latency(seconds)


@pytest.mark.parametrize(
    ("fault", "is_counted", "has_rate_limit"),
    [
        (Fault.status(500), True, True),
        (Fault.status(404), True, True),
        (Fault.status(504), True, True),
        (Fault.status(503), True, True),
        (Fault.status(502), True, True),
        (Fault.maintenance(), False, False),
        (Fault.gateway(), False, False),
        (Fault.gateway(429), False, False),
        (Fault.gateway(503), False, False),
        (Fault.gateway(504), True, False),
        (Fault.gateway(504, counted=False), False, False),
        (Fault.gateway(502, counted=True), True, False),
        (Fault.status(429), False, False),
        (Fault.status(401), False, False),
        (Fault.body(b""), True, True),
        (Fault.cut(), True, True),
        (Fault.reset(), True, True),
        (Fault.stall(), True, True),
        (Fault.latency(1), True, True),
    ],
)
def test_cost(fault: Fault, is_counted: bool, has_rate_limit: bool) -> None:
    """What does not reach the application is free, and only the application tells the limit."""
    assert (fault.is_counted, fault.has_rate_limit) == (is_counted, has_rate_limit)


def test_no_plan() -> None:
    """Without a plan nothing goes wrong."""
    assert set(drawn(Plan())) == {None}


def test_script() -> None:
    """Scripted faults hit the next requests in order, and then it is over."""
    plan = Plan()
    plan.script([ERROR, Fault.cut()])
    plan.script([Fault.reset()])
    assert drawn(plan, 5) == [ERROR, Fault.cut(), Fault.reset(), None, None]


def test_script_for() -> None:
    """A session's own faults hit its requests alone, in any letter case, before the others."""
    plan = Plan()
    plan.script([ERROR])
    plan.script_for("Some-Id", [Fault.cut(), Fault.stall()])
    asked = ["some-id", "other", "SOME-ID", "some-id"]
    assert [plan.take(id_, "/path") for id_ in asked] == [Fault.cut(), ERROR, Fault.stall(), None]


def test_script_for_a_path() -> None:
    """The faults of a path hit its requests alone, before those of its id."""
    plan = Plan()
    plan.script_for("Some-Id", [Fault.cut()])
    plan.script_for("/Files/some-id", [Fault.stall()])
    asked = ["/other/some-id", "/files/SOME-ID", "/files/some-id"]
    assert [plan.take("some-id", path) for path in asked] == [Fault.cut(), Fault.stall(), None]


def test_script_goes_before_chaos() -> None:
    """A script is followed even where chance would decide otherwise."""
    plan = Plan(Chaos(1, (ERROR,)))
    plan.script([Fault.cut()])
    assert drawn(plan, 3) == [Fault.cut(), ERROR, ERROR]


def test_chaos_is_repeatable() -> None:
    """The same seed gives the same run, another one another."""
    faults = (ERROR, Fault.cut())
    first, again, other = (drawn(Plan(Chaos(0.5, faults, seed))) for seed in (1, 1, 2))
    assert first == again != other


def test_chaos_rate() -> None:
    """About the given share of requests is hit, by each fault about equally often."""
    counts = Counter(drawn(Plan(Chaos(0.2, (ERROR, Fault.cut())))))
    assert 150 < 1000 - counts[None] < 250
    assert 60 < counts[ERROR] < 140


@pytest.mark.parametrize(("rate", "hit"), [(0, None), (1, ERROR)])
def test_chaos_extremes(rate: float, hit: Fault | None) -> None:
    """A rate of 0 hits nothing, and one of 1 everything."""
    assert set(drawn(Plan(Chaos(rate, (ERROR,))))) == {hit}


@pytest.mark.parametrize("rate", [-0.1, 1.1, math.nan])
def test_bad_rate(rate: float) -> None:
    """A rate is a share."""
    with pytest.raises(ValueError, match="rate"):
        Chaos(rate, (ERROR,))


def test_chaos_needs_faults() -> None:
    """There must be something to choose from."""
    with pytest.raises(ValueError, match="faults"):
        Chaos(0.5, ())


def test_chaos_takes_any_iterable() -> None:
    """A list of faults is as good, and the value is hashable all the same."""
    assert hash(Chaos(0.5, [ERROR])) == hash(Chaos(0.5, (ERROR,)))
