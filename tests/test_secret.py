"""Secrets: they stay hidden, whoever shows them."""

import copy
import pickle
import re
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from raydocs_async._secret import HiddenBytes, Secret

TOKEN = "tok-5ecr3t-0123456789"


@pytest.mark.parametrize(
    "show",
    [
        repr,
        ascii,
        lambda token: f"{token!r}",
        lambda token: str([token]),
        lambda token: str({"Authorization": token}),
        lambda token: "%r" % token,  # noqa: UP031  (one of the ways)
        lambda token: repr(ValueError(token)),
    ],
    ids=["repr", "ascii", "f-string", "list", "dict", "percent", "exception"],
)
def test_secret_is_hidden(show: Callable[[object], str]) -> None:
    """S2: whatever shows a value by its ``repr`` does not show a secret."""
    assert TOKEN not in show(Secret(TOKEN))


def test_secret_in_captured_locals() -> None:
    """S3: a traceback with captured locals does not show a secret."""

    def fail(token: Secret) -> None:
        raise KeyError(len(token))

    with pytest.raises(KeyError) as caught:
        fail(Secret(TOKEN))
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert TOKEN not in str(report.stack[-1].locals)


@pytest.mark.parametrize(
    "send",
    [str, format, str.encode, lambda token: f"Bearer {token}", lambda token: "Bearer " + token],
    ids=["str", "format", "encode", "f-string", "concatenation"],
)
def test_secret_is_sent(send: Callable[[str], Any]) -> None:
    """A secret is sent as the string it is."""
    assert send(Secret(TOKEN)) == send(TOKEN)


def test_secret_is_a_string() -> None:
    """A secret is accepted, and compares, wherever a string does."""
    assert (Secret(TOKEN), hash(Secret(TOKEN))) == (TOKEN, hash(TOKEN))


REFUSAL = r"^a secret cannot be pickled or copied into another process$"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_secret_does_not_pickle(protocol: int) -> None:
    """S2: a secret cannot be pickled, and the refusal, with its notes, does not show it."""
    with pytest.raises(TypeError) as refused:  # since 3.14 it has a note, which `match` reads
        pickle.dumps({"token": Secret(TOKEN)}, protocol)
    assert re.match(REFUSAL, str(refused.value))
    assert TOKEN not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_secret_does_not_copy(duplicate: Callable[[object], object]) -> None:
    """Nor can a secret be copied, which would go by the same way."""
    with pytest.raises(TypeError, match=REFUSAL):
        duplicate(Secret(TOKEN))


def test_secret_takes_no_attributes() -> None:
    """There is no dictionary on a secret."""
    assert not hasattr(Secret(TOKEN), "__dict__")


def test_hidden_bytes() -> None:
    """A document's bytes are the same bytes, and show their length alone."""
    hidden = HiddenBytes(b"confidential")
    assert (hidden, f"{hidden!r}") == (b"confidential", "<12 bytes>")
