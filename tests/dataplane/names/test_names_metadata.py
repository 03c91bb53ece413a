"""Instance metadata without sockets: heads, tokens, trees and what is refused."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import suppress
from dataclasses import replace

import pytest

from latticewall.base.memo import Memo
from latticewall.base.secret import Secret
from latticewall.dataplane.names import config, metadata, tokens
from latticewall.dataplane.names.connections import Bounds, Connections
from latticewall.dataplane.names.imds import MetadataState, Served
from latticewall.dataplane.names.metadata import MetadataTree, Response
from latticewall.dataplane.names.rate import RateBound
from latticewall.dataplane.names.request import BadRequest, parse
from latticewall.plan.names import MetadataInstance, NamesPlan, Record, Resolver, Zone

KEY = bytes(range(32))
NOW = 1_800_000_000.0
MAC = "02:00:00:00:00:01"
WEB = MetadataInstance(
    "i-web",
    "vpc-a",
    ("10.0.0.10",),
    (
        ("dynamic/instance-identity/document", '{"region": "eu-west-1"}'),
        ("meta-data/iam/info", "{}"),
        ("meta-data/instance-id", "i-web"),
        (f"meta-data/network/interfaces/macs/{MAC}/mac", MAC),
        ("meta-data/tags/instance/a key", "its value"),
        ("user-data", "#!/bin/sh\n\udcff\n"),
    ),
    role_name="web",
)
CREDENTIALS = Secret('{"Code": "Success"}')


def call(
    path: str, *headers: str, method: str = "GET", instance: MetadataInstance = WEB, credentials: Secret | None = CREDENTIALS, now: float = NOW
) -> Response:
    request = parse("\r\n".join((f"{method} {path} HTTP/1.1", *headers, "", "")).encode("latin-1"))
    return metadata.respond(request, instance, MetadataTree(instance, credentials), KEY, now)


def read(path: str, **options: MetadataInstance | Secret | None) -> tuple[int, str]:
    response = call(path, f"X-aws-ec2-metadata-token: {tokens.issue(KEY, 'i-web', 60, NOW)}", **options)  # type: ignore[arg-type]
    return response.status, response.body.reveal()


def token(ttl: str) -> Response:
    return call("/latest/api/token", f"X-aws-ec2-metadata-token-ttl-seconds: {ttl}", method="PUT")


@pytest.mark.parametrize(
    ("path", "listing"),
    [
        ("/", "\n".join(metadata.VERSIONS)),
        ("/latest", "dynamic\nmeta-data\nuser-data"),
        ("/latest/", "dynamic\nmeta-data\nuser-data"),
        ("/2009-04-04/", "dynamic\nmeta-data\nuser-data"),
        ("/latest/meta-data/", "iam/\ninstance-id\nnetwork/\ntags/"),
        ("/latest/meta-data/iam", "info\nsecurity-credentials/"),
        ("/latest/meta-data/iam/security-credentials/", "web"),
        ("/latest/meta-data/network/interfaces/macs/", f"{MAC}/"),
        (f"/latest/meta-data/network/interfaces/macs/{MAC}", "mac"),
        ("/latest/meta-data/tags/instance/", "a key"),
    ],
)
def test_folders_list_their_entries(path: str, listing: str) -> None:
    assert read(path) == (200, listing)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/latest/meta-data/instance-id", "i-web"),
        ("/latest/meta-data/instance-id/", "i-web"),
        ("/1.0/meta-data/instance-id", "i-web"),
        ("/2021-03-23/meta-data/instance-id/", "i-web"),
        ("/latest/meta-data/instance-id?x=1", "i-web"),
        ("/latest/meta-data/tags/instance/a%20key", "its value"),
        ("/latest/meta-data/iam/security-credentials/web", '{"Code": "Success"}'),
        ("/latest/dynamic/instance-identity/document", '{"region": "eu-west-1"}'),
    ],
)
def test_files_are_served(path: str, text: str) -> None:
    assert read(path) == (200, text)


@pytest.mark.parametrize(
    "path",
    [
        "/latest/meta-data/nope", "/latest/meta-data/instance-id/x", "/latest//meta-data", "/latestx", "/2009-04-05/", "/2009-04-04x/meta-data/",
        "/2009-04-04/api/token", "/latest/../latest/user-data",
    ],
)  # fmt: skip
def test_unknown_paths_are_not_found(path: str) -> None:
    assert read(path)[0] == 404


def test_user_data_leaves_as_the_bytes_it_was() -> None:
    encoded = call("/latest/user-data", f"X-aws-ec2-metadata-token: {tokens.issue(KEY, 'i-web', 60, NOW)}").encode(head_only=False, keep_alive=True)
    head, _, body = encoded.partition(b"\r\n\r\n")
    assert body == b"#!/bin/sh\n\xff\n"
    assert b"Content-Length: 12\r\n" in head


def test_a_token_is_not_read() -> None:
    assert read("/latest/api/token")[0] == 405


def test_without_a_role_there_is_no_credentials_path() -> None:
    plain = replace(WEB, role_name="")
    assert read("/latest/meta-data/iam/security-credentials/", instance=plain)[0] == 404


def test_a_role_without_credentials_says_so_as_aws_does() -> None:
    status, body = read("/latest/meta-data/iam/security-credentials/web", credentials=None)
    assert status == 200
    assert json.loads(body)["Code"] == "AssumeRoleUnauthorizedAccess"


@pytest.mark.parametrize("ttl", ["1", "60", "21600", "00060"])
def test_tokens_are_issued_for_their_lifetime(ttl: str) -> None:
    response = token(ttl)
    assert (response.status, response.headers) == (200, (("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", str(int(ttl))),))
    value = response.body.reveal()
    assert tokens.valid(KEY, "i-web", value, NOW + int(ttl) - 1)
    assert not tokens.valid(KEY, "i-web", value, NOW + int(ttl))


@pytest.mark.parametrize("ttl", ["", "0", "21601", "-1", "1.5", "1e3", "²", "999999", "60, 60"])
def test_other_lifetimes_are_refused(ttl: str) -> None:
    assert token(ttl).status == 400


def test_a_lifetime_must_be_given_once() -> None:
    assert call("/latest/api/token", method="PUT").status == 400
    header = "X-aws-ec2-metadata-token-ttl-seconds: 60"
    assert call("/latest/api/token", header, header, method="PUT").status == 400


def test_no_token_is_good_for_longer_than_six_hours() -> None:
    """One that says so was issued by another clock."""
    issued = tokens.issue(KEY, "i-web", tokens.MAX_TTL_SECONDS, NOW)
    assert tokens.valid(KEY, "i-web", issued, NOW)
    assert not tokens.valid(KEY, "i-web", issued, NOW - 60)


def test_a_token_is_good_for_its_instance_only() -> None:
    foreign = tokens.issue(KEY, "i-other", 60, NOW)
    assert call("/latest/meta-data/instance-id", f"X-aws-ec2-metadata-token: {foreign}").status == 401
    assert not tokens.valid(bytes(32), "i-web", tokens.issue(KEY, "i-web", 60, NOW), NOW)


@pytest.mark.parametrize("value", ["", "x", "AAAA", "=" * 60, "ä", tokens.issue(KEY, "i-web", 60, NOW)[:-4]])
def test_forged_tokens_are_refused_even_when_none_is_needed(value: str) -> None:
    optional = replace(WEB, http_tokens="optional")
    assert call("/latest/meta-data/instance-id", f"X-aws-ec2-metadata-token: {value}", instance=optional).status == 401
    assert call("/latest/meta-data/instance-id", instance=optional).status == 200


def test_a_token_is_required_by_default() -> None:
    assert call("/latest/meta-data/instance-id").status == 401


@pytest.mark.parametrize(("method", "path"), [("GET", "/latest/meta-data/"), ("PUT", "/latest/api/token")])
def test_requests_through_a_proxy_are_refused(method: str, path: str) -> None:
    token_ = tokens.issue(KEY, "i-web", 60, NOW)
    headers = ("x-forwarded-for: 10.0.0.9", f"X-aws-ec2-metadata-token: {token_}", "X-aws-ec2-metadata-token-ttl-seconds: 60")
    assert call(path, *headers, method=method).status == 403


def test_a_disabled_endpoint_answers_nothing_but_403() -> None:
    disabled = replace(WEB, http_endpoint="disabled")
    assert call("/latest/meta-data/", instance=disabled).status == 403
    assert call("/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 60", method="PUT", instance=disabled).status == 403


@pytest.mark.parametrize(
    ("method", "path", "header", "status"),
    [
        ("PUT", "/1.0/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 60", 403),
        ("PUT", "/2021-03-23/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 60", 403),
        ("PUT", "/latest/meta-data/", "X-aws-ec2-metadata-token-ttl-seconds: 60", 405),
        ("POST", "/latest/meta-data/", "Accept: */*", 405),
        ("GET", "/latest/meta-data/", "Content-Length: 5", 413),
    ],
)
def test_other_requests_are_refused(method: str, path: str, header: str, status: int) -> None:
    assert call(path, header, method=method).status == status


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.1 \r\n\r\n",
        "GET  / HTTP/1.1\r\n\r\n",
        "get / HTTP/1.1\r\n\r\n",
        "GET http://x/ HTTP/1.1\r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        "GET / HTTP/1.1\r\n folded: x\r\n\r\n",
        "GET / HTTP/1.1\r\nname : x\r\n\r\n",
        "GET / HTTP/1.1\r\nname\r\n\r\n",
        "GET / HTTP/1.1\r\nname: a\x00b\r\n\r\n",
        "GET / HTTP/1.1\r\nname: a\nb: c\r\n\r\n",
        "GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\ncontent-length: 0\r\ncontent-length: 0\r\n\r\n",
        "GET / HTTP/1.1\r\ncontent-length: +1\r\n\r\n",
        "GET /%ff HTTP/1.1\r\n\r\n",
        "GET /" + "x" * 3000 + " HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\n" + "a: b\r\n" * 100 + "\r\n",
    ],
)
def test_malformed_heads_are_refused(head: str) -> None:
    with pytest.raises(BadRequest):
        parse(head.encode("latin-1"))


def test_connections_are_kept_as_the_version_says() -> None:
    assert parse(b"GET / HTTP/1.1\r\n\r\n").keep_alive
    assert not parse(b"GET / HTTP/1.1\r\nConnection: Close\r\n\r\n").keep_alive
    assert not parse(b"GET / HTTP/1.0\r\n\r\n").keep_alive
    assert parse(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive


def test_secrets_do_not_print() -> None:
    encoded = config.encode(NamesPlan(), KEY, {"i-web": {"SecretAccessKey": "hush"}})
    decoded = config.decode(encoded)
    response = call("/latest/meta-data/iam/security-credentials/web", credentials=Secret("hush"))
    assert "hush" not in repr((decoded, response))
    assert repr(KEY) not in repr(decoded)


def test_the_file_says_what_the_plan_says() -> None:
    zone = Zone("example.com.", (Record("a.example.com.", "A", 60, ("10.0.0.1",)),))
    plan = NamesPlan((Resolver("vpc-a", "vpc-a", ("10.0.0.2",), (zone,)), Resolver("vpc-b", "vpc-b", (), (), enabled=False)), (WEB,))
    encoded = config.encode(plan, KEY, {})
    assert config.decode(encoded).plan == plan
    assert config.decode(encoded).digest == config.digest_of(encoded)


def test_what_is_the_same_in_the_next_file_is_neither_written_nor_read_again() -> None:
    records = tuple(Record(f"n{number:04}.example.com.", "A", 60, (f"10.0.{number // 256}.{number % 256}",)) for number in range(300))
    memo, known, before = Memo(), None, b""
    for held in (records, records[:150] + records[151:], records[:20], records):
        zone = Zone("example.com.", held)
        plan = NamesPlan(tuple(Resolver(vpc, vpc, ("10.0.0.2",), (zone,)) for vpc in ("vpc-a", "vpc-b")), (WEB,))
        encoded = config.encode(plan, KEY, {}, memo)
        assert encoded == config.encode(plan, KEY, {})
        decoded = config.decode(encoded, known)
        assert decoded.plan == plan
        assert decoded.plan.resolvers[0].zones is decoded.plan.resolvers[1].zones
        if len(held) == len(records) - 1:
            assert len({*encoded.split(b"\n")} - {*before.split(b"\n")}) == 1, "one line of records"
        before, known = encoded, decoded.known


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"version":4', '"version":3'),
        ('"lines":4', '"lines":5'),
        ('"zone":', '"zonne":'),
        ('"origin":"a."', '"origin":1'),
        ('"records":1', '"records":2'),
        ('"records":[]', '"records":{}'),
        ('"zones":[0]', '"zones":[1]'),
        ('"zones":[0]', '"zones":[-1]'),
        ('"zones":0', '"zones":1'),
        ('"vpc_id":"vpc-a"', '"vpc_id":1'),
        ('"namespace":"vpc-a"', '"namespace":"../vpc-a"'),
        ('"token_key":"', '"token_key":"*'),
        ('"credentials":{}', '"credentials":[]'),
        ("}", ""),
    ],
)
def test_other_files_are_refused(old: str, new: str) -> None:
    whole = config.encode(NamesPlan((Resolver("vpc-a", "vpc-a", (), (Zone("a.", ()),)),)), KEY, {}).decode()
    assert old in whole
    with pytest.raises(config.BadConfig):
        config.decode(whole.replace(old, new, 1).encode())


def test_a_source_may_ask_so_often_and_no_more() -> None:
    now = [0.0]
    rate = RateBound(10, lambda: now[0], sources=2)
    assert [rate.allows("a") for _ in range(11)] == [True] * 10 + [False]
    assert rate.allows("b")
    now[0] = 0.1
    assert [rate.allows("a") for _ in range(2)] == [True, False]
    rate.allows("c")
    assert rate.allows("b")  # forgotten as the longest silent one, and known again


@pytest.mark.parametrize("goes_on", [True, False])
def test_an_answer_that_nobody_takes_is_given_up(*, goes_on: bool) -> None:
    size = 20_000_000

    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: str) -> bool:
        await reader.readexactly(1)
        writer.transport.set_write_buffer_limits(None if goes_on else 2 * size)
        writer.write(b"x" * size)
        return goes_on

    async def taken() -> int:
        connections = Connections(exchange, Bounds(total=4, per_source=1, seconds=0.2))
        async with await asyncio.start_server(connections.serve, "127.0.0.1", 0) as server:
            address = server.sockets[0].getsockname()
            with socket.create_connection(address, 10) as client:
                client.sendall(b"?")
                await asyncio.sleep(0.05)
                with socket.create_connection(address, 10) as second:
                    assert await asyncio.to_thread(second.recv, 1) == b"", "it has a place meanwhile"
                async with asyncio.timeout(10):
                    while connections.count:
                        await asyncio.sleep(0.01)
                return await asyncio.to_thread(_all, client)

    assert asyncio.run(taken()) < size


def _all(connection: socket.socket) -> int:
    found = 0
    with suppress(ConnectionError):
        while part := connection.recv(1 << 20):
            found += len(part)
    return found


class Written:
    """What a writer is to metadata: its socket, and what was written."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self.content = connection, b""

    def get_extra_info(self, _: str) -> socket.socket:
        return self.connection

    def write(self, content: bytes) -> None:
        self.content += content


@pytest.mark.parametrize(
    ("family", "source", "option"),
    [
        (socket.AF_INET, "10.0.0.10", (socket.SOL_IP, socket.IP_TTL)),
        (socket.AF_INET6, "2001:db8::10", (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)),
    ],
    ids=["ipv4", "ipv6"],
)
def test_the_hop_limit_holds_for_either_family(family: socket.AddressFamily, source: str, option: tuple[int, int]) -> None:
    state = MetadataState(lambda: NOW)
    instance = replace(WEB, addresses=(source,), hop_limit=3)
    state.served = Served({source: (instance, MetadataTree(instance, None))}, KEY)

    async def put(written: Written) -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(b"PUT /latest/api/token HTTP/1.1\r\nx-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n")
        await state.exchange(reader, written, source)  # type: ignore[arg-type]

    with socket.socket(family) as connection:
        written = Written(connection)
        asyncio.run(put(written))
        assert written.content.startswith(b"HTTP/1.1 200 ")
        assert connection.getsockopt(*option) == 3
