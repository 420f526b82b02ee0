"""Signed URLs of files."""

import re
import time
from datetime import datetime
from urllib.parse import urlsplit

import pytest

from raydocs_async.sandbox._signing import Signer

NOW = 1_700_000_000.5
ODD, EVEN = "770e8400-e29b-81d4-a716-44665544000b", "770e8400-e29b-81d4-a716-44665544000c"
SIGNER = Signer(b"key")


def query(document_id: str = ODD) -> str:
    """The query of a URL that was signed at `NOW`."""
    return urlsplit(SIGNER.sign("http://x", document_id, NOW)["url"]).query


def code(query: str, *, method: str = "GET", document_id: str = ODD, now: float = NOW) -> str:
    """The code of the storage's error, empty for a valid URL."""
    error = SIGNER.check(method, document_id, query, now)
    return error[0] if error else ""


def test_url() -> None:
    """A signed URL leads to the document's file."""
    url, _, signature = SIGNER.sign("http://127.0.0.1:80", ODD, NOW)["url"].rpartition("=")
    assert url == (
        f"http://127.0.0.1:80/files/{ODD}?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Date=20231114T221320Z&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Signature"
    )
    assert re.fullmatch("[0-9a-f]{64}", signature)


def test_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's time zone does not matter."""
    expected = SIGNER.sign("", ODD, NOW)
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "XYZ-5")
        time.tzset()
        assert SIGNER.sign("", ODD, NOW) == expected
        assert code(query()) == ""
        assert code(query(), now=NOW + 600) == "AccessDenied"
    time.tzset()


def test_valid_for_ten_minutes() -> None:
    """A URL is valid from its signing to the last moment of ten minutes."""
    assert [code(query(), now=NOW + after) for after in (0, 599)] == ["", ""]


def test_expired() -> None:
    """After ten minutes, access is denied."""
    error = SIGNER.check("GET", ODD, query(), NOW + 600)
    assert error == ("AccessDenied", "Request has expired")
    assert code(query(), now=1_700_000_600.0) == "AccessDenied"


def test_expires_at() -> None:
    """Some answers say when the URL expires, and others do not."""
    with_time, without = (SIGNER.sign("", each, NOW) for each in (ODD, EVEN))
    assert datetime.fromisoformat(with_time["expires_at"]).timestamp() == 1_700_000_600
    assert "expires_at" not in without


@pytest.mark.parametrize(
    "changed",
    [
        query().replace("Expires=600", "Expires=6000"),
        query().replace("X-Amz-Date=2023", "X-Amz-Date=2033"),
        query()[:-1] + "é",
        query() + "&more=1",
    ],
)
def test_changed(changed: str) -> None:
    """The signature is one of the whole query."""
    message = (
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method."
    )
    assert SIGNER.check("GET", ODD, changed, NOW) == ("SignatureDoesNotMatch", message)


def test_another_document() -> None:
    """The signature is one of the document."""
    assert code(query(), document_id=EVEN) == "SignatureDoesNotMatch"


@pytest.mark.parametrize("method", ["HEAD", "PUT"])
def test_another_method(method: str) -> None:
    """The signature is one of the method GET."""
    assert code(query(), method=method) == "SignatureDoesNotMatch"


def test_another_key() -> None:
    """The signature is one of the secret key."""
    assert Signer(b"other").check("GET", ODD, query(), NOW) is not None


@pytest.mark.parametrize("unsigned", ["", "X-Amz-Expires=600", "X-Amz-Signature="])
def test_unsigned(unsigned: str) -> None:
    """Without a signature, access is denied."""
    assert SIGNER.check("GET", ODD, unsigned, NOW) == ("AccessDenied", "Access Denied")
