"""Signed URLs of files, as an S3 storage checks them.

Source: "Authenticating requests: using query parameters (AWS Signature Version 4)", in the Amazon
S3 API reference. The names are those of AWS, the signature itself is simpler.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from attrs import field, frozen

FILES = "/files/"
"""The path of all files, before the document's id."""

_LIFETIME = 600
"""Seconds that a signed URL is valid."""

_DATE = "%Y%m%dT%H%M%SZ"


@frozen
class Signer:
    """Makes and checks signed URLs, with the secret `key`."""

    key: bytes = field(repr=False)

    def sign(self, base_url: str, document_id: str, now: float) -> dict[str, str]:
        """Return the API's answer with a URL that leads to a document's file for ten minutes.

        Args:
            base_url: The URL of the server.
            document_id: The id of the document.
            now: The time, in seconds since the epoch.
        """
        # The date has whole seconds, so a URL expires up to a second before ten minutes are over.
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Date": f"{datetime.fromtimestamp(now, UTC):{_DATE}}",
            "X-Amz-Expires": str(_LIFETIME),
            "X-Amz-SignedHeaders": "host",
        }
        query["X-Amz-Signature"] = self._signature("GET", document_id, query)
        answer = {"url": f"{base_url}{FILES}{document_id}?{urlencode(query)}"}
        # The API sends this field sometimes. Here the id decides, so that clients meet both cases.
        if UUID(document_id).int % 2:
            expires_at = datetime.fromtimestamp(int(now) + _LIFETIME, UTC)
            answer["expires_at"] = f"{expires_at:%Y-%m-%dT%H:%M:%S}.000000Z"
        return answer

    def check(
        self, method: str, document_id: str, query: str, now: float
    ) -> tuple[str, str] | None:
        """Return the storage's code and message for an invalid URL, ``None`` for a valid one.

        Args:
            method: The request's method; a URL is signed for GET alone.
            document_id: The document's id in the URL.
            query: The URL's query.
            now: The time, in seconds since the epoch.
        """
        values = dict(parse_qsl(query))
        signature = values.pop("X-Amz-Signature", None)
        if signature is None:
            return "AccessDenied", "Access Denied"
        expected = self._signature(method, document_id, values)
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            return "SignatureDoesNotMatch", (
                "The request signature we calculated does not match the signature you provided. "
                "Check your key and signing method."
            )
        # Only a URL that was signed here gets to this line, so the other values are well-formed.
        signed_at = datetime.strptime(values["X-Amz-Date"], _DATE).replace(tzinfo=UTC)
        if now >= signed_at.timestamp() + int(values["X-Amz-Expires"]):
            return "AccessDenied", "Request has expired"
        return None

    def _signature(self, method: str, document_id: str, query: Mapping[str, str]) -> str:
        text = f"{method}\n{document_id}\n{urlencode(sorted(query.items()))}"
        return hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()
