"""Requests that nobody signed, made of ones that somebody did, and requests that are much too large."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from sigv4_requests import KEYS, METHODS, Draft

from latticewall.auth.canonical import UNSIGNED_PAYLOAD, Head, canonical_request, digest, uris
from latticewall.auth.signature import parse_signature

Witness = tuple[str, str, str, str]


class Notary:
    """Remembers everything that was signed. Whoever passes as a signer must have signed just that: all else is a forgery that succeeded."""

    def __init__(self) -> None:
        self._signed: set[Witness] = set()

    def record(self, draft: Draft) -> None:
        key_id, stamp, scope, request = draft.witness
        self._signed.add((key_id, stamp, scope, digest(request)))

    def knows(self, head: Head) -> bool:
        """Whether the holder of the key that the request names has signed this request in one of its canonical forms."""
        signature = parse_signature(head, asymmetric=True)
        own = (signature.access_key_id, signature.stamp, signature.scope)
        forms = (canonical_request(head, uri, signature.signed_headers, UNSIGNED_PAYLOAD) for uri in uris(head.path, strict_generic=False))
        return any((*own, digest(form)) in self._signed for form in forms)


Forgery = Callable[[Random, Draft, Head], Head]


def _claim(head: Head) -> str:
    """Where the request says who signed it: its Authorization header or its target."""
    return head.first("authorization") or head.target


def _with_claim(head: Head, text: str) -> Head:
    if head.first("authorization") is None:
        return replace(head, target=text)
    return replace(head, headers=tuple((name, text if name == "authorization" else value) for name, value in head.headers))


def _with_target(head: Head, path: str, query: str) -> Head:
    return replace(head, target=f"{path}?{query}" if query else path)


def _other_digit(source: Random, _: Draft, head: Head) -> Head:
    """One hexadecimal digit of the signature."""
    text = _claim(head)
    at = source.randrange(text.rindex("Signature=") + len("Signature="), len(text))
    return _with_claim(head, text[:at] + source.choice("0123456789abcdef".replace(text[at], "")) + text[at + 1 :])


def _other_method(source: Random, _: Draft, head: Head) -> Head:
    return replace(head, method=source.choice([method for method in (*METHODS, "get", "X") if method != head.method]))


def _longer_path(source: Random, _: Draft, head: Head) -> Head:
    return _with_target(head, head.path + source.choice(["x", "0", "%41", "/x", "~"]), head.query)


def _more_parameters(source: Random, _: Draft, head: Head) -> Head:
    first = source.choice(["zz9", "zz9=1", "%7A%7a9=", "zz9=1&zz9=2", "=zz9"])
    return _with_target(head, head.path, f"{first}&{head.query}" if head.query else first)


def _other_value(source: Random, draft: Draft, head: Head) -> Head:
    """A signed header says more than it did, or comes once more."""
    at = source.choice([at for at, (name, _) in enumerate(head.headers) if name.startswith("x-amz-") or name in (draft.host, *draft.signed)])
    name, value = head.headers[at]
    changed = (name, value + source.choice(["x", ",x", ".", "\xe9"]))
    kept = [head.headers[at]] if source.random() < 0.3 else []
    return replace(head, headers=(*head.headers[:at], *kept, changed, *head.headers[at + 1 :]))


def _other_key(source: Random, draft: Draft, head: Head) -> Head:
    others = [key.id for key in KEYS if key.id != draft.key.id]
    return _with_claim(head, _claim(head).replace(draft.key.id, source.choice(others), 1))


def _other_day(source: Random, draft: Draft, head: Head) -> Head:
    """In the scope; the request's date stays."""
    text = _claim(head)
    at = text.index(draft.stamp[:8], text.index(draft.key.id))
    return _with_claim(head, text[:at] + source.choice(["20251231", "20260103", "2026010", "0" * 8]) + text[at + 8 :])


def _fewer_names(_: Random, __: Draft, head: Head) -> Head:
    """The last of the signed headers is no longer named."""
    text = _claim(head)
    start = text.index("SignedHeaders=") + len("SignedHeaders=")
    end = text.index(",", start) if head.first("authorization") else text.index("&", start)
    names, mark = text[start:end], ";" if head.first("authorization") else "%3B"
    return _with_claim(head, text[:start] + (names.rpartition(mark)[0] or "x") + text[end:])


FORGERIES: tuple[Forgery, ...] = (
    *(_other_digit, _other_method, _longer_path, _more_parameters, _other_value, _other_value, _other_key, _other_day, _fewer_names),
)


def forged(source: Random, draft: Draft, head: Head) -> Head:
    """A signed request with something changed that was signed, so that there is no reading of it under which it is signed."""
    return source.choice(FORGERIES)(source, draft, head)


_LARGE = 60 * 1024
_GIANTS: tuple[Callable[[Head], Head], ...] = (
    lambda head: replace(head, headers=(*head.headers, *((f"h{number}", "x") for number in range(5000)))),
    lambda head: replace(head, headers=(*head.headers, *(("x-k", "a") for _ in range(5000)))),
    lambda head: replace(head, headers=(*head.headers, ("x-k", "a" * _LARGE))),
    lambda head: replace(head, headers=(*head.headers, ("user-agent", "ab" * (_LARGE // 2)))),
    lambda head: replace(head, headers=tuple((name, value + " " * _LARGE + "x") for name, value in head.headers)),
    lambda head: replace(head, headers=(*head.headers, ("authorization", "AWS4-HMAC-SHA256 " + "Credential=," * 5000))),
    lambda head: replace(head, headers=(*head.headers, ("x-amz-region-set", "*-" * 30000))),
    lambda head: replace(head, target=head.path + "?" + "&".join(f"K={number}" for number in range(1000))),
    lambda head: replace(head, target=head.path + "?" + "K=a&" * 15000),
    lambda head: replace(head, target=head.path + "?" + "%" * _LARGE),
    lambda head: replace(head, target=head.path + "?" + "&=" * (_LARGE // 2)),
    lambda head: replace(head, target=head.path + "?K=" + "%C3%A9" * (_LARGE // 6)),
    lambda head: replace(head, target="/" + "a/" * (_LARGE // 2)),
    lambda head: replace(head, target="/" * _LARGE),
    lambda head: replace(head, target="/%2e" * (_LARGE // 4)),
    lambda head: replace(head, target="/blue/" + "a" * _LARGE),
    lambda head: replace(head, method="A" * _LARGE),
    lambda head: replace(head, headers=(*head.headers, ("x-amz-security-token", "t" * _LARGE))),
)


def giant(source: Random, head: Head) -> Head:
    """Larger than any client's, and sometimes larger than Envoy takes."""
    return source.choice(_GIANTS)(head)
