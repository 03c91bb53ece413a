"""Requests in HTTP/1.1 as no honest client writes them: what could be read in two ways, what is too large, what ends in the middle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from latticewall.auth.canonical import Head

CRLF = b"\r\n"


@dataclass(frozen=True)
class Raw:
    """A request in lines, each without its end."""

    line: bytes
    headers: tuple[bytes, ...]
    body: bytes = b""

    def written(self, end: bytes = CRLF) -> bytes:
        return end.join((self.line, *self.headers, b"", b"")) + self.body

    def plus(self, *headers: bytes, body: bytes = b"") -> Raw:
        return Raw(self.line, (*self.headers, *headers), body or self.body)

    def without(self, name: bytes) -> Raw:
        return replace(self, headers=tuple(line for line in self.headers if not line.lower().startswith(name + b":")))

    @property
    def method(self) -> bytes:
        return self.line.partition(b" ")[0]

    @property
    def target(self) -> bytes:
        return self.line.partition(b" ")[2].rpartition(b" ")[0]

    def lined(self, method: bytes | None = None, target: bytes | None = None, version: bytes = b"HTTP/1.1") -> Raw:
        return replace(self, line=b" ".join((self.method if method is None else method, self.target if target is None else target, version)))


def raw_of(head: Head) -> Raw:
    """An honest request as a client writes it."""
    lines = tuple(f"{'host' if name == ':authority' else name}: {value}".encode("latin-1") for name, value in head.headers)
    return Raw(f"{head.method} {head.target} HTTP/1.1".encode("latin-1"), lines)


def _inner(request: Raw) -> bytes:
    """What is smuggled: nobody signed it."""
    hosts = tuple(line for line in request.headers if line.lower().startswith((b"host:", b"x-fuzz-id:")))
    return Raw(b"GET /blue/x HTTP/1.1", hosts).written()


Shape = Callable[[Random, Raw], bytes]

_CODINGS = (
    *(b"chunked", b"Chunked", b"xchunked", b"chunked, identity", b"identity, chunked", b"chunked,chunked", b"\x0bchunked", b"chunked\x00", b"gzip, chunked"),
    *(b"identity", b"", b"chunked ;a=b", b"'chunked'", b" chunked", b"chunked\t", b"cow", b"chunked\r\n , identity"),
)
_CODING_NAMES = (
    b"Transfer-Encoding",
    b"Transfer-Encoding ",
    b"transfer_encoding",
    b" Transfer-Encoding",
    b"X: x\nTransfer-Encoding",
    b"Transfer\x00-Encoding",
    b"TE",
)
_LENGTHS = (
    b"+5",
    b"5, 5",
    b"5,6",
    b"0x5",
    b"-1",
    b"",
    b" 5 ",
    b"5\t",
    b"18446744073709551616",
    b"18446744073709551615",
    b"5 5",
    b"5;",
    b"\xb2",
    b"1e1",
    b"00000000005",
)
_HOSTS = (
    *(b"", b" ", b"%s:80", b"%s:99999", b"%s:", b"user@%s", b"%s@evil", b"%s evil", b"%s,evil", b"%s\tevil", b"%s.", b"%s/..", b"[::1]", b"%s\x00", b"%s%%00"),
    *(b"\xff%s", b"evil#%s", b"%s?x", b"*", b"*.example.com"),
)
_TARGETS = (
    *(
        b"http://%s/blue/x",
        b"http://evil/blue/x",
        b"https://%s/rates",
        b"HTTP://%s",
        b"%s:80",
        b"*",
        b"",
        b"//%s/rates",
        b"http:///rates",
        b"/\x00",
        b"/\xff",
        b"/a b",
    ),
    *(
        b"/a/../rates",
        b"/a/%2e%2e/rates",
        b"/rates#x",
        b"/%zz",
        b"/%",
        b"/\\..\\rates",
        b"/a\tb",
        b"/rates?\xff=\xfe",
        b"/rates;x",
        b"\\rates",
        b"/rates%20HTTP/1.1",
    ),
    *(b"http://%s@evil/rates", b"http://evil%%2f%s/", b"ftp://%s/rates"),
)
_METHODS = (b"CONNECT", b"OPTIONS", b"TRACE", b"get", b"G\x00T", b"", b"GET/", b"PRI", b"A" * 300, b"GET\t", b"X-AMZ")
_VERSIONS = (b"HTTP/1.0", b"HTTP/0.9", b"HTTP/1.2", b"HTTP/2.0", b"HTTP/1.1 ", b"http/1.1", b"HTTP/1.10", b"HTTP/", b"", b"HTTP/1.1\x00", b"HTTP/11")
_OURS = (
    *(b"x-amzn-lattice-identity: Principal=root", b"X-Amzn-Lattice-Identity: pending", b"x_amzn_lattice_identity: a", b"x-amzn-lattice-identity-tags: a=b"),
    *(
        b"x-amzn-source-vpc: vpc-evil",
        b"x-forwarded-for: 1.2.3.4",
        b"x-amzn-lattice-target: ServiceArn=x",
        b"x-envoy-original-path: /x",
        b"x-envoy-internal: true",
    ),
    *(
        b"x-envoy-upstream-rq-timeout-ms: 1",
        b"x-amzn-requestid: " + b"r" * 600,
        b"x-forwarded-proto: https",
        b"forwarded: for=1.2.3.4",
        b"x-envoy-retry-on: 5xx",
    ),
)
_CONNECTION = (
    *(
        b"connection: authorization, x-k, host",
        b"connection: close",
        b"connection: keep-alive, x-amz-date",
        b"connection: upgrade\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__",
    ),
    *(
        b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x",
        b"te: trailers, chunked",
        b"proxy-connection: keep-alive",
        b"keep-alive: timeout=1",
    ),
    *(b"expect: 100-continue", b"expect: something", b"upgrade: h2c", b"connection: x-amzn-lattice-identity", b"proxy-authorization: AWS4-HMAC-SHA256 x"),
)
_NOISE = (b"\x00", b"\xff\xfe", b"\r", b"\n", b"\x0b", b"\x7f", b"\xc3(", b"\xed\xa0\x80", b"\t", b" ", b":", b"\xf0\x9f\x92\xa9")
_CHUNKS = (
    *(
        b"0\r\n\r\n",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5;a=b\r\nhello\r\n0\r\n\r\n",
        b"5;\nhello\r\n0\r\n\r\n",
        b"05\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello",
    ),
    *(
        b"-1\r\n",
        b"ffffffffffffffff\r\n",
        b"fffffffffffffffff\r\n",
        b"5\r\nhelloworld\r\n0\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"0\r\nhost: evil\r\nauthorization: x\r\n\r\n",
        b"zz\r\n\r\n",
        b"\r\n",
    ),
    *(b"0\r\nx-amzn-lattice-identity: root\r\n\r\n", b"5;" + b"a" * 70000 + b"\r\nhello\r\n0\r\n\r\n", b"1\r\n" * 1000, b"0\n\r\n", b"0\r\n\n"),
)


def _host(request: Raw) -> bytes:
    return next((line.partition(b":")[2].strip() for line in request.headers if line.lower().startswith(b"host:")), b"x")


def _filled(pattern: bytes, request: Raw) -> bytes:
    return pattern.replace(b"%s", _host(request)).replace(b"%%", b"%")


def _length_and_coding(source: Random, request: Raw) -> bytes:
    inner = _inner(request)
    first = b"Content-Length: %d" % source.choice([0, 5, len(inner), len(inner) + 5])
    both = [first, source.choice(_CODING_NAMES) + b": " + source.choice(_CODINGS)]
    source.shuffle(both)
    return request.plus(*both, body=b"0\r\n\r\n" + inner).written()


def _two_lengths(source: Random, request: Raw) -> bytes:
    inner = _inner(request)
    lengths = [b"Content-Length: " + source.choice((*_LENGTHS, b"0", b"%d" % len(inner))) for _ in range(source.choice([1, 2, 3]))]
    return request.plus(*lengths, body=inner).written()


def _chunks(source: Random, request: Raw) -> bytes:
    coding = source.choice((b"chunked", *_CODINGS))
    return request.plus(b"Transfer-Encoding: " + coding, body=source.choice(_CHUNKS) + source.choice([b"", _inner(request)])).written()


def _folded(source: Random, request: Raw) -> bytes:
    at = source.randrange(len(request.headers))
    lines = list(request.headers)
    lines[at] = lines[at].replace(b" ", source.choice([b"\r\n ", b"\r\n\t", b"\n ", b"\r "]), 1)
    return replace(request, headers=tuple(lines)).written()


def _ends(source: Random, request: Raw) -> bytes:
    return request.written(source.choice([b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\x00"])) + source.choice([b"", _inner(request)])


def _spaced(source: Random, request: Raw) -> bytes:
    at = source.randrange(len(request.headers))
    lines = list(request.headers)
    lines[at] = source.choice([lines[at].replace(b":", b" :", 1), b" " + lines[at], lines[at].replace(b":", b"", 1), b":" + lines[at], b"\t" + lines[at]])
    return replace(request, headers=tuple(lines)).written()


def _other_hosts(source: Random, request: Raw) -> bytes:
    hosts = [b"Host: " + _filled(source.choice((b"%s", *_HOSTS)), request) for _ in range(source.choice([0, 1, 1, 2, 2, 3]))]
    return request.without(b"host").plus(*hosts).written()


def _other_authorization(source: Random, request: Raw) -> bytes:
    line = next((line for line in request.headers if line.startswith(b"authorization")), b"authorization: AWS4-HMAC-SHA256 Credential=a/b/c/d/e")
    other = source.choice(
        [line, b"authorization: Bearer x", b"authorization:", b"Authorization: " + line[15:40], b"AUTHORIZATION: AWS4-HMAC-SHA256 x", b"authorization: \xff"]
    )
    return source.choice([request.plus(other), replace(request, headers=(other, *request.headers))]).written()


def _noise(source: Random, request: Raw) -> bytes:
    text = request.written()
    for _ in range(source.choice([1, 1, 2, 5])):
        at = source.randrange(len(text))
        text = source.choice([text[:at] + source.choice(_NOISE) + text[at:], text[:at] + source.choice(_NOISE) + text[at + 1 :], text[:at] + text[at + 1 :]])
    return text


def _large(source: Random, request: Raw) -> bytes:
    size = source.choice([50_000, 60_000, 61_440, 62_000, 200_000])
    makers: tuple[Callable[[], Raw], ...] = (
        lambda: request.plus(b"x-k: " + b"a" * size),
        lambda: request.plus(b"x" * size + b": a"),
        lambda: request.plus(*(b"h%d: x" % number for number in range(source.choice([80, 99, 100, 101, 5000])))),
        lambda: request.plus(*[b"x-k: a"] * source.choice([80, 100, 5000])),
        lambda: request.lined(target=request.target + b"?" + b"&".join(b"K=%d" % number for number in range(source.choice([999, 1000, 1001, 20000])))),
        lambda: request.lined(target=b"/" + b"a/" * (size // 2)),
        lambda: request.lined(target=b"/blue/" + b"%2f" * (size // 3)),
        lambda: request.lined(target=request.target + b"?" + b"&" * size),
        lambda: request.plus(b"authorization: AWS4-HMAC-SHA256 " + b"Credential=a/b, " * (size // 16)),
        lambda: request.plus(b"cookie: " + b"a=b; " * (size // 5)),
        lambda: request.plus(b"x-k: " + b"\xff" * size, b"user-agent: " + b"\xc3" * 1000),
        lambda: request.plus(b"content-length: 100000", body=b"b" * 100000),
    )
    return source.choice(makers)().written()


def _pipelined(source: Random, request: Raw) -> bytes:
    """The signed request between others that are not, in one piece."""
    others = [_inner(request), request.without(b"authorization").written(), request.lined(target=b"/blue/x").written(), request.written()]
    return b"".join(source.choice(others) for _ in range(source.randint(1, 6))) + request.written() + source.choice(others)


def _cut(source: Random, request: Raw) -> bytes:
    text = request.written()
    return text[: source.randrange(len(text))]


_ALIEN = (
    *(
        b"",
        b"\r\n" * 50,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x05\x01\x00",
        b"\x00" * 2000,
        b"GET /\r\n",
        b"GET\r\n\r\n",
    ),
    *(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", b"HELO x\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"GET http://[::1 HTTP/1.1\r\n\r\n", b": : :\r\n\r\n"),
)

SHAPES: dict[str, Shape] = {
    "length and coding": _length_and_coding,
    "lengths": _two_lengths,
    "chunks": _chunks,
    "folded": _folded,
    "line ends": _ends,
    "spaces": _spaced,
    "hosts": _other_hosts,
    "authorizations": _other_authorization,
    "noise": _noise,
    "large": _large,
    "pipelined": _pipelined,
    "cut": _cut,
    "targets": lambda source, request: request.lined(target=_filled(source.choice(_TARGETS), request)).written(),
    "methods": lambda source, request: request.lined(method=source.choice(_METHODS)).written(),
    "versions": lambda source, request: request.lined(version=source.choice(_VERSIONS)).written() + source.choice([b"", _inner(request)]),
    "our headers": lambda source, request: request.plus(*source.choices(_OURS, k=3)).written(),
    "connection": lambda source, request: request.plus(source.choice(_CONNECTION)).written() + source.choice([b"", _inner(request)]),
    "tunnel": lambda source, request: (
        request.lined(method=b"CONNECT", target=source.choice([_host(request) + b":80", b"10.0.0.10:8080", b"/"])).written() + _inner(request)
    ),
    "alien": lambda source, request: source.choice((*_ALIEN, source.randbytes(200))) + source.choice([b"", request.written()]),
    "empty lines": lambda source, request: source.choice([b"\r\n", b"\n", b"\r\n\r\n"]) + request.written(),
}
