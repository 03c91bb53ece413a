"""Why a signature does not match: the canonical request as the proxy computes it, and the one the client must have signed, found among the usual mistakes.

The search signs variations of the request as it arrived with the key's own secret and compares with the signature that was sent. It runs where secrets are
(the control plane); what it returns holds none. Page followed: IAM User Guide, "Troubleshoot signed requests for AWS APIs"; the mistakes are those of real
clients.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from latticewall.analyze.signing_mistakes import SERVICE, Form, Surroundings, mistakes, signed_value
from latticewall.auth.canonical import UNSIGNED_PAYLOAD, Head, canonical_query, digest, encode, generic_uri, uris
from latticewall.auth.signature import ALGORITHM, Signature, parse_signature
from latticewall.auth.sigv4 import derive_signing_key
from latticewall.base.faults import Fault
from latticewall.base.secret import Secret

TOKEN = "x-amz-security-token"  # noqa: S105 - a header's name
_TOKEN_IN_QUERY = re.compile(r"(X-Amz-Security-Token=)[^&\s]+", re.IGNORECASE)
MOST_TRIALS = 20_000
SHORTEST = 32
"""Hexadecimal digits of a signature that are compared at least: the log keeps only the first half."""


@dataclass(frozen=True)
class SigningKey:
    """A key that may have signed. token: the session token that belongs to it, None for a long-term key."""

    access_key_id: str
    secret: Secret
    token: Secret | None = None


@dataclass(frozen=True)
class Written:
    """A canonical request and string to sign, line by line, without session tokens. key: what the signing key was derived for."""

    canonical_request: tuple[str, ...]
    string_to_sign: tuple[str, ...]
    key: str


@dataclass(frozen=True)
class Difference:
    """Where two texts begin to differ. part: canonical request, string to sign or key. line, column: from 1; 0 when the lines are not comparable."""

    part: str
    line: int
    column: int


@dataclass(frozen=True)
class Diagnosis:
    """refused: what the client was told. mistakes: what the client must have done, in words; () when nothing fits. expected: as computed here, None when the
    head does not even parse. signed: as the client must have signed it, None when that was not found."""

    refused: str
    mistakes: tuple[str, ...] = ()
    expected: Written | None = None
    signed: Written | None = None
    difference: Difference | None = None
    notes: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        return asdict(self)


def without_token(text: str) -> str:
    """A target or canonical request with what a presigned query holds of a session token taken out."""
    return _TOKEN_IN_QUERY.sub(r"\1(not shown)", text)


def with_token(head: Head, token: Secret | None) -> Head:
    """The head with the session token in place of its mark, if it is this one."""
    if token is None:
        return head
    mark = token_mark(token.reveal())
    headers = tuple((name, token.reveal() if name.lower() == TOKEN and value == mark else value) for name, value in head.headers)
    return replace(head, target=head.target.replace(mark, encode(token.reveal())), headers=headers)


def diagnose(
    head: Head, refused: str, key: SigningKey | None, others: Sequence[SigningKey] = (), around: Surroundings = Surroundings()  # noqa: B008 - frozen
) -> Diagnosis:
    """What went wrong with a signed head. key: the one the request names, None for an unknown one. others: further keys of the same principal. The
    head's session token may be the mark that the log has in its place."""
    head = with_token(head, key.token if key else None)
    notes = []
    try:
        signature = parse_signature(head, asymmetric=True)
    except Fault as fault:
        return Diagnosis(refused, notes=(f"the signature cannot be read, so nothing was compared: {fault.message}",))
    if "cookie" in signature.signed_headers:
        notes.append("the cookie header is signed, and the log does not keep it: nothing can be recomputed")
    form = _form(head, signature, key or SigningKey(signature.access_key_id, Secret("")))
    expected = _written(_for(form, around), signature.access_key_id)
    if signature.algorithm != ALGORITHM:
        notes.append(f"the log keeps half of a signature, and one of {signature.algorithm} cannot be compared by halves: only what is expected is shown")
        return Diagnosis(refused, expected=expected, notes=tuple(notes))
    if key is None:
        return Diagnosis(refused, expected=expected, notes=(*notes, f"the access key {signature.access_key_id} is not known here, so its secret is not"))
    found = _search(form, signature, others, around)
    if found is None:
        if wrong := _wrong_token(head, key):
            return Diagnosis(refused, (wrong,), expected, notes=(*notes, "the log has no session token, so nothing was compared with this one"))
        notes.append(_UNEXPLAINED)
        if "x-amz-content-sha256" not in signature.signed_headers:
            notes.append("x-amz-content-sha256 is not signed: if a hash of the body was, it is not found, as the log keeps no body")
        return Diagnosis(refused, expected=expected, notes=tuple(notes))
    labels, their = found
    if their.uri in uris(head.path, strict_generic=False):
        # a form of the path that is accepted as well is no mistake
        expected = _written(replace(_for(form, around), uri=their.uri), signature.access_key_id)
    labels += _misdirected(signature, around)
    labels += tuple(filter(None, [_wrong_token(head, key)]))
    signed = _written(their, signature.access_key_id)
    return Diagnosis(refused, labels, expected, signed, _difference(expected, signed), tuple(notes))


_UNEXPLAINED = (
    "none of the usual mistakes gives this signature: the secret access key is wrong, or the path, the query or a signed header is not the one that was signed"
)


def _for(form: Form, around: Surroundings) -> Form:
    """The form with the scope that the service wants."""
    return replace(form, region=around.region or form.region, service=SERVICE)


def _misdirected(signature: Signature, around: Surroundings) -> tuple[str, ...]:
    """How the scope differs from what the service wants."""
    wanted = (("region", signature.region, around.region or signature.region), ("service", signature.service, SERVICE))
    return tuple(f"it was signed for the {what} {given} instead of {right}" for what, given, right in wanted if given != right)


def _wrong_token(head: Head, key: SigningKey) -> str:
    """What is wrong with the session token of the head, if it is not the key's."""
    sent = head.first(TOKEN) or head.parameter("X-Amz-Security-Token")
    if not sent and key.token:
        return "a temporary access key was used without its session token"
    if not sent or (key.token is not None and sent == key.token.reveal()):
        return ""
    return "the session token of another key was sent" if key.token else "a session token was sent with a long-term access key, which has none"


def claimed_key(head: Head) -> str:
    """The access key id that a head names; "" when it names none."""
    found = re.search(r"Credential=([^/,\s]{1,128})/", head.first("authorization") or "")
    return found[1] if found else (head.parameter("X-Amz-Credential") or "").partition("/")[0]


def _form(head: Head, signature: Signature, key: SigningKey) -> Form:
    """The request as the proxy reads it."""
    headers = tuple((name, signed_value(head, name)) for name in signature.signed_headers)
    query = canonical_query(pair for pair in head.parameters if pair[0] != "X-Amz-Signature")
    return Form(
        method=head.method, uri=generic_uri(head.path), query=query, headers=headers, payload=UNSIGNED_PAYLOAD, stamp=signature.stamp,
        day=signature.day, region=signature.region, service=signature.service, terminator=signature.terminator, secret=key.secret, head=head,
        algorithm=signature.algorithm,
    )  # fmt: skip


def token_mark(token: str) -> str:
    """What the log has in place of a session token."""
    return "sha256:" + hashlib.sha256(token.encode("latin-1")).hexdigest()


def _search(form: Form, signature: Signature, others: Sequence[SigningKey], around: Surroundings) -> tuple[tuple[str, ...], Form] | None:
    """The fewest mistakes that explain the signature."""
    for trial, (labels, candidate) in enumerate(_candidates(form, others, around)):
        if trial >= MOST_TRIALS:
            return None
        if _agrees(candidate.signature(_key(candidate)), signature.value):
            return labels, candidate
    return None


def _candidates(form: Form, others: Sequence[SigningKey], around: Surroundings) -> Iterator[tuple[tuple[str, ...], Form]]:
    """None, then one, then two mistakes of different kinds, each in every form of the path that is accepted."""
    forms = [replace(form, uri=uri) for uri in uris(form.head.path, strict_generic=False)]
    yield from (((), accepted) for accepted in forms)
    kinds = mistakes([(key.access_key_id, key.secret) for key in others], around)
    singles = [(at, label, candidate) for accepted in forms for at, kind in enumerate(kinds) for label, candidate in kind(accepted)]
    for _, label, candidate in singles:
        yield (label,), candidate
    for at, label, candidate in singles:
        for kind in kinds[at + 1 :]:
            for other, twice in kind(candidate):
                yield (label, other), twice


def _key(form: Form) -> bytes:
    return derive_signing_key(form.secret.reveal(), form.day, form.region, form.service)


def _agrees(value: str, given: str) -> bool:
    """Whether the signature that was sent (or what the log kept of it) is this one."""
    return len(given) >= SHORTEST and hmac.compare_digest(value[: len(given)].encode(), given.encode("utf-8", "backslashreplace"))


def _written(form: Form, access_key_id: str) -> Written:
    shown = replace(form, headers=tuple((name, _hidden(value) if name == TOKEN and value else value) for name, value in form.headers))
    request = without_token(shown.canonical_request())
    stated = (form.algorithm, form.stamp, form.scope, digest(form.canonical_request()))
    return Written(tuple(request.split("\n")), stated, f"{access_key_id} for {form.scope.rpartition('/')[0]}")


def _hidden(token: str) -> str:
    return token if token.startswith("sha256:") else token_mark(token)


def _difference(expected: Written, signed: Written) -> Difference | None:
    if found := _first(expected.canonical_request, signed.canonical_request):
        return Difference("canonical request", *found)
    if found := _first(expected.string_to_sign, signed.string_to_sign):
        return Difference("string to sign", *found)
    return Difference("key", 0, 0) if expected.key != signed.key else None


def _first(left: tuple[str, ...], right: tuple[str, ...]) -> tuple[int, int] | None:
    """Line and column of the first difference, from 1."""
    for line, (one, other) in enumerate(zip(left, right, strict=False), 1):
        if one != other:
            same = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
            return line, same + 1
    return (min(len(left), len(right)) + 1, 1) if len(left) != len(right) else None
