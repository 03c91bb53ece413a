"""The usual mistakes of clients that sign, as variations of a request: each kind changes one thing in every way that has been seen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from latticewall.auth.canonical import UNSIGNED_PAYLOAD, Head, canonical_headers, canonical_query, encode, generic_uri, uris
from latticewall.auth.signature import ALGORITHM, parse_date, stamp
from latticewall.auth.sigv4 import signature_value
from latticewall.base.secret import Secret

EMPTY_HASH = hashlib.sha256(b"").hexdigest()
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
_PORTS = (80, 443, 8080, 8443)
SERVICE = "vpc-lattice-svcs"
"""What a request is to be signed for."""
_SERVICES = (SERVICE, "vpc-lattice", "execute-api", "lambda", "s3", "service")
_REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "*")


@dataclass(frozen=True)
class Form:
    """Everything a signature depends on. headers: (name, value as it is signed) in signed order. day, region, service: what the key is derived for and
    the scope says. head: the request as it arrived."""

    method: str
    uri: str
    query: str
    headers: tuple[tuple[str, str], ...]
    payload: str
    stamp: str
    day: str
    region: str
    service: str
    terminator: str
    secret: Secret
    head: Head
    algorithm: str = ALGORITHM

    @property
    def scope(self) -> str:
        return "/".join((self.day, *([self.region] if self.algorithm == ALGORITHM else []), self.service, self.terminator))

    def canonical_request(self) -> str:
        lines = "".join(f"{name}:{value}\n" for name, value in self.headers)
        names = ";".join(name for name, _ in self.headers)
        return "\n".join((self.method, self.uri, self.query, lines, names, self.payload))

    def signature(self, key: bytes) -> str:
        return signature_value(key, self.stamp, self.scope, self.canonical_request())

    def with_header(self, name: str, value: str) -> Form:
        return replace(self, headers=tuple((own, value if own == name else kept) for own, kept in self.headers))

    def value(self, name: str) -> str:
        return dict(self.headers).get(name, "")


def _lower(text: str) -> str:
    """Only ASCII letters change: the text holds bytes."""
    return text.encode("latin-1").lower().decode("latin-1")


def _upper(text: str) -> str:
    return text.encode("latin-1").upper().decode("latin-1")


Variations = Iterator[tuple[str, Form]]
Kind = Callable[[Form], Variations]


@dataclass(frozen=True)
class Surroundings:
    """What else a client may have had in mind. region: of the service. port: of the listener. hosts: the service's names."""

    region: str = ""
    port: int = 0
    hosts: tuple[str, ...] = ()


def mistakes(other_keys: Sequence[tuple[str, Secret]], around: Surroundings) -> list[Kind]:
    """All kinds. other_keys: (access key id, secret) of the same principal."""
    return [
        _payload,
        _uri,
        _query,
        lambda form: _host(form, around),
        _method,
        _date,
        lambda form: _scope(form, around.region),
        lambda form: _secret(form, other_keys),
        _headers,
    ]


def _differing(form: Form, member: str, found: dict[str, str]) -> Variations:
    """Variations of one member, (label, value), each value once and never the one it has."""
    seen = {getattr(form, member)}
    for label, value in found.items():
        if value not in seen:
            seen.add(value)
            yield label, replace(form, **{member: value})  # type: ignore[arg-type]


def _payload(form: Form) -> Variations:
    sent = form.head.first("x-amz-content-sha256") or ""
    found = {"the hash of an empty payload was signed instead of UNSIGNED-PAYLOAD": EMPTY_HASH}
    if sent and sent != UNSIGNED_PAYLOAD:
        found = {"the payload's hash was signed instead of UNSIGNED-PAYLOAD": sent, **found}
    yield from _differing(form, "payload", found)


def _uri(form: Form) -> Variations:
    path = form.head.path or "/"
    decoded = _decoded(path)
    found = {
        "the path was signed decoded": decoded,
        "the path was signed decoded and encoded once": encode(decoded, keep="/"),
        "the path was signed encoded once too often": encode(generic_uri(path), keep="/"),
        "the path was signed with a final slash": form.uri.rstrip("/") + "/",
        "the path was signed without its final slash": form.uri.rstrip("/") or "/",
        "the path was signed in lower case": _lower(form.uri),
        "only / was signed as the path": "/",
        "an empty path was signed": "",
        "the whole URL was signed as the path": f"http://{form.head.first('host') or ''}{path}",
    }
    accepted = uris(path, strict_generic=False)
    yield from _differing(form, "uri", {label: uri for label, uri in found.items() if uri not in accepted})


def _decoded(text: str) -> str:
    return Head("", "/?" + text.replace("&", "%26").replace("=", "%3D")).parameters[0][0] if text else ""


def _query(form: Form) -> Variations:
    raw = form.head.query
    if not raw:
        return
    pairs = [pair for pair in form.head.parameters if pair[0] != "X-Amz-Signature"]
    written = [pair for pair in raw.split("&") if pair]
    bare = [f"{encode(name)}={encode(value)}" if value else encode(name) for name, value in pairs]
    found = {
        "the query was signed as it is on the wire, unsorted": raw,
        "the query was sorted, but not encoded anew": "&".join(sorted(written)),
        "the query was encoded, but not sorted": "&".join(f"{encode(name)}={encode(value)}" for name, value in pairs),
        "a parameter without value was signed without its equal sign": "&".join(sorted(bare)),
        "a plus sign in the query was signed as a space": canonical_query((name.replace("+", " "), value.replace("+", " ")) for name, value in pairs),
        "a space in the query was signed as a plus sign": form.query.replace("%20", "+"),
        "the query was encoded twice": canonical_query((encode(name), encode(value)) for name, value in pairs),
        "the slashes of the query were signed as they are": form.query.replace("%2F", "/"),
        "the query was signed decoded": "&".join(sorted(f"{name}={value}" for name, value in pairs)),
        "the query was left out": "",
    }
    yield from _differing(form, "query", found)


def _host(form: Form, around: Surroundings) -> Variations:
    name = "host" if form.value("host") else ":authority"
    host = form.value(name)
    bare = host.rpartition(":")[0] if ":" in host else host
    found = [("without its port", bare), ("in lower case", _lower(host)), ("in lower case, without its port", _lower(bare)), ("with a final dot", f"{bare}.")]
    found += [("with another port", f"{bare}:{port}") for port in (around.port, *_PORTS) if port]
    found += [("by another name", value) for own in around.hosts for value in (own, f"{own}:{around.port}")]
    seen = {host, ""}
    for label, value in found:
        if value not in seen:
            seen.add(value)
            yield f"the host was signed {label}: {value} instead of {host}", form.with_header(name, value)


def _method(form: Form) -> Variations:
    found = {f"the method was signed as {method}": method for method in (*_METHODS, _lower(form.method), _upper(form.method))}
    yield from _differing(form, "method", found)


def _date(form: Form) -> Variations:
    """Another moment in the string to sign than the one that counts."""
    head = form.head
    moments = {"the header date was used instead of x-amz-date": head.first("date"), "the header x-amz-date was used": head.first("x-amz-date")}
    found = {}
    for label, text in moments.items():
        moment = parse_date(text) if text else None
        if moment is not None:
            found[label] = stamp(moment)
            found[f"{label}, as it is written"] = text or ""
    yield from _differing(form, "stamp", found)


def _scope(form: Form, region: str) -> Variations:
    regions = {f"the key was derived for region {name}": name for name in (region, *_REGIONS) if name}
    yield from _differing(form, "region", regions)
    yield from _differing(form, "service", {f"the key was derived for service {name}": name for name in _SERVICES})
    yield from _differing(form, "day", {f"the key was derived for the day {day}": day for day in _days(form)})


def _days(form: Form) -> Iterator[str]:
    """The day of the request and those around it."""
    moment = parse_date(form.stamp)
    if moment is not None and 1 < moment.year < 9999:
        yield from ((moment + timedelta(days=offset)).strftime("%Y%m%d") for offset in (0, -1, 1))


def _secret(form: Form, others: Sequence[tuple[str, Secret]]) -> Variations:
    for access_key_id, secret in others:
        yield f"it was signed with the secret of another key of the same principal, {access_key_id}", replace(form, secret=secret)
    written = form.secret.reveal()
    for label, used in (("with a newline at the end", written + "\n"), ("with a space at the end", written + " "), ("in quotes", f'"{written}"')):
        yield f"the secret access key was used {label}", replace(form, secret=Secret(used))


def _headers(form: Form) -> Variations:
    """One signed header with another value, or none; or a header that was signed although the list does not say so."""
    for name, signed in form.headers:
        for label, value in _header_values(form.head.by_name.get(name, [])):
            if value != signed:
                yield f"the header {name} was signed {label}", form.with_header(name, value)
        yield f"the header {name} is listed as signed and was left out", replace(form, headers=tuple(pair for pair in form.headers if pair[0] != name))
    listed = {name for name, _ in form.headers}
    for name in sorted(form.head.by_name):
        if name not in listed and not name.startswith(":") and name != "authorization":
            more = tuple(sorted((*form.headers, (name, signed_value(form.head, name)))))
            yield f"the header {name} was signed, but is not listed as signed", replace(form, headers=more)


def signed_value(head: Head, name: str) -> str:
    """A header as it stands in the canonical request."""
    return canonical_headers(head, (name,)).removeprefix(f"{name}:").removesuffix("\n")


def _header_values(values: Sequence[str]) -> Iterator[tuple[str, str]]:
    joined = ",".join(values)
    yield "with its spaces as they are", joined
    yield "with its repeated values joined by a comma and a space", ", ".join(values)
    yield "with its repeated values sorted", ",".join(sorted(values))
    yield "with its last value only", values[-1] if values else ""
    yield "in lower case", _lower(joined)
    yield "empty", ""
