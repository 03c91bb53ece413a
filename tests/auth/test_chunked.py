"""Chunked bodies of S3's clients, with the values of AWS's own example ("Transferring Payload in Multiple Chunks")."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latticewall.auth.chunked import check_chunks, decode
from latticewall.auth.sigv4 import derive_signing_key
from latticewall.base.faults import Denied, Fault, Invalid

SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
SIGNATURES = (
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
)
KEY = derive_signing_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524", "us-east-1", "s3")
STAMP, SCOPE = "20130524T000000Z", "20130524/us-east-1/s3/aws4_request"
BODY = b"".join(
    f"{size:x};chunk-signature={signature}\r\n".encode() + b"a" * size + b"\r\n" for size, signature in zip((65536, 1024, 0), SIGNATURES, strict=True)
)


def test_aws_own_example() -> None:
    body = decode(BODY)
    assert body.payload == b"a" * 66560
    check_chunks(body, KEY, STAMP, SCOPE, SEED, trailer=False)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_chunk_that_was_changed(at: int) -> None:
    body = decode(BODY)
    chunks = list(body.chunks)
    chunks[at] = replace(chunks[at], data=chunks[at].data + b"!")
    with pytest.raises(Denied):
        check_chunks(replace(body, chunks=tuple(chunks)), KEY, STAMP, SCOPE, SEED, trailer=False)


def test_a_missing_trailer_signature() -> None:
    with pytest.raises(Denied):
        check_chunks(decode(BODY), KEY, STAMP, SCOPE, SEED, trailer=True)


def test_trailers_follow_the_last_chunk() -> None:
    body = decode(b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n")
    assert (body.payload, body.trailers) == (b"abc", {"x-amz-checksum-crc32": "NSRBwg=="})


@pytest.mark.parametrize("body", [b"", b"abc", b"5\r\nabc\r\n0\r\n\r\n", b"3\r\nabcX0\r\n\r\n", b"3\r\nabc\r\n", b"-1\r\n\r\n", b"0\r\nnocolon\r\n"])
def test_a_broken_coding_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        decode(body)


@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_or_refused(body: bytes) -> None:
    try:
        decode(body)
    except Fault as fault:
        assert fault.code in ("InvalidRequest", "IncompleteBody")  # noqa: PT017 - a refusal is one of two right answers
