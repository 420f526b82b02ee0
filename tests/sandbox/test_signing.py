"""Signed URLs of files."""

from datetime import datetime
from urllib.parse import urlsplit

import pytest

from raydocs_async.sandbox._signing import Signer

NOW = 1_700_000_000.5
ODD, EVEN = "770e8400-e29b-81d4-a716-446655440001", "770e8400-e29b-81d4-a716-446655440002"
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
    url = SIGNER.sign("http://127.0.0.1:80", ODD, NOW)["url"]
    assert url.startswith(f"http://127.0.0.1:80/files/{ODD}?X-Amz-Algorithm=AWS4-HMAC-SHA256&")
    assert "&X-Amz-Signature=" in url


def test_valid_for_ten_minutes() -> None:
    """A URL is valid from its signing to the last moment of ten minutes."""
    assert [code(query(), now=NOW + after) for after in (0, 599)] == ["", ""]


def test_expired() -> None:
    """After ten minutes, access is denied."""
    error = SIGNER.check("GET", ODD, query(), NOW + 600)
    assert error == ("AccessDenied", "Request has expired")


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
    assert code(changed) == "SignatureDoesNotMatch"


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
    assert code(unsigned) == "AccessDenied"
