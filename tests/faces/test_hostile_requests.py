"""Whatever is asked, in whatever bytes, the answer is one of the service's own: never a 500, and a refusal changes nothing.

Two kinds of requests, the same in every run: bytes that hardly mean anything on every path, and documents in the shape of every operation's input whose
values are taken from a pool of things that exist, things of another kind and things that are wrong.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from tests.region import ACCOUNT, CATALOG, NAME, WIRE, Region, client

from latticewall.apimodel.catalog import IN_SCOPE, Operation
from latticewall.apimodel.shapes import Shape
from latticewall.app import is_question
from latticewall.control_plane.services import registry
from latticewall.faces.http import Change
from latticewall.wire.message import HttpRequest, HttpResponse

SIGNED = f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260102/{NAME}/{{0}}/aws4_request, SignedHeaders=host, Signature={'0' * 64}"
BYTES = (
    *(b"", b"{", b"[]", b"null", b'{"a":', b"\xff\xfe\x00", b"<a>", b"<a", b"Action=", b"a=%zz&b", b"{}" * 50, b'{"name":1e999}', b"[" * 5000),
    *(b"%00", b"\x00" * 100),
)
SEGMENTS = (
    *("", "%00", "%ff", "..%2f..", "a" * 3000, "arn:aws:vpc-lattice:x", "arn%3Aaws%3A%3A%3A%3A%2F", "svc-0", "%E2%82%AC", "{}", "*", "%2e%2e", ":"),
    *("//", "%"),
)
QUERIES = (
    *("", "maxResults=x", "maxResults=-1", "nextToken=%00", "nextToken=" + "a" * 3000, "maxResults=1&maxResults=2", "tagKeys=&tagKeys=a", "&&=="),
    *("%ff=%ff", "a[]=1"),
)
TEXTS = (
    *("", " ", "a", "x" * 3000, "ünï→\U0001d4b3", "\x00", "\ud800", "../..", "arn:aws:", "0", "-1", "true", "*", "sn-0", "10.0.0.0/8", "::1"),
    *('{"Version":"2012-10-17"}', "{"),
)
NUMBERS = (0, 1, -1, 80, 443, 65535, 65536, 2**31, 2**63, -(2**63), 10**30)


def answer(region: Region, request: HttpRequest) -> int:
    """Its status, which is the same when the request is answered at once; changes that take little time are answered as if others waited."""
    before = region.store.revision
    known = region.endpoint.known(request)
    if known is not None and not is_question(known.operation):
        admitted = region.endpoint.admitted(request, "127.0.0.1", known)
        waiting = iter([[admitted]] if isinstance(admitted, Change) else [])
        together = region.endpoint.together(lambda: next(waiting, [])) or [admitted if isinstance(admitted, HttpResponse) else None]
        found, at_once = together[0] or region.endpoint.answer(request, "127.0.0.1"), None
    else:
        at_once = region.endpoint.at_once(request, "127.0.0.1", known) if known else None
        found = region.endpoint.answer(request, "127.0.0.1")
    assert at_once is None or (at_once.status, at_once.header("content-type")) == (found.status, found.header("content-type"))
    if found.status >= 400:
        assert region.store.revision == before, request
    return found.status


@pytest.mark.parametrize("service", IN_SCOPE)
def test_bytes(region: Region, service: str) -> None:
    model = CATALOG.service(service)
    rng = random.Random(service)
    for name in sorted(model.operations):
        operation = model.operations[name]
        for _ in range(6 if service == "vpc-lattice" else 2):
            assert answer(region, hostile(operation, rng)) != 500, name


def hostile(operation: Operation, rng: random.Random) -> HttpRequest:
    """A request that reaches the operation, or nearly."""
    path = operation.request_uri.partition("?")[0]
    for part in path.split("/"):
        if part.startswith("{"):
            path = path.replace(part, rng.choice(SEGMENTS), 1)
    headers = [("host", "127.0.0.1"), ("authorization", SIGNED.format(operation.service.signing_name))]
    protocol, body = operation.service.protocol, rng.choice(BYTES)
    if protocol == "json":
        headers += [("x-amz-target", f"{operation.service.target_prefix}.{operation.name}"), ("content-type", "application/x-amz-json-1.1")]
    elif protocol in ("query", "ec2"):
        headers.append(("content-type", "application/x-www-form-urlencoded"))
        body = f"Action={operation.name}&Version={operation.service.api_version}&".encode() + body
    return HttpRequest(operation.method, path or "/", rng.choice(QUERIES), tuple(headers), body)


PREFIXES = {
    "service": "svc-", "serviceNetwork": "sn-", "listener": "listener-", "rule": "rule-", "targetGroup": "tg-", "vpc": "vpc-", "resourceGateway": "rgw-",
    "resourceConfiguration": "rcfg-", "accessLogSubscription": "als-", "serviceNetworkVpcAssociation": "snva-", "serviceNetworkServiceAssociation": "snsa-",
    "serviceNetworkResourceAssociation": "snra-",
}  # fmt: skip
"""How ids of VPC Lattice begin, by the member that names one."""


class Pool:
    """Values for members: of what exists, of another kind, and wrong."""

    def __init__(self, rng: random.Random, known: list[str]) -> None:
        self.rng, self.known = rng, known

    def document(self, shape: Shape, depth: int = 0) -> dict[str, Any]:
        names = [name for name, member in shape.members.items() if not member.event_stream]
        if shape.union and names and self.rng.random() < 0.9:
            names = [self.rng.choice(names)]
        kept = [name for name in names if self.rng.random() < (0.98 if name in shape.required else 0.3)]
        return {name: self.value(shape.members[name], depth + 1, name) for name in kept}

    def value(self, shape: Shape, depth: int, name: str = "") -> Any:
        if self.rng.random() < 0.01:
            return self.rng.choice([None, [], {}, "text", 7, True])
        match shape.type:
            case "structure":
                return self.document(shape, depth) if depth < 6 else {}
            case "list":
                return [self.value(shape.member, depth + 1) for _ in range(self.rng.choice([0, 1, 1, 2, 3]))] if depth < 6 else []
            case "map":
                return {self.text(shape.key): self.value(shape.value, depth + 1) for _ in range(self.rng.choice([0, 1, 2]))} if depth < 6 else {}
            case "boolean":
                return self.rng.random() < 0.5
            case "integer" | "long":
                return self.rng.choice(NUMBERS)
            case "float" | "double":
                return self.rng.choice((0.0, 1.5, -1e300, 3.0))
            case "blob":
                return self.rng.choice((b"", b"\x00\xff", b"text"))
            case "timestamp":
                return self.rng.choice(("2026-01-02T00:00:00Z", 0, "1970-01-01T00:00:00Z"))
            case _:
                return self.text(shape, name)

    def text(self, shape: Shape, name: str = "") -> str:
        own = [known for known in self.known if known.startswith(PREFIXES.get(name.removesuffix("Identifier"), "?"))]
        if own and self.rng.random() < 0.8:
            return own[0]
        if shape.enum and self.rng.random() < 0.9:
            return self.rng.choice(shape.enum)
        return self.rng.choice(self.known if self.known and self.rng.random() < 0.6 else TEXTS)


def populated(region: Region) -> list[str]:
    """Ids, ARNs and names of one of everything of VPC Lattice, and of what it stands on."""
    vpc = region.vpc()
    subnet = region.subnet(vpc)
    group = region.ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    lattice = region.lattice
    network = lattice.create_service_network(name="shop", authType="AWS_IAM")
    service = lattice.create_service(name="orders", customDomainName="orders.example.com")
    config = {"port": 80, "protocol": "HTTP", "vpcIdentifier": vpc}
    target_group = lattice.create_target_group(name="web", type="IP", config=config)
    region.settle()
    lattice.register_targets(targetGroupIdentifier=target_group["id"], targets=[{"id": "10.0.1.9"}])
    action = {"forward": {"targetGroups": [{"targetGroupIdentifier": target_group["id"]}]}}
    listener = lattice.create_listener(serviceIdentifier=service["id"], name="http", protocol="HTTP", defaultAction=action)
    match = {"httpMatch": {"pathMatch": {"match": {"prefix": "/"}}}}
    rule = lattice.create_rule(
        serviceIdentifier=service["id"], listenerIdentifier=listener["id"], name="one", priority=1, match=match, action=action
    )
    joined = lattice.create_service_network_service_association(serviceIdentifier=service["id"], serviceNetworkIdentifier=network["id"])
    in_vpc = lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network["id"], vpcIdentifier=vpc, securityGroupIds=[group])
    gateway = lattice.create_resource_gateway(name="way", vpcIdentifier=vpc, subnetIds=[subnet])
    region.settle()
    definition = {"ipResource": {"ipAddress": "10.0.1.9"}}
    resource = lattice.create_resource_configuration(
        name="store", type="SINGLE", resourceGatewayIdentifier=gateway["id"], resourceConfigurationDefinition=definition
    )
    region.settle()
    made = lattice.create_service_network_resource_association(resourceConfigurationIdentifier=resource["id"], serviceNetworkIdentifier=network["id"])
    region.logs.create_log_group(logGroupName="lattice")
    destination = f"arn:aws:logs:{NAME}:{ACCOUNT}:log-group:lattice"
    logs = lattice.create_access_log_subscription(resourceIdentifier=service["id"], destinationArn=destination)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]})
    region.settle()
    answers = (network, service, target_group, listener, rule, joined, in_vpc, gateway, resource, made, logs)
    return [*(found[member] for found in answers for member in ("id", "arn")), vpc, subnet, group, destination, policy, "orders", "10.0.1.9", "lattice", "/"]


@pytest.mark.parametrize("seed", range(3))
def test_documents_about_a_whole_service_network(region: Region, seed: int) -> None:
    """Every operation of VPC Lattice over and over in random order: what is deleted on the way is gone for those that follow."""
    pool = Pool(random.Random(f"documents {seed}"), populated(region))
    operations = sorted(CATALOG.service("vpc-lattice").operations.values(), key=lambda item: item.name)
    succeeded = 0
    for round_ in range(6):
        for operation in pool.rng.sample(operations, len(operations)):
            succeeded += asked(region, "vpc-lattice", operation, pool)
        if round_ % 2:
            region.settle()
    assert succeeded > 30


@pytest.mark.parametrize("service", [name for name in sorted(registry().services) if name != "vpc-lattice"])
def test_documents_of_other_services(region: Region, service: str) -> None:
    known = registry().services[service].operations
    pool = Pool(random.Random(service), [region.vpc(), ACCOUNT, f"arn:aws:iam::{ACCOUNT}:role/x", "name", "10.0.0.0/16", NAME])
    for name in sorted(set(known) & set(client(service).meta.service_model.operation_names)):
        for _ in range(3):
            asked(region, service, CATALOG.service(service).operations[name], pool)


def asked(region: Region, service: str, operation: Operation, pool: Pool) -> bool:
    """Whether it succeeded."""
    before = region.store.revision
    document = pool.document(operation.input) if operation.input else {}
    try:
        client(service)._make_api_call(operation.name, document)
    except ClientError:
        refused = True
    except (ParamValidationError, BotoCoreError, ValueError, TypeError, AttributeError, KeyError, OverflowError):
        return False  # a client that cannot write this down
    else:
        refused = False
    assert WIRE.last_status != 500, (operation.name, document, WIRE.last_body)
    assert not refused or region.store.revision == before, (operation.name, document)
    return not refused


def test_everything_that_is_served_was_asked() -> None:
    assert set(registry().services) <= set(IN_SCOPE)


@pytest.fixture
def region(tmp_path: Path) -> Region:
    return Region(tmp_path)
