"""A region for tests: the real App with all services, the real authorisation and the real HTTP face, spoken to by boto3's clients without a socket.

`from tests.region import Region, region` in a folder's conftest gives its tests the fixture.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import IPv6Network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

from latticewall.apimodel.catalog import Catalog
from latticewall.app import App, iso
from latticewall.auth.callers import root
from latticewall.auth.certificate_authority import CertificateAuthority, new_authority
from latticewall.control_plane.access import authorise
from latticewall.control_plane.firewall_rules import FirewallRules
from latticewall.control_plane.functions import FunctionsPort
from latticewall.control_plane.key_sets import KeySets
from latticewall.control_plane.object_files import ObjectFiles
from latticewall.control_plane.services import registry
from latticewall.faces.http import Endpoint, UnknownInner
from latticewall.resources.settle import settle
from latticewall.store import Store
from latticewall.wire.message import HttpRequest

CATALOG = Catalog()
ACCOUNT = "111122223333"
NAME = "eu-north-7"
"""A region that AWS does not have: nothing may depend on a list of regions."""


class Clock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def now(self) -> datetime:
        self.moment += timedelta(milliseconds=1)
        return self.moment


class Sequence:
    """Bytes that look random and are the same in every run."""

    def __init__(self) -> None:
        self.count = 0

    def token_bytes(self, count: int) -> bytes:
        self.count += 1
        return hashlib.shake_256(str(self.count).encode()).digest(count)


@cache
def authority() -> CertificateAuthority:
    """One for the whole run: its key takes long to make."""
    return CertificateAuthority(*new_authority(datetime(2026, 1, 1, tzinfo=UTC)))


class Raw:
    """A response's body as botocore reads it."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.body

    def read(self, *_: Any, **__: Any) -> bytes:
        body, self.body = self.body, b""
        return body


class Wire:
    """Where the clients' requests go: the endpoint of the test that runs."""

    endpoint: Endpoint | None = None
    last_status = 0
    last_body = b""

    def send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        url = urlsplit(str(request.url))
        headers = tuple((str(key), value.decode() if isinstance(value, bytes) else str(value)) for key, value in request.headers.items())
        body = request.body.read() if hasattr(request.body, "read") else request.body or b""
        body = body.encode() if isinstance(body, str) else bytes(body)
        assert self.endpoint is not None
        if not any(name.lower() == "host" for name, _ in headers):  # awscrt's signer, where installed, has set it
            headers = (*headers, ("host", url.netloc))
        answer = self.endpoint.answer(HttpRequest(str(request.method), url.path or "/", url.query, headers, body), "127.0.0.1")
        self.last_status, self.last_body = answer.status, answer.stream.read() if answer.stream else answer.body
        return AWSResponse(str(request.url), answer.status, dict(answer.headers), Raw(self.last_body))


WIRE = Wire()


@cache
def client(service: str, key: str = ACCOUNT, region: str = NAME, secret: str = "any", token: str | None = None) -> Any:
    """A boto3 client whose requests go over WIRE. In open mode a known access key speaks for its owner, a 12-digit one for that account's root."""
    found = boto3.client(
        service, region_name=region, aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token,
        endpoint_url="http://127.0.0.1:4566", config=Config(parameter_validation=False, retries={"max_attempts": 0}),
    )  # fmt: skip
    found.meta.events.register("before-send.*", WIRE.send)
    return found


class Region:
    """firewall, iam, ...: clients of the account's root."""

    def __init__(self, folder: Path, *, open_mode: bool = True, clock: Any = None) -> None:
        self.clock = clock or Clock()
        self.store = Store(folder / "state.sqlite", lambda: iso(self.clock.now()))
        self.objects = ObjectFiles(folder / "s3", Sequence())
        (folder / "functions" / "packages").mkdir(parents=True, exist_ok=True)
        functions = FunctionsPort(folder / "functions", folder / "door.sock", self.clock, Sequence())
        ports = {
            "firewall_rules": FirewallRules(), "target_health": lambda _: {}, "console_output": lambda _: "", "key_sets": KeySets(), "catalog": CATALOG,
            "certificate_authority": authority(),
            "objects": self.objects,
            "functions": functions,
            "postgresql": lambda: ("15.14", "13.20"),
        }  # fmt: skip
        self.app = App(self.store, registry(), CATALOG, self.clock, Sequence(), authorise=authorise, ports=ports)
        self.endpoint = Endpoint(
            self.app, ACCOUNT, NAME, inner=self.inner, catch_up=lambda: None, open_mode=open_mode, download=functions.download,
            in_progress=lambda _: False,
        )  # fmt: skip
        WIRE.endpoint = self.endpoint
        self.ec2, self.iam, self.sts, self.logs, self.ssm, self.route53, self.organizations, self.firewall, self.lattice, self.elbv2 = (
            client(name) for name in ("ec2", "iam", "sts", "logs", "ssm", "route53", "organizations", "network-firewall", "vpc-lattice", "elbv2")
        )

    def inner(self, path: str, params: Mapping[str, Any]) -> Any:
        if path != "echo":
            raise UnknownInner
        return {"given": params}

    def of(self, account: str, service: str, region: str = NAME) -> Any:
        """A client of another account's root, or of another region."""
        return client(service, account, region)

    @property
    def last_status(self) -> int:
        return WIRE.last_status

    @property
    def last_body(self) -> bytes:
        return WIRE.last_body

    def settle(self, failures: Mapping[str, str] | None = None, unsettled: Collection[str] = ()) -> None:
        """The data plane has applied everything so far, except what failed (id -> reason) and what is on its way."""
        with self.store.write() as tx:
            settle(self.app.context(tx, root(ACCOUNT, NAME), "ec2", "settle", "request"), tx.revision, failures or {}, unsettled)

    @contextmanager
    def refused(self, code: str, words: str = "") -> Iterator[dict[str, Any]]:
        """The call inside is refused with that code, says these words, and changes nothing. Yields what the error body will hold."""
        before = self.store.revision
        held: dict[str, Any] = {}
        with pytest.raises(ClientError) as caught:
            yield held
        held.update(caught.value.response)
        assert held["Error"]["Code"] == code, held
        assert words in held["Error"]["Message"], held
        assert self.store.revision == before

    # -- pieces that many tests need ---------------------------------------------------------------------------------------------------------

    def vpc(self, cidr: str = "10.0.0.0/16") -> str:
        return str(self.ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"])

    def subnet(self, vpc: str, cidr: str = "10.0.1.0/24", zone: str = "a") -> str:
        return str(self.ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=NAME + zone)["Subnet"]["SubnetId"])

    def ipv6_only(self, vpc: str, zone: str = "b") -> tuple[str, IPv6Network]:
        """A subnet without IPv4 in the VPC, which gets an IPv6 block, and its block."""
        block = self.ec2.associate_vpc_cidr_block(VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"]
        own = list(IPv6Network(block).subnets(new_prefix=64))[-1]
        made = self.ec2.create_subnet(VpcId=vpc, Ipv6CidrBlock=str(own), Ipv6Native=True, AvailabilityZone=NAME + zone)
        return str(made["Subnet"]["SubnetId"]), own

    def as_user(self, service: str, policy: str, name: str = "alice", **tags: str) -> Any:
        """A client of an IAM user (made when new) with this inline policy and no other."""
        if name not in {user["UserName"] for user in self.iam.list_users()["Users"]}:
            self.iam.create_user(UserName=name, Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
            self.keys = {**getattr(self, "keys", {}), name: self.iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]}
        self.iam.put_user_policy(UserName=name, PolicyName="only", PolicyDocument=policy)
        return client(service, self.keys[name])


@pytest.fixture
def region(tmp_path: Path) -> Region:
    return Region(tmp_path)
