"""A store that answers at once: its answers, and the claims that only look."""

from raydocs_async._limits._claim import Claim, Configuration, Grant
from raydocs_async._limits._store import StoreError
from tests.support.stores import MemoryStore

JOINS = Claim(owner="a", joins=Configuration(2, 60.0))


def answer(store: MemoryStore, claim: Claim) -> tuple[Claim, Grant | StoreError | None]:
    """Submit a claim, and return its answer, with the claim as it was settled."""
    answers: list[tuple[Claim, Grant | StoreError | None]] = []
    store.submit(claim, 0.0, lambda claim, answer, now: answers.append((claim, answer)))
    (found,) = answers
    return found


def test_the_answer_is_a_grant_or_an_error() -> None:
    """A store in memory answers at once, by the error that it raises."""
    _, error = answer(MemoryStore(failure="on fire"), Claim(owner="a"))
    assert str(error) == "on fire"


def test_a_look_that_finds_hits_is_settled_as_a_claim() -> None:
    """The answer to a look that grants hits names a claim that no longer looks."""
    store = MemoryStore()
    answer(store, JOINS)
    claim, grant = answer(store, Claim(owner="a", single=1, looks=True))
    assert isinstance(grant, Grant)
    assert grant.hits == 1
    assert claim == Claim(owner="a", single=1)
    assert store.transactions == 2


def test_a_look_that_finds_no_hit_changes_nothing() -> None:
    """The answer to a look that grants no hits names a claim that only looked."""
    store = MemoryStore()
    answer(store, JOINS)
    before, looks = store.data, Claim(owner="a", looks=True)
    claim, _ = answer(store, looks)
    assert claim == looks
    assert store.data == before
