"""The canonical paths that signers in use make of one path on the wire."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from latticewall.auth.canonical import Head, canonical_request, encoded_uri, generic_uri, s3_uri, uris
from latticewall.auth.signature import parse_signature
from latticewall.auth.sigv4 import Credentials, derive_signing_key, sign, signature_matches, signature_value
from latticewall.base.secret import Secret


@pytest.mark.parametrize(
    ("path", "forms"),
    [
        ("/plain/path", ("/plain/path",)),
        ("/a%20b", ("/a%2520b", "/a%20b")),
        ("/a//c", ("/a/c", "/a//c")),
        ("/a%20b//c", ("/a%2520b/c", "/a%20b//c", "/a%2520b//c")),
    ],
)
def test_every_form_is_tried_once(path: str, forms: tuple[str, ...]) -> None:
    assert uris(path, strict_generic=False) == forms
    assert uris(path, strict_generic=True) == forms[:1]


@pytest.mark.parametrize("form", [generic_uri, s3_uri, encoded_uri])
def test_a_signature_for_any_form_is_accepted(form: object) -> None:
    """curl 8 signs the path encoded twice with its empty segments, curl 7 as it is, the SDKs normalised."""
    assert callable(form)
    credentials = Credentials("AKIDEXAMPLE", Secret("secret"))
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    path = "/a%20b//c"
    headers = sign("GET", f"http://svc.example.com{path}", {}, credentials, "vpc-lattice-svcs", "us-west-2", now, payload_hash="UNSIGNED-PAYLOAD")
    head = Head("GET", path, tuple(headers.items()))
    signature = parse_signature(head)
    key = derive_signing_key("secret", "20260102", "us-west-2", "vpc-lattice-svcs")
    text = canonical_request(head, form(path), signature.signed_headers, "UNSIGNED-PAYLOAD")
    value = signature_value(key, signature.stamp, signature.scope, text)
    resigned = tuple((name, given.replace(signature.value, value)) for name, given in headers.items())
    head = Head("GET", path, resigned)
    assert signature_matches(head, parse_signature(head), key, "UNSIGNED-PAYLOAD")
    changed = Head("GET", "/a%20b//d", resigned)
    assert not signature_matches(changed, parse_signature(changed), key, "UNSIGNED-PAYLOAD")
