"""Whatever a client sent and the log holds: an answer or a clear "could not tell", never a crash, never more than bounded work."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from latticewall.analyze.gate import Unclear
from latticewall.analyze.question import asked
from latticewall.analyze.record import read_record
from latticewall.analyze.signature import Diagnosis, SigningKey, claimed_key, diagnose
from latticewall.analyze.signing_mistakes import Surroundings
from latticewall.auth.canonical import Head
from latticewall.base.secret import Secret

BYTES = st.text(st.characters(max_codepoint=255), max_size=40)
DATES = st.sampled_from(("20260102T030405Z", "00010101T000000Z", "99991231T235959Z", "Mon, 23 Nov 2026 21:30:26 -0000", "2026-01-02T03:04:05Z", "soon", ""))
NAMES = st.sampled_from(("host", "x-amz-date", "date", "x-amz-content-sha256", "x-amz-security-token", "x-team", "cookie", "x-amz-region-set"))
OTHERS = ("x-amz-content-sha256", "x-amz-security-token", "x-team", "cookie", "x-amz-region-set")
SIGNED = st.lists(st.sampled_from(OTHERS), max_size=3, unique=True).map(lambda names: ";".join(sorted(("host", *names)))) | BYTES
ALGORITHMS = st.sampled_from(("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", "AWS4-OTHER"))
SCOPES = st.sampled_from(("20260102/us-west-2/vpc-lattice-svcs/aws4_request", "99991231/x/y/z", "20260102/vpc-lattice-svcs/aws4_request", "///", "a"))


@st.composite
def heads(draw: st.DrawFn) -> Head:
    """Heads that look signed, and are not."""
    signature = draw(st.one_of(st.just("0" * 32), st.just("f" * 64), BYTES))
    authorization = f"{draw(ALGORITHMS)} Credential=AKIA/{draw(SCOPES)}, SignedHeaders={draw(SIGNED)}, Signature={signature}"
    headers = [(":authority", draw(BYTES)), ("authorization", draw(st.one_of(st.just(authorization), BYTES))), ("x-amz-date", draw(DATES))]
    headers += draw(st.fixed_dictionaries(dict.fromkeys(OTHERS, BYTES), optional={"date": DATES})).items()
    headers += draw(st.lists(st.tuples(NAMES, BYTES), max_size=1))
    return Head(draw(st.sampled_from(("GET", "", "\xff"))), "/" + draw(BYTES), tuple(headers))


@settings(max_examples=150, deadline=None)
@given(heads())
def test_any_signed_head_is_taken_apart_or_not(head: Head) -> None:
    found = diagnose(head, "refused", SigningKey("AKIA", Secret("secret"), Secret("token")), (), Surroundings("us-west-2", 80, ("rates",)))
    assert isinstance(found, Diagnosis)
    assert json.dumps(found.document())
    assert found.signed is None, "nobody signed it"
    assert isinstance(claimed_key(head), str)


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner))
LAYERS = st.sampled_from(("Network", "Service", "Identity"))
MEMBERS = st.sampled_from(
    ("kind", "hostHeader", "requestPath", "requestMethod", "userAgent", "sourceIpPort", "authDetail", "responseCode", "responseCodeDetails", "serviceArn")
)
DETAILS = st.fixed_dictionaries({}, optional={"layer": LAYERS | JSON, "statement": JSON, "explicit": JSON, "refused": JSON, "head": JSON}).map(json.dumps)


@given(st.dictionaries(MEMBERS, st.text(max_size=20) | st.none()), st.one_of(DETAILS, st.text(max_size=30)), st.integers(0, 999) | st.none())
def test_any_line_is_read(entry: dict[str, Any], detail: str, status: int | None) -> None:
    record = read_record({**entry, "authDetail": detail, "responseCode": status}, {})
    assert record.denial is None or record.denial.layer in ("Network", "Service", "Identity", "Resource")


@given(st.text(max_size=12), st.text(max_size=60) | st.text(max_size=20).map("http://{}".format), st.lists(st.text(max_size=20), max_size=3))
def test_any_question_is_understood_or_refused(method: str, url: str, headers: list[str]) -> None:
    try:
        found = asked(method, url, headers)
    except Unclear:
        return
    assert found.host
    assert all("\n" not in value for _, value in found.headers)
