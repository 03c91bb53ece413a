"""Requests for the signature verifiers, drawn at random: signed in every form, then damaged as clients, proxies and attackers damage them.

The same seed gives the same requests. All of it is fast enough for a million in a few minutes (`sigv4_fuzz.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from sigv4_machine import KeyFacts, utc

from latticewall.auth.canonical import Head, canonical_request, digest, encode, encoded_uri, generic_uri, s3_uri
from latticewall.auth.sigv4 import derive_signing_key, signature_value
from latticewall.auth.sigv4a import derive_ecdsa_key

NOW = utc("20260102T000200Z")
"""Two minutes after midnight, so that honest requests of two days are about."""
REGION, SERVICE = "us-west-2", "vpc-lattice-svcs"
TOKEN = "IQoJb3JpZ2luX2VjE" + "Ab1/+x9Q" * 40 + "=="
DAYS = ("20260101", "20260102")
_DIGEST = hashlib.sha256(TOKEN.encode()).hexdigest()
KEYS = (
    KeyFacts("ASIASESSION000000001", "c2Vzc2lvbg", _DIGEST, NOW + timedelta(hours=1), DAYS),
    KeyFacts("AKIALONGTERM00000002", "bG9uZ3Rlcm0", days=DAYS),
    KeyFacts("ASIAEXPIRED000000003", "ZXhwaXJlZA", _DIGEST, NOW, DAYS),
    KeyFacts("AKIAONEDAY0000000004", "b25lIGRheQ", days=DAYS[1:], asymmetric=False),
    KeyFacts("ASIAOTHERTOKEN000005", "b3RoZXI", hashlib.sha256(b"another token").hexdigest(), None, DAYS),
)
UNKNOWN = KeyFacts("AKIAUNKNOWN000000006", "dW5rbm93bg", days=DAYS)
BY_ID = {key.id: key for key in KEYS}
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "PROPFIND", "M-SEARCH")
PATHS = (
    *("/", "/goodbye", "/orders/17/lines", "/a%20b", "/a//b/", "//", "/api.parking/GetRates", "/.well-known/x", "/p$(x)'", "/caf%C3%A9", "/x~y"),
    "/caf\xc3\xa9",
    *("", "*", "/a%2Fb", "/%E1%88%B4/%zz", "/a/../b", "/.", "/...", "/..%2f", "/a;b=c", "/a+b", "/\xff\xfe", "/a\x00b", "/a b", "/x/%2e%2E/y"),
)
QUERIES = (
    *("", "", "", "a=1", "a=1&b=2", "b=2&a=1", "a", "a&b=", "a=%20x", "a=+", "a=b=c", "%61=1", "x=%zz", "x=%", "&&a=1&&", "a=1&a=0", "a-b=1&a=2", "a=1&a=1"),
    *("q=caf%C3%A9&lang=fr", "q=\xe9", "t=2026-01-02T00%3A02%3A00Z", "z=1&y=2&x=3&w=4", "X-Amz-Date=1", "x-amz-algorithm=2", "=1&=0", "a=%7E~&A=%2f"),
)
VALUES = ("", "text/plain", "a  b", " padded ", "a\tb", 'x "y   z"', "caf\xe9", "1,2", "a\x0bb", "UNSIGNED-PAYLOAD", "-" * 300)
NAMES = ("content-type", "x-trace", "x-amz-meta", "accept", "cookie", "x-amzn-trace-id", "user-agent", "x-amz-cf-id", "a", "zz-top")


@dataclass
class Draft:
    """A request being made. signed: names of headers beside those that always are. Of what is None or "", the opposite form is used."""

    key: KeyFacts
    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    stamp: str
    uri: Callable[[str], str] = generic_uri
    asymmetric: bool = False
    presigned: bool = False
    region: str = REGION
    service: str = SERVICE
    token: str = ""
    payload: str = "UNSIGNED-PAYLOAD"
    region_set: str = REGION
    expires: str = "600"
    host: str = "host"
    authority: str = "svc-0a.7d67968.vpc-lattice-svcs.us-west-2.on.aws"
    signed: list[str] = field(default_factory=list)
    witness: tuple[str, ...] = ()
    """What was signed, once it is: access key id, date, scope, canonical request."""


def draw(random: Random) -> Draft:
    """A request that is mostly honest."""
    key = random.choice((*KEYS[:2] * 3, *KEYS, UNKNOWN))
    moment = NOW - timedelta(seconds=random.choice((0, 1, 30, 119, 121, 200)))
    draft = Draft(key, random.choice(METHODS), random.choice(PATHS[:12] * 2 + PATHS), random.choice(QUERIES), [], moment.strftime("%Y%m%dT%H%M%SZ"))
    draft.uri = random.choice((generic_uri, generic_uri, s3_uri, encoded_uri))
    draft.asymmetric, draft.presigned = random.random() < 0.15, random.random() < 0.15
    draft.token = TOKEN if key.token_digest else ""
    draft.host = random.choice(("host", ":authority"))
    for _ in range(random.choice((0, 0, 1, 2, 4))):
        draft.headers.append((random.choice(NAMES), random.choice(VALUES)))
    draft.signed = [name for name, _ in draft.headers if name.startswith("x-amz-") or random.random() < 0.5]
    if random.random() < 0.2:
        _bend(random, draft)
    return draft


def _bend(random: Random, draft: Draft) -> None:
    """One thing is signed, well, that must not be."""
    wrong: tuple[tuple[str, object], ...] = (
        ("region", "us-east-1"),
        ("service", "vpc-lattice"),
        ("token", random.choice(("", TOKEN, "another token", TOKEN[:-1]))),
        ("payload", random.choice(("", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", digest(""), "unsigned-payload"))),
        ("region_set", random.choice(("*", "us-*", "us-east-1", "eu-*,us-west-2", "us-west-2 , x", "*-2", "u*s*2", "", "," * 2000))),
        ("expires", random.choice(("", "0", "1", "604800", "604801", "x", "9" * 30))),
        ("stamp", (NOW + timedelta(seconds=random.choice((-301, -300, 299, 300, 301, 86400)))).strftime("%Y%m%dT%H%M%SZ")),
    )
    name, value = random.choice(wrong)
    setattr(draft, name, value)


def sign(draft: Draft) -> Head:
    """The request with its signature."""
    algorithm = "AWS4-ECDSA-P256-SHA256" if draft.asymmetric else "AWS4-HMAC-SHA256"
    scope = "/".join((draft.stamp[:8], *(() if draft.asymmetric else (draft.region,)), draft.service, "aws4_request"))
    headers = [(draft.host, draft.authority), *draft.headers]
    if draft.payload:
        headers.append(("x-amz-content-sha256", draft.payload))
    if not draft.presigned:
        headers.append(("x-amz-date", draft.stamp))
        if draft.token:
            headers.append(("x-amz-security-token", draft.token))
        if draft.asymmetric:
            headers.append(("x-amz-region-set", draft.region_set))
    always = {name for name, _ in headers if name.startswith("x-amz-")} | {draft.host if draft.host == ":authority" and len(draft.path) % 2 else "host"}
    names = sorted(always | set(draft.signed))
    query = [draft.query] if draft.query else []
    if draft.presigned:
        query += _parameters(draft, algorithm, scope, names)
    target = draft.path + ("?" + "&".join(query) if query else "")
    head = Head(draft.method, target, tuple(headers))
    value = _value(draft, scope, canonical_request(head, draft.uri(head.path), names, draft.payload))
    if draft.presigned:
        return replace(head, target=f"{target}&X-Amz-Signature={value}")
    authorization = f"{algorithm} Credential={draft.key.id}/{scope}, SignedHeaders={';'.join(names)}, Signature={value}"
    return replace(head, headers=(*head.headers, ("authorization", authorization)))


def _parameters(draft: Draft, algorithm: str, scope: str, names: Sequence[str]) -> list[str]:
    given = {
        "Algorithm": algorithm,
        "Credential": f"{draft.key.id}/{scope}",
        "Date": draft.stamp,
        "Expires": draft.expires,
        "SignedHeaders": ";".join(names),
        "Security-Token": draft.token,
        "Region-Set": draft.region_set if draft.asymmetric else "",
    }
    return [f"X-Amz-{name}={encode(value)}" for name, value in given.items() if value]


def _value(draft: Draft, scope: str, request: str) -> str:
    draft.witness = (draft.key.id, draft.stamp, scope, request)
    if not draft.asymmetric:
        key = derive_signing_key(draft.key.secret, draft.stamp[:8], draft.region, draft.service)
        return signature_value(key, draft.stamp, scope, request)
    text = "\n".join(("AWS4-ECDSA-P256-SHA256", draft.stamp, scope, digest(request)))
    return derive_ecdsa_key(draft.key.id, draft.key.secret).sign(text.encode("latin-1"), ec.ECDSA(hashes.SHA256(), deterministic_signing=True)).hex()


JUNK = ("", " ", "\t", "\x00", "\n", "\r\n", "\xff\xfe", "%", ",", "=", ";", "/", "AWS4-HMAC-SHA256", "a" * 9000, "h;" * 120, "\x7f", "\xc3(")
DATES = (
    *("20260102T000100Z", "2026-01-02T00:01:00Z", "Fri, 02 Jan 2026 00:01:00 GMT", "Fri, 2 Jan 2026 00:01:00 -0000", "Fri, 02 Jan 2026 05:31:00 +0530"),
    *("", "now", "20260230T000000Z", "00000101T000000Z", "00010101T000000Z", "99991231T235959Z", "20260102T000060Z", "20260102t000100z", "20260102T000100"),
    *("Fri, 31 Dec 9999 23:59:59 -0001", "Mon, 01 Jan 0001 00:00:00 +0001", "Xxx, 02 Jan 2026 00:01:00 GMT", "Fri, 02 Jan 2026 00:01:00 EST", "\xb2" * 8),
)
ALGORITHMS = ("AWS4-HMAC-SHA512", "AWS4-HMAC-SHA256-PAYLOAD", "AWS4-", "AWS4-ECDSA-P384-SHA384", "aws4-hmac-sha256", "Bearer", "AWS4-HMAC-SHA256\t", "")


def _with_header(head: Head, name: str, value: str | None, *, where: int | None = None) -> Head:
    kept = tuple(pair for pair in head.headers if pair[0].lower() != name)
    if value is None:
        return replace(head, headers=kept)
    where = len(kept) if where is None else where
    return replace(head, headers=(*kept[:where], (name, value), *kept[where:]))


def _flip(random: Random, text: str) -> str:
    if not text:
        return random.choice(JUNK)
    at = random.randrange(len(text))
    how = random.randrange(5)
    if how == 0:
        return text[:at]
    if how == 1:
        return text[:at] + random.choice(JUNK) + text[at:]
    if how == 2:
        return text[:at] + text[at + 1 :]
    return text[:at] + chr(ord(text[at]) ^ (1 << random.randrange(8))) + text[at + 1 :]


def _pick(random: Random, head: Head) -> tuple[str, str]:
    return random.choice(head.headers) if head.headers else ("host", "a")


def _damage_value(random: Random, head: Head) -> Head:
    name, value = _pick(random, head)
    return _with_header(head, name, _flip(random, value), where=random.randrange(len(head.headers) + 1))


def _repeat(random: Random, head: Head) -> Head:
    name, value = _pick(random, head)
    return replace(head, headers=(*head.headers, (name, random.choice((value, _flip(random, value), "")))))


def _add(random: Random, head: Head) -> Head:
    name = random.choice((*NAMES, "authorization", "date", "host", ":authority", "x-amz-date", "x-amz-region-set", "x-amz-security-token", "x-amz-"))
    value = random.choice((*VALUES, *JUNK, "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=x"))
    return replace(head, headers=(*head.headers, (name, value)))


def _redate(random: Random, head: Head) -> Head:
    """Another date, or one in the header that HTTP has for it."""
    head = _with_header(head, "x-amz-date", None)
    return replace(head, headers=(*head.headers, (random.choice(("x-amz-date", "date")), random.choice(DATES))))


MORE_PARAMETERS = ("&X-Amz-Algorithm=AWS4-HMAC-SHA256", "?X-Amz-Algorithm=", "&a=1" * 1001, "&%58-Amz-Algorithm=x")


def _edit_authorization(random: Random, head: Head) -> Head:
    old = head.first("authorization")
    if not old:
        return replace(head, target=_flip(random, head.target))
    parts = old.partition(" ")[2].split(", ")
    edits: tuple[Callable[[], str], ...] = (
        lambda: old.replace(old.partition(" ")[0], random.choice(ALGORITHMS), 1),
        lambda: old.replace(", ", random.choice((",", " , ", ",\t", ",,", ";"))),
        lambda: old.partition(" ")[0] + " " + ", ".join(random.sample(parts, len(parts))),
        lambda: old + random.choice((",", ", Signature=x", ", Foo=bar", " ", "\n", ", ", "0")),
        lambda: old.encode("latin-1").upper().decode("latin-1"),
        lambda: old.replace("SignedHeaders=", "SignedHeaders=" + random.choice(("a;", "zz;", "Host;", ";", "host;", ":method;", "x" * 9000 + ";")), 1),
        lambda: old.replace("aws4_request", random.choice(("aws4_reques", "aws4_request/x", "", "AWS4_REQUEST")), 1),
        lambda: old.replace("/" + REGION, random.choice(("", "/us-east-1", "/us-west-2/us-west-2", "/US-WEST-2")), 1),
        lambda: old[: random.randrange(len(old))],
        lambda: random.choice(("Bearer x", "", "Basic eDp5", "Digest a=b")) + random.choice((",", ", ", ",\t", ";", " ", ",,")) + old,
    )
    return _with_header(head, "authorization", random.choice(edits)())


DAMAGES: tuple[Callable[[Random, Head], Head], ...] = (
    _damage_value,
    _damage_value,
    _edit_authorization,
    _edit_authorization,
    _repeat,
    _add,
    lambda random, head: replace(head, method=_flip(random, head.method)),
    lambda random, head: replace(head, target=_flip(random, head.target)),
    lambda random, head: replace(head, target=head.path + "?" + _flip(random, head.query)),
    lambda random, head: replace(head, target=random.choice(PATHS) + "?" + head.query),
    lambda random, head: replace(head, target=head.target + random.choice(MORE_PARAMETERS)),
    lambda random, head: _with_header(head, _pick(random, head)[0], None),
    _redate,
    _redate,
    lambda random, head: _with_header(head, "x-amz-security-token", random.choice((TOKEN, "another token", "", "x" * 4096))),
    lambda random, head: replace(head, headers=tuple(random.sample(head.headers, len(head.headers)))),
)


def damaged(random: Random, head: Head) -> Head:
    """The request with one to three things done to it."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        head = random.choice(DAMAGES)(random, head)
    return head


def requests(random: Random, count: int) -> Iterator[Head]:
    """So many requests: each one that is signed comes first as it is, then damaged in several ways (so that what a verifier kept of it is met again)."""
    made = 0
    while made < count:
        head = sign(draw(random))
        yield head
        for _ in range(min(24, count - made - 1)):
            yield damaged(random, head)
        made += 25


def moment_of(random: Random) -> datetime:
    """When a request arrives."""
    return NOW + timedelta(seconds=random.choice((0, 0, 0, 1, -1, 60, 301, 3601)))
