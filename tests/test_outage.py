"""Outage or bad id: what proves that the service works, and when nothing gets through."""

from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from raydocs_async._outage import FAILURES, IDS_IN_DOUBT, LONGEST_PAUSE, Health

A, B, C, D = map(UUID, ["0" * 31 + figure for figure in "abcd"])


def health_after(*failures: UUID, good: UUID | None = None) -> Health[UUID]:
    """The health after failures, one a second from 1 on, of a job in which `good` got through."""
    health = Health[UUID]()
    if good is not None:
        health.record_answer(good, 0.0, found=True)
    for sent_at, session_id in enumerate(failures, 1):
        health.record_failure(session_id, sent_at, sent_at + 0.5)
    return health


def test_a_new_job_knows_nothing() -> None:
    """Before the first reply there is neither an outage nor a doubt."""
    health = Health[UUID]()
    assert (health.down, health.in_doubt, health.proves(0.0)) == (False, False, False)


def test_an_answer_proves_that_the_service_worked_after_older_attempts() -> None:
    """An answer proves what was sent before its request, and not what was sent with it."""
    health = Health[UUID]()
    health.record_answer(A, 5.0, found=True)
    assert [health.proves(sent_at) for sent_at in (4.9, 5.0, 5.1)] == [True, False, False]


def test_an_older_answer_takes_no_proof_back() -> None:
    """Answers come in any order; the newest request counts."""
    health = Health[UUID]()
    health.record_answer(A, 5.0, found=True)
    health.record_answer(B, 3.0, found=True)
    assert health.proven_at == 5.0


@pytest.mark.parametrize(
    ("failures", "down"),
    [
        pytest.param([A, B, A, B], False, id="too few"),
        pytest.param([A, B, A, B, A], True, id="two ids"),
        pytest.param([A] * 5, False, id="one id"),
        pytest.param([A] * 60, False, id="one id, for long"),
    ],
)
def test_an_outage_is_failures_in_a_row_of_more_than_one_id(
    failures: list[UUID], down: bool
) -> None:
    """An id that fails alone is no outage, however often."""
    assert health_after(*failures, good=D).down is down


@pytest.mark.parametrize(
    ("failures", "down"),
    [([A, B, C] * 10, False), ([A, B, C, D], False), ([A, B, C, D, A], True)],
    ids=["three ids", "too few", "four ids"],
)
def test_at_first_an_outage_takes_more_ids(failures: list[UUID], down: bool) -> None:
    """While nothing has got through, three bad ids are no outage, but a doubt."""
    health = health_after(*failures)
    assert (health.down, health.in_doubt) == (down, True)


def test_with_a_known_good_id_there_is_no_doubt() -> None:
    """A probe can tell."""
    assert not health_after(A, good=D).in_doubt


def test_a_long_retry_after_stands_for_all_attempts() -> None:
    """R4: an id that is not asked for again soon counts at once; another one is needed still."""
    health = health_after(good=D)
    health.record_failure(A, 1.0, 1.0, final=True)
    alone = health.down
    health.record_failure(D, 2.0, 2.0)
    assert (alone, health.down) == (False, True)


def test_the_outage_began_when_it_showed() -> None:
    """Later failures do not change that."""
    assert health_after(A, B, A, B, A, B, good=D).since == 5.5


def test_an_answer_ends_an_outage() -> None:
    """Anything that gets through after all failures ends it, and the pauses begin anew."""
    health = health_after(A, B, A, B, A, good=D)
    health.record_pause(0.0)
    health.record_answer(C, 6.0, found=False)
    assert (health.down, health.next_pause(None, 0.0, 300.0)) == (False, 1.0)


def test_an_answer_to_an_old_request_ends_no_outage() -> None:
    """A slow reply to what was sent before says nothing of the time since."""
    health = health_after(A, B, A, B, A, good=D)
    health.record_answer(C, 0.5, found=True)
    assert health.down


def test_failures_that_an_answer_overtook_do_not_count() -> None:
    """A failure that arrives late, of an attempt that is older than the proof, is passed over."""
    health = health_after(A, B, A, B, good=D)
    health.record_answer(C, 4.5, found=True)
    health.record_failure(A, 4.4, 5.0)
    for sent_at, session_id in enumerate([A, B, A, B], 5):
        health.record_failure(session_id, sent_at, sent_at)
    assert not health.down


def test_failures_come_in_any_order() -> None:
    """An answer clears the failures that were sent before it, wherever they stand."""
    health = Health[UUID]()
    health.record_answer(D, 0.0, found=True)
    for session_id, sent_at in [(A, 5.0), (B, 1.0), (A, 6.0), (B, 2.0)]:
        health.record_failure(session_id, sent_at, 7.0)
    health.record_answer(D, 3.0, found=True)
    for session_id, sent_at in [(A, 7.0), (B, 8.0)]:
        health.record_failure(session_id, sent_at, 9.0)
    assert not health.down
    health.record_failure(B, 9.0, 9.0)
    assert health.down


def test_the_known_good_id_is_a_session_if_possible() -> None:
    """A probe is as much work for the service as what failed; a 404 is better than nothing."""
    health, seen = Health[UUID](), []
    for session_id, found in [(A, False), (B, False), (C, True), (D, False), (A, True)]:
        health.record_answer(session_id, 0.0, found=found)
        seen.append(health.known_good)
    assert seen == [A, B, C, C, A]


def test_the_next_attempt_of_an_outage() -> None:
    """In a pause, the time until its end is known; before it, after it and after an outage, not."""
    health = health_after(A, B, A, B, A, good=D)
    before = health.next_attempt_in(6.0)
    health.record_pause(10.0)
    pausing, over = health.next_attempt_in(7.0), health.next_attempt_in(10.0)
    health.record_answer(C, 8.0, found=True)
    assert (before, pausing, over, health.next_attempt_in(9.0)) == (None, 3.0, None, None)


def test_pauses_grow_to_a_bound() -> None:
    """The first pause is a second, each is twice the one before, none is longer than the bound."""
    health, pauses = Health[UUID](), []
    for _ in range(2000):
        pauses.append(health.next_pause(None, 0.0, 300.0))
        health.record_pause(0.0)
    assert pauses[:8] == [1, 2, 4, 8, 16, 30, 30, 30]
    assert pauses[-1] == LONGEST_PAUSE


@pytest.mark.parametrize(("after", "pause"), [(0.5, 1.0), (0.0, 1.0), (45.0, 45.0)])
def test_a_pause_is_as_long_as_the_server_asks(after: float, pause: float) -> None:
    """A Retry-After that is longer than the pause is waited for."""
    assert Health[UUID]().next_pause(after, 0.0, 300.0) == pause


@pytest.mark.parametrize(
    ("now", "pause"), [(5.5, 1.0), (104.5, 1.0), (105.0, 0.5), (105.44, 0.06), (105.46, None)]
)
def test_the_last_attempt_is_at_the_end_of_max_wait(now: float, pause: float | None) -> None:
    """The pause is cut to the rest of `max_wait`, and what is left after it is no attempt."""
    health = health_after(A, B, A, B, A, good=D)
    assert health.since == 5.5
    assert health.next_pause(None, now, 100.0) == pytest.approx(pause)


def test_the_shortest_rest_of_max_wait() -> None:
    """A twentieth of a second is worth an attempt; with no outage all of `max_wait` is left."""
    assert health_after(A, B, A, B, A, good=D).next_pause(None, 5.5, 0.05) == 0.05
    assert Health[UUID]().next_pause(None, 0.0, 1.0) == 1.0


@pytest.mark.parametrize(("after", "pause"), [(60.0, 60.0), (60.1, None)])
def test_a_retry_after_past_the_end(after: float, pause: float | None) -> None:
    """A Retry-After past the end of `max_wait` is the end at once."""
    health = health_after(A, B, A, B, A, good=D)
    assert health.next_pause(after, 45.5, 100.0) == pause


def test_how_long_it_is_down() -> None:
    """An outage counts from the failure that made it one."""
    assert health_after(A, B, A, B, A, good=D).down_for(8.0) == 2.5
    assert Health[UUID]().down_for(8.0) is None


@given(
    st.lists(
        st.tuples(st.sampled_from([A, B, C, D]), st.integers(0, 20), st.sampled_from("afq")),
        max_size=200,
    )
)
@example([(each, 1, "f") for each in (A, B, C, D, A)])
def test_the_health_follows_from_what_was_seen(events: list[tuple[UUID, int, str]]) -> None:
    """It is down only with enough failures after the newest proof; a question changes nothing."""
    health, proven, failures = Health[UUID](), -1, list[tuple[int, UUID]]()
    for now, (session_id, sent_at, kind) in enumerate(events):
        if kind == "a":
            health.record_answer(session_id, sent_at, found=True)
            proven = max(proven, sent_at)
        else:
            health.record_failure(session_id, sent_at, now)
            failures.append((sent_at, session_id))
        newer = [failure for failure in failures if failure[0] >= proven]
        enough = 2 if proven >= 0 else IDS_IN_DOUBT
        if health.down:
            assert len(newer) >= FAILURES
            assert len({session_id for _, session_id in newer}) >= enough
        before = repr(health)
        health.next_pause(1.0, 2.0, 3.0), health.down_for(4.0), health.proves(4.0)
        assert repr(health) == before


def test_a_proof_covers_what_was_sent_at_its_moment() -> None:
    """A failure of a request that was sent together with an answered one ends no patience."""
    health = Health[UUID]()
    for session_id in (A, B, A, B, A, C, D):
        health.record_failure(session_id, 5.0, 6.0)
    assert health.down
    health.record_answer(A, 5.0, found=True)
    assert not health.down


def test_failures_of_hours_take_no_more_room() -> None:
    """A long outage keeps its last failures alone."""
    assert len(health_after(*[A, B] * 1000)._failures) == 64
    health = health_after(*[A, B] * 1000)
    health.record_answer(A, 1950.0, found=True)
    assert len(health._failures) == 50
    for sent_at in range(3000, 3200):
        health.record_failure(B, sent_at, sent_at)
    assert len(health._failures) == 64
