"""Certificates of a throw-away authority, and of one that nobody trusts."""

import datetime
import ssl

import trustme

CA = trustme.CA()
OTHER_CA = trustme.CA()


def server_tls(ca: trustme.CA, host: str = "127.0.0.1", *, day: int = 0) -> ssl.SSLContext:
    """What a server for `host` needs to speak TLS; it is good for a day, `day` days from now."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    noon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=day)
    half = datetime.timedelta(days=0.5)
    ca.issue_cert(host, not_before=noon - half, not_after=noon + half).configure_cert(context)
    return context


GOOD_TLS = server_tls(CA)
TRUSTING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""What a client needs to trust `CA`, and nobody else."""
CA.configure_trust(TRUSTING)
