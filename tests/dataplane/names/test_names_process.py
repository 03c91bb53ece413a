"""The real process in two VPCs with equal addresses, asked by real clients from inside the instances' namespaces."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from names_lab import KEY, Lab, until

from latticewall.dataplane.names import config, tokens
from latticewall.dataplane.names.imds import HTTP_BOUNDS
from latticewall.dataplane.names.process import replace as replace_file
from latticewall.plan.names import MetadataInstance, NamesPlan, Record, Resolver, Zone

pytestmark = pytest.mark.netns

RESOLVERS = ("10.0.0.2", "169.254.169.253")
LONG = Record("long.example.com.", "A", 60, tuple(f"10.9.{number}.1" for number in range(200)))
DIG = """
import dns.message, dns.query, json, sys
for server in {servers}:
    query = dns.message.make_query({name!r}, {type!r})
    response, tcp = dns.query.udp_with_fallback(query, server, timeout=5)
    print(json.dumps([sorted(r.to_text() for s in response.answer for r in s), response.rcode(), tcp]))
"""
GETADDRINFO = """
import json, socket, time
began = time.monotonic()
try:
    answer = sorted({{item[4][0] for item in socket.getaddrinfo({name!r}, 80)}})
except socket.gaierror as error:
    answer = error.strerror
print(json.dumps([answer, time.monotonic() - began]))
"""
BOTOCORE = """
import json
from botocore.utils import InstanceMetadataFetcher, InstanceMetadataRegionFetcher
found = InstanceMetadataFetcher(timeout=5, num_attempts=1).retrieve_iam_role_credentials()
print(json.dumps([found, InstanceMetadataRegionFetcher(timeout=5, num_attempts=1).retrieve_region()]))
"""


def resolver(vpc: str, address: str, *more: Record) -> Resolver:
    records = (Record("web.example.com.", "A", 60, (address,)), Record("www.example.com.", "CNAME", 60, ("web.example.com.",)), LONG, *more)
    return Resolver(vpc, vpc, RESOLVERS, (Zone("example.com.", records),))


def instance(vpc: str, number: int, role: str = "", **options: Any) -> MetadataInstance:
    id_ = f"i-{vpc}-{number}"
    documents = (("meta-data/instance-id", id_), ("meta-data/placement/availability-zone", "eu-west-1a"), ("meta-data/placement/region", "eu-west-1"))
    return MetadataInstance(id_, vpc, (f"10.0.0.{number}",), documents, role, **options)


PLAN = NamesPlan(
    (resolver("vpc-a", "10.1.1.1"), resolver("vpc-b", "10.2.2.2")),
    (instance("vpc-a", 10, "web"), instance("vpc-a", 11), instance("vpc-b", 10, "other"), instance("vpc-b", 11, http_tokens="optional", hop_limit=3)),
)


def credentials(name: str) -> dict[str, str]:
    return {
        "Code": "Success", "LastUpdated": "2026-01-02T03:04:05Z", "Type": "AWS-HMAC", "AccessKeyId": f"ASIA{name}", "SecretAccessKey": f"secret-{name}",
        "Token": f"token-{name}", "Expiration": "2099-01-02T03:04:05Z",
    }  # fmt: skip


def with_options(instance_id: str, **options: Any) -> NamesPlan:
    return replace(PLAN, metadata=tuple(replace(item, **options) if item.instance_id == instance_id else item for item in PLAN.metadata))


CREDENTIALS = {"i-vpc-a-10": credentials("A"), "i-vpc-b-10": credentials("B")}


@pytest.fixture(autouse=True)
def served(lab: Lab) -> None:
    status = lab.serve(PLAN, CREDENTIALS)
    assert status["failures"] == []


def dig(lab: Lab, namespace: str, name: str, type_: str = "A", servers: tuple[str, ...] = ("10.0.0.2",)) -> list[Any]:
    program = DIG.format(servers=servers, name=name, type=type_)
    return [json.loads(line) for line in lab.run(namespace, lab.interpreter, "-c", program).splitlines()]


def imds(lab: Lab, namespace: str, path: str, *options: str, token: str | None = None) -> tuple[int, str]:
    """Status and body, with a fresh token unless one is given ("" = none)."""
    if token is None:
        token = put_token(lab, namespace)
    header = ("-H", f"X-aws-ec2-metadata-token: {token}") if token else ()
    printed = lab.run(namespace, "curl", "-sS", "-m", "5", "-w", "\n%{http_code}", *header, *options, f"http://169.254.169.254/latest/{path}")
    body, _, status = printed.rpartition("\n")
    return int(status), body


def put_token(lab: Lab, namespace: str) -> str:
    return lab.run(
        namespace, "curl", "-sS", "-m", "5", "-X", "PUT", "-H", "X-aws-ec2-metadata-token-ttl-seconds: 60", "http://169.254.169.254/latest/api/token"
    )


def test_equal_addresses_in_two_vpcs_get_their_own_answers(lab: Lab) -> None:
    for vpc, expected in (("a", "10.1.1.1"), ("b", "10.2.2.2")):
        assert dig(lab, f"i-{vpc}-10", "WWW.example.com", servers=RESOLVERS) == [[sorted([expected, "web.example.com."]), 0, False]] * 2


def test_the_systems_own_resolver_works_and_fails_fast(lab: Lab) -> None:
    assert lab.python("i-a-10", GETADDRINFO.format(name="www.example.com"))[0] == ["10.1.1.1"]
    for missing in ("missing.example.com", "www.elsewhere.org"):
        answer, seconds = lab.python("i-a-10", GETADDRINFO.format(name=missing))
        assert answer == "Name or service not known"
        assert seconds < 4.5  # without an answer it asks again after five seconds


def test_long_answers_come_over_tcp(lab: Lab) -> None:
    ((values, code, tcp),) = dig(lab, "i-a-10", "long.example.com")
    assert (len(values), code, tcp) == (200, 0, True)


def test_sdks_find_their_roles_credentials_and_region(lab: Lab) -> None:
    for vpc, role, name in (("a", "web", "A"), ("b", "other", "B")):
        found, region = lab.python(f"i-{vpc}-10", BOTOCORE)
        assert (found["role_name"], found["access_key"], found["secret_key"], found["token"]) == (role, f"ASIA{name}", f"secret-{name}", f"token-{name}")
        assert region == "eu-west-1"
    assert lab.python("i-a-11", BOTOCORE)[0] == {}


def test_a_token_of_another_instance_is_refused(lab: Lab) -> None:
    token = put_token(lab, "i-a-10")
    assert imds(lab, "i-a-10", "meta-data/instance-id", token=token) == (200, "i-vpc-a-10")
    for stranger in ("i-a-11", "i-b-10"):  # another address, and the same address in another VPC
        assert imds(lab, stranger, "meta-data/instance-id", token=token)[0] == 401


def test_tokens_are_required_unless_optional(lab: Lab) -> None:
    assert imds(lab, "i-a-10", "meta-data/instance-id", token="")[0] == 401
    assert imds(lab, "i-b-11", "meta-data/instance-id", token="") == (200, "i-vpc-b-11")
    assert imds(lab, "i-a-10", "meta-data/instance-id", "-H", "X-Forwarded-For: 10.0.0.99")[0] == 403


def test_nobody_is_served_on_an_address_that_is_no_instances(lab: Lab) -> None:
    assert imds(lab, "vpc-a", "meta-data/instance-id", token="x")[0] == 404


TTLS = """
import json, socket
def ttl(request):
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    raw.settimeout(5)
    client.sendall(request + b"\\r\\n\\r\\n")
    while True:
        packet = raw.recv(65535)
        if b"HTTP/1.1" in packet:
            return packet[8]
client = socket.create_connection(("169.254.169.254", 80), 5)
get = b"GET /latest/ HTTP/1.1"
put = b"PUT /latest/api/token HTTP/1.1\\r\\nX-aws-ec2-metadata-token-ttl-seconds: 60"
print(json.dumps([ttl(get), ttl(put), ttl(get)]))
"""


def test_the_answer_to_a_put_travels_as_many_hops_as_the_instance_allows(lab: Lab) -> None:
    """The client sees the time to live of the packets (the veth link takes no hop away). Nothing on the connection goes further after a PUT."""
    assert lab.python("i-b-11", TTLS) == [64, 3, 3]
    assert lab.python("i-a-10", TTLS) == [64, 2, 2]


def test_a_container_gets_a_token_only_when_the_hop_limit_allows(lab: Lab) -> None:
    """A namespace behind the instance, one hop further, that the instance hides behind its own address."""
    lab.attach_container("i-a-10", "container")
    token = ("curl", "-s", "-m", "1", "-X", "PUT", "-H", "X-aws-ec2-metadata-token-ttl-seconds: 60", "http://169.254.169.254/latest/api/token")
    assert tokens.valid(KEY, "i-vpc-a-10", lab.run("container", *token), time.monotonic())
    lab.serve(with_options("i-vpc-a-10", hop_limit=1), CREDENTIALS)
    assert lab.run("container", *token, check=False) == ""
    assert tokens.valid(KEY, "i-vpc-a-10", lab.run("i-a-10", *token), time.monotonic())
    unbounded = ("curl", "-s", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", "http://169.254.169.254/latest/meta-data/")
    assert lab.run("container", *unbounded) == "401"  # the limit is of PUT answers alone: other answers come, where no token is needed with what was asked for
    lab.serve(with_options("i-vpc-a-10", hop_limit=1, http_tokens="optional"), CREDENTIALS)
    assert lab.run("container", *unbounded) == "200"


def test_changed_options_take_effect(lab: Lab) -> None:
    token = put_token(lab, "i-a-10")
    lab.serve(with_options("i-vpc-a-10", http_endpoint="disabled"), CREDENTIALS)
    assert imds(lab, "i-a-10", "meta-data/instance-id", token=token)[0] == 403
    assert imds(lab, "i-b-10", "meta-data/instance-id")[0] == 200
    lab.serve(PLAN, CREDENTIALS)
    assert imds(lab, "i-a-10", "meta-data/instance-id", token=token)[0] == 200


def test_a_token_ends_with_its_lifetime(lab: Lab) -> None:
    brief = tokens.issue(KEY, "i-vpc-a-10", 4, time.monotonic())
    assert imds(lab, "i-a-10", "meta-data/instance-id", token=brief)[0] == 200
    until(lambda: imds(lab, "i-a-10", "meta-data/instance-id", token=brief)[0] == 401)


def test_a_client_that_stalls_or_babbles_is_dropped_and_others_go_on(lab: Lab) -> None:
    """Unfinished heads, a head without end, and more connections than one source may hold; what is over the bound is closed at once."""
    program = """
import json, select, socket, time
unfinished = [socket.create_connection(("169.254.169.254", 80), 5) for _ in range(40)]
for client in unfinished:
    client.sendall(b"GET / HTTP/1.1")
closed, deadline = [], time.monotonic() + 3
while len(closed) < 8 and time.monotonic() < deadline:
    closed, _, _ = select.select(unfinished, [], [], 0.1)
print(json.dumps(len(closed)))
for client in unfinished:
    client.close()
"""
    assert lab.python("i-a-11", program) == 40 - HTTP_BOUNDS.per_source
    babble = """
import json, socket
client = socket.create_connection(("169.254.169.254", 80), 5)
try:
    client.sendall(b"x" * 1000000)
    print(json.dumps(client.recv(1).decode()))
except ConnectionError:
    print(json.dumps(""))
"""
    assert lab.python("i-a-11", babble) == ""
    assert imds(lab, "i-a-10", "meta-data/instance-id") == (200, "i-vpc-a-10")
    assert "Traceback" not in lab.log()


def test_changes_take_effect_without_disturbing_others(lab: Lab) -> None:
    """A connection to vpc-b's resolver stays usable while vpc-a loses its resolver and gets it back."""
    off = replace(PLAN, resolvers=(replace(PLAN.resolvers[0], enabled=False, addresses=(), zones=()), PLAN.resolvers[1]))
    with lab.interactive("i-b-10", _PERSISTENT) as client:
        assert client.ask() == ["10.2.2.2"]
        lab.serve(off, CREDENTIALS)
        assert lab.run("i-a-10", "sh", "-c", "curl -sS -m 3 http://www.example.com/ || echo $?", check=False) == "6\n"
        assert client.ask() == ["10.2.2.2"]
        changed = replace(PLAN, resolvers=(resolver("vpc-a", "10.1.1.9"), resolver("vpc-b", "10.2.2.9")))
        lab.serve(changed, {**CREDENTIALS, "i-vpc-a-10": credentials("NEW")})
        assert client.ask() == ["10.2.2.9"]
    assert dig(lab, "i-a-10", "web.example.com") == [[["10.1.1.9"], 0, False]]
    assert json.loads(imds(lab, "i-a-10", "meta-data/iam/security-credentials/web")[1])["AccessKeyId"] == "ASIANEW"


_PERSISTENT = """
import dns.message, dns.query, json, socket, sys
connection = socket.create_connection(("10.0.0.2", 53), 5)
for _ in sys.stdin:
    response = dns.query.tcp(dns.message.make_query("web.example.com", "A"), "10.0.0.2", timeout=5, sock=connection)
    print(json.dumps([record.to_text() for record in response.answer[0]]), flush=True)
"""


def test_a_file_that_cannot_be_used_changes_nothing(lab: Lab) -> None:
    replace_file(lab.config, b'{"version": 1, "resolvers": [')
    rejected = lab.settled()["rejected"]
    assert rejected["digest"] == config.digest_of(lab.config.read_bytes())
    assert "JSONDecodeError" in rejected["reason"]
    assert dig(lab, "i-a-10", "web.example.com")[0][0] == ["10.1.1.1"]
    lab.config.unlink()
    until(lambda: "cannot be read" in lab.log())
    assert dig(lab, "i-a-10", "web.example.com")[0][0] == ["10.1.1.1"]
    lab.serve(PLAN, CREDENTIALS)
    until(lambda: lab.settled()["rejected"] is None)


def test_what_cannot_be_served_is_reported_and_the_rest_works(lab: Lab) -> None:
    missing = replace(resolver("vpc-x", "10.7.7.7"), namespace="vpc-x")
    bad = resolver("vpc-a", "10.1.1.1", Record("bad.example.com.", "A", 60, ("10.0.0.256",)))
    twin = replace(instance("vpc-a", 11), instance_id="i-twin")
    status = lab.serve(NamesPlan((bad, PLAN.resolvers[1], missing), (*PLAN.metadata, twin)), CREDENTIALS)
    reasons = {(kind, id_): reason for kind, id_, reason in status["failures"]}
    record, vpc = ("route53:ResourceRecordSet", "bad.example.com. A"), ("ec2:Vpc", "vpc-x")
    assert set(reasons) == {record, vpc, ("ec2:Instance", "i-vpc-a-11"), ("ec2:Instance", "i-twin")}
    assert "vpc-a" in reasons[record]
    assert "No such file" in reasons[vpc]
    assert dig(lab, "i-a-10", "web.example.com")[0][0] == ["10.1.1.1"]
    assert imds(lab, "i-a-11", "meta-data/instance-id", token="x")[0] == 404  # whose address is it? nobody's
    assert imds(lab, "i-a-10", "meta-data/instance-id")[0] == 200


def test_sockets_follow_a_namespace_that_is_made_again(lab: Lab) -> None:
    lab.remake("vpc-b")
    assert until(lambda: lab.run("vpc-b", "sh", "-c", "curl -s -m 2 -o /dev/null -w '%{http_code}' http://169.254.169.254/", check=False) == "404")


def test_tokens_outlive_the_process(lab: Lab) -> None:
    token = put_token(lab, "i-a-10")
    lab.stop(kill=True)
    lab.start()
    command = f"curl -s -m 2 -H 'X-aws-ec2-metadata-token: {token}' http://169.254.169.254/latest/meta-data/instance-id || true"
    assert until(lambda: lab.run("i-a-10", "sh", "-c", command)) == "i-vpc-a-10"


def test_it_ends_when_told_to(lab: Lab) -> None:
    assert lab.stop() == 0
    lab.start()
    lab.settled()
