"""HTTP/2 in frames written by hand, so that they can be wrong: headers in literal form only, answers read as far as their status."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from random import Random

from latticewall.auth.canonical import Head

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK, PADDED, PRIORITIZED = 0x1, 0x4, 0x1, 0x8, 0x20
_LONGEST_FRAME = 16384
_NO_TABLE = struct.pack(">HI", 1, 0)
Fields = Sequence[tuple[bytes, bytes]]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _integer(value: int) -> bytes:
    """With a prefix of seven bits."""
    if value < 127:
        return bytes((value,))
    value -= 127
    written = bytearray((127,))
    while value >= 128:
        written.append(value % 128 + 128)
        value //= 128
    return bytes((*written, value))


def block(fields: Fields) -> bytes:
    """A header block of literals that no table keeps."""
    return b"".join(b"\x00" + _integer(len(name)) + name + _integer(len(value)) + value for name, value in fields)


def fields_of(head: Head) -> list[tuple[bytes, bytes]]:
    """An honest request."""
    authority = next(value for name, value in head.headers if name in (":authority", "host"))
    pseudo = {":method": head.method, ":scheme": "http", ":authority": authority, ":path": head.target}
    others = [(name, value) for name, value in head.headers if name not in (":authority", "host")]
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in (*pseudo.items(), *others)]


def headers(fields: Fields, stream: int = 1, flags: int = END_STREAM) -> bytes:
    """A request's frames, with continuations where it is long."""
    text = block(fields)
    pieces = [text[at : at + _LONGEST_FRAME] for at in range(0, len(text), _LONGEST_FRAME)] or [b""]
    last = len(pieces) - 1
    return b"".join(
        frame(CONTINUATION if number else HEADERS, (END_HEADERS if number == last else 0) | (0 if number else flags), stream, piece)
        for number, piece in enumerate(pieces)
    )


def opening() -> bytes:
    """What a client begins with; it allows no table, so that answers hold no reference to earlier ones."""
    return PREFACE + frame(SETTINGS, 0, 0, _NO_TABLE)


def frames(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Kind, flags, stream, payload of each whole frame."""
    at = 0
    while at + 9 <= len(data):
        length = int.from_bytes(data[at : at + 3], "big")
        if at + 9 + length > len(data):
            return
        yield data[at + 3], data[at + 4], int.from_bytes(data[at + 5 : at + 9], "big") & 0x7FFFFFFF, data[at + 9 : at + 9 + length]
        at += 9 + length


_STATIC = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}


def status_of(payload: bytes) -> int:
    """:status, the first field of an answer's header block; 0 when it cannot be read."""
    at = 0
    while payload[at] & 0xE0 == 0x20:
        at += 1
    first = payload[at]
    if first & 0x80:
        return _STATIC.get(first & 0x7F, 0)
    length = payload[at + 1]
    text = payload[at + 2 : at + 2 + (length & 0x7F)]
    if not length & 0x80:
        return int(text)
    return _digits(text)


def _digits(text: bytes) -> int:
    """Three digits in the Huffman code: 0 to 2 take five bits, 3 to 9 six."""
    bits, at, found = "".join(f"{byte:08b}" for byte in text), 0, ""
    while len(found) < 3:
        short = int(bits[at : at + 5], 2)
        found += str(short) if short < 3 else str(int(bits[at : at + 6], 2) - 0b011001 + 3)
        at += 5 if short < 3 else 6
    return int(found)


Shape = Callable[[Random, list[tuple[bytes, bytes]]], bytes]

_BAD_FIELDS = (
    *((b"X-Upper", b"a"), (b"x\r\ny", b"a"), (b"x\x00", b"a"), (b"", b"a"), (b"x y", b"a"), (b"x:", b"a"), (b":unknown", b"a"), (b":status", b"200")),
    *((b"x", b"a\r\nhost: evil"), (b"x", b"a\x00b"), (b"x", b"a\nb"), (b"x", b" a "), (b"x", b"\xff\xfe"), (b":path", b"/rates"), (b":method", b"GET")),
    *((b"connection", b"close"), (b"transfer-encoding", b"chunked"), (b"upgrade", b"h2c"), (b"te", b"gzip"), (b"te", b"trailers"), (b"keep-alive", b"1")),
    *(
        (b"content-length", b"5"),
        (b"content-length", b"-1"),
        (b"content-length", b"0"),
        (b"host", b"evil"),
        (b"proxy-connection", b"x"),
        (b":authority", b"evil"),
    ),
    *(
        (b"x-amzn-lattice-identity", b"Principal=root"),
        (b"x_amzn_lattice_identity", b"a"),
        (b"authorization", b"Bearer x"),
        (b"authorization", b"AWS4-HMAC-SHA256 x"),
    ),
    *((b":protocol", b"websocket"), (b"http2-settings", b"x"), (b"cookie", b"a=b"), (b"expect", b"100-continue")),
)
_PSEUDO = {
    b":path": (
        b"",
        b"*",
        b"rates",
        b"/a/../rates",
        b"/ HTTP/1.1\r\nhost: evil\r\n\r\nGET /rates",
        b"/a b",
        b"/\x00",
        b"/\xff",
        b"http://evil/rates",
        b"/%zz",
        b"/rates#x",
        b"//rates",
    ),
    b":method": (b"", b"CONNECT", b"GET /rates HTTP/1.1\r\nhost: x\r\n\r\nGET", b"G T", b"get", b"OPTIONS", b"\xff", b"PRI", b"A" * 300),
    b":authority": (b"", b"evil", b"%s:80", b"user@%s", b"%s\r\nx: y", b"%s evil", b"%s,evil", b"%s.", b"\xff", b"%s/x", b"[::1]"),
    b":scheme": (b"", b"https", b"ftp", b"http\r\nx: y", b"HTTP", b"h" * 1000, b"http://evil/?"),
}


def _other_pseudo(source: Random, fields: list[tuple[bytes, bytes]]) -> bytes:
    name = source.choice(list(_PSEUDO))
    old = dict(fields)[name]
    value = source.choice(_PSEUDO[name]).replace(b"%s", old)
    changed = [(own, value if own == name else text) for own, text in fields]
    return headers(source.choice([changed, changed, [pair for pair in fields if pair[0] != name], [*fields, (name, value)], [(name, value), *fields]]))


def _bad_fields(source: Random, fields: list[tuple[bytes, bytes]]) -> bytes:
    added = source.choices(_BAD_FIELDS, k=source.choice([1, 1, 2]))
    written = source.choice([[*fields, *added], [*fields[:4], *added, *fields[4:]], [*added, *fields]])
    if source.random() < 0.3:
        return headers(written, flags=0) + frame(DATA, END_STREAM, 1, source.choice([b"", b"hello", b"0\r\n\r\nGET /rates HTTP/1.1\r\nhost: x\r\n\r\n"]))
    return headers(written)


def _trailers(source: Random, fields: list[tuple[bytes, bytes]]) -> bytes:
    return headers(fields, flags=0) + frame(DATA, 0, 1, b"hello") + headers([source.choice(_BAD_FIELDS), (b"authorization", b"AWS4-HMAC-SHA256 x")])


def _long(source: Random, fields: list[tuple[bytes, bytes]]) -> bytes:
    added: Sequence[tuple[bytes, bytes]] = source.choice([
        [(b"h%d" % number, b"x") for number in range(source.choice([80, 95, 101, 5000]))],
        [(b"x-k", b"a" * source.choice([50_000, 61_440, 200_000]))],
        [(b"cookie", b"a=b")] * 2000,
        [(b"x-k", b"")] * 20000,
    ])  # fmt: skip
    return headers([*fields, *added])


def _endless(source: Random, fields: list[tuple[bytes, bytes]]) -> bytes:
    """Continuations that never end."""
    piece = source.choice([b"", block([(b"x", b"a" * 100)]), b"\x00" * 50])
    return frame(HEADERS, END_STREAM, 1, block(fields)) + frame(CONTINUATION, 0, 1, piece) * source.choice([10, 500, 3000])


def _flood(source: Random, fields: list[tuple[bytes, bytes]]) -> bytes:
    kinds: tuple[Callable[[], bytes], ...] = (
        lambda: frame(PING, 0, 0, b"12345678") * 2000,
        lambda: frame(SETTINGS, 0, 0) * 2000,
        lambda: b"".join(headers(fields, stream) + frame(RST_STREAM, 0, stream, b"\0\0\0\x08") for stream in range(1, 200, 2)),
        lambda: b"".join(headers(fields, stream, 0) for stream in range(1, 300, 2)),
        lambda: frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 3,
        lambda: frame(PRIORITY, 0, 1, b"\0\0\0\x01\x10") * 2000,
        lambda: frame(DATA, 0, 1) * 2000,
        lambda: headers(fields, 1, 0) + frame(DATA, 0, 1) * 2000,
        lambda: b"".join(headers(fields, stream) for stream in range(1, 60, 2)),
    )
    return source.choice(kinds)()


def _wrong_frames(source: Random, fields: list[tuple[bytes, bytes]]) -> bytes:
    own = block(fields)
    wrong = (
        frame(HEADERS, END_HEADERS | END_STREAM, 0, own),
        frame(HEADERS, END_HEADERS | END_STREAM, 2, own),
        frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, b"\xff" + own),
        frame(HEADERS, END_HEADERS | END_STREAM | PRIORITIZED, 1, b"\0\0\0\x01\x10" + own),
        frame(CONTINUATION, END_HEADERS, 1, own),
        frame(PUSH, END_HEADERS, 1, b"\0\0\0\x02" + own),
        frame(SETTINGS, 0, 0, b"\0\x05\0\0\0\0"),
        frame(SETTINGS, 0, 1),
        frame(SETTINGS, ACK, 0, b"x"),
        frame(SETTINGS, 0, 0, b"\0\x04\xff\xff\xff\xff"),
        frame(99, 255, 7, b"x" * 50),
        frame(PING, 0, 0, b"short"),
        frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\0"),
        frame(GOAWAY, 0, 0, b""),
        frame(RST_STREAM, 0, 9, b"\0\0\0\0"),
        b"\xff\xff\xff\x01\x05\0\0\0\x01",
        frame(HEADERS, END_HEADERS | END_STREAM, 1, own[:-3]),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff\xff\xff\xff\xff\xff\xff"),
        frame(HEADERS, 4, 1, b"\xbe" * 50),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x3f\xe1\xff\xff\x7f" + own),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, source.randbytes(200)),
        headers(fields) + headers(fields),
        headers(fields) + frame(DATA, 0, 1, b"x"),
        headers(fields, 5) + headers(fields, 3),
        frame(HEADERS, END_STREAM, 1, own) + frame(PING, 0, 0, b"12345678"),
    )
    return source.choice(wrong) + headers(fields, 11)


def _noise(source: Random, fields: list[tuple[bytes, bytes]]) -> bytes:
    text = bytearray(headers(fields))
    for _ in range(source.choice([1, 1, 3, 10])):
        text[source.randrange(len(text))] = source.randrange(256)
    return bytes(text)


def _cut(source: Random, fields: list[tuple[bytes, bytes]]) -> bytes:
    text = headers(fields)
    return text[: source.randrange(len(text))]


SHAPES: dict[str, Shape] = {
    "h2 pseudo": _other_pseudo,
    "h2 fields": _bad_fields,
    "h2 trailers": _trailers,
    "h2 long": _long,
    "h2 endless": _endless,
    "h2 flood": _flood,
    "h2 frames": _wrong_frames,
    "h2 noise": _noise,
    "h2 cut": _cut,
}
