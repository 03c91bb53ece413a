"""A region for tests: the real App and the real HTTP face, spoken to by boto3's own clients without a socket in between."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
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
from latticewall.base.caller import Caller
from latticewall.faces.http import Endpoint
from latticewall.resources.registry import Registry
from latticewall.resources.settle import settle
from latticewall.services import ec2, elbv2, firehose, iam, logs, route53, s3, servicequotas, vpc_lattice
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
        return hashlib.sha256(str(self.count).encode()).digest()[:count]


class Raw:
    """A response's body as botocore reads it."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.body


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
        answer = self.endpoint.answer(HttpRequest(str(request.method), url.path or "/", url.query, (*headers, ("host", url.netloc)), body), "127.0.0.1")
        self.last_status, self.last_body = answer.status, answer.body
        return AWSResponse(str(request.url), answer.status, dict(answer.headers), Raw(answer.body))


WIRE = Wire()


@cache
def client(service: str, account: str = ACCOUNT, region: str = NAME) -> Any:
    """A boto3 client whose requests go over WIRE; in open mode a 12-digit access key names the account. They check nothing themselves."""
    found = boto3.client(
        service, region_name=region, aws_access_key_id=account, aws_secret_access_key="any", endpoint_url="http://127.0.0.1:4566",
        config=Config(parameter_validation=False, retries={"max_attempts": 0}),
    )  # fmt: skip
    found.meta.events.register("before-send.*", WIRE.send)
    return found


class Region:
    """health: what the data plane says of targets, target group id -> {(address, port): status}."""

    def __init__(self, folder: Path) -> None:
        self.health: dict[str, Mapping[tuple[str, int], str]] = {}
        self.clock = clock = Clock()
        self.store = Store(folder / "state.sqlite", lambda: iso(clock.now()))
        services = (ec2, elbv2, firehose, iam, logs, route53, s3, servicequotas, vpc_lattice)
        registry = Registry(tuple(service.SERVICE for service in services))
        self.app = App(
            self.store, registry, CATALOG, clock, Sequence(), authorise=lambda *_: None, ports={"target_health": lambda group: self.health.get(group, {})}
        )
        self.endpoint = Endpoint(self.app, ACCOUNT, NAME, inner=lambda path, params: {}, catch_up=lambda: None, open_mode=True)
        self.plug()
        self.lattice, self.ec2, self.elbv2, self.logs, self.route53 = (client(name) for name in ("vpc-lattice", "ec2", "elbv2", "logs", "route53"))

    def plug(self) -> None:
        """The clients speak to this region from now on: as a new one does, and one that several tests share must."""
        WIRE.endpoint = self.endpoint

    def lattice_of(self, account: str) -> Any:
        return client("vpc-lattice", account)

    @property
    def last_status(self) -> int:
        """The HTTP status of the last answer."""
        return WIRE.last_status

    @property
    def last_body(self) -> bytes:
        """The body of the last answer, as sent."""
        return WIRE.last_body

    def settle(self, failures: Mapping[str, str] | None = None) -> None:
        """The data plane has applied everything so far, except what failed (id -> reason)."""
        with self.store.write() as tx:
            ctx = self.app.context(tx, Caller(ACCOUNT, NAME, "arn:aws:iam::111122223333:root"), "vpc-lattice", "settle", "request")
            settle(ctx, tx.revision, failures or {})

    @contextmanager
    def refused(self, code: str, words: str = "") -> Iterator[dict[str, Any]]:
        """The call inside is refused with that code, says these words, and changes nothing. Yields what the error body will hold."""
        before = self.store.revision
        held: dict[str, Any] = {}
        with pytest.raises(ClientError) as caught:
            yield held
        held.update(caught.value.response)
        assert held["Error"]["Code"] == code, held
        operation = CATALOG.service("vpc-lattice").operations.get(caught.value.operation_name)
        if operation and (operation.name, code) != ("DeleteTargetGroup", "AccessDeniedException"):  # the model forgets it, IAM does not
            modelled = {error.name: error for error in operation.errors}
            assert code in modelled, f"{operation} does not model {code}"
            assert all(held.get(member) for member in modelled[code].required), held
        assert words in held["Error"]["Message"]
        assert self.store.revision == before

    # -- pieces that many tests need ---------------------------------------------------------------------------------------------------------

    def vpc(self, cidr: str = "10.0.0.0/16") -> str:
        return str(self.ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"])

    def subnet(self, vpc: str, cidr: str = "10.0.1.0/24", zone: str = "a") -> str:
        return str(self.ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=NAME + zone)["Subnet"]["SubnetId"])

    def group(self, vpc: str, name: str = "clients") -> str:
        return str(self.ec2.create_security_group(VpcId=vpc, GroupName=name, Description="for tests")["GroupId"])

    def instance(self, subnet: str) -> dict[str, Any]:
        image = self.ec2.describe_images()["Images"][0]
        kind = "t4g.micro" if image["Architecture"] == "arm64" else "t3.micro"
        answer = self.ec2.run_instances(ImageId=image["ImageId"], InstanceType=kind, MinCount=1, MaxCount=1, SubnetId=subnet)
        return dict(answer["Instances"][0])

    def network(self, name: str = "mesh", **more: Any) -> str:
        return str(self.lattice.create_service_network(name=name, **more)["id"])

    def service(self, name: str = "orders", **more: Any) -> str:
        return str(self.lattice.create_service(name=name, **more)["id"])

    def target_group(self, vpc: str, name: str = "orders", *, kind: str = "INSTANCE", **config: Any) -> str:
        """A target group that is ready."""
        created = self.lattice.create_target_group(name=name, type=kind, config={"port": 5044, "protocol": "HTTP", "vpcIdentifier": vpc, **config})
        self.settle()
        return str(created["id"])

    def listener(self, service: str, name: str = "web", port: int = 80, **action: Any) -> str:
        default = action or {"fixedResponse": {"statusCode": 404}}
        return str(self.lattice.create_listener(serviceIdentifier=service, name=name, protocol="HTTP", port=port, defaultAction=default)["id"])

    def used(self, service: str, vpc: str) -> tuple[str, str]:
        """The service is in a service network, and the VPC too; the ids of their associations."""
        network = self.network()
        joined = self.lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=service)["id"]
        entered = self.lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=vpc)["id"]
        self.settle()
        return str(joined), str(entered)

    def gateway(self, vpc: str, subnet: str, name: str = "gate", **more: Any) -> str:
        return str(self.lattice.create_resource_gateway(name=name, vpcIdentifier=vpc, subnetIds=[subnet], **more)["id"])

    def configuration(self, gateway: str, name: str = "cache", **more: Any) -> str:
        params = {
            "type": "SINGLE", "portRanges": ["6379"], "resourceConfigurationDefinition": {"ipResource": {"ipAddress": "10.0.1.7"}}, **more,
        }  # fmt: skip
        return str(self.lattice.create_resource_configuration(name=name, resourceGatewayIdentifier=gateway, **params)["id"])

    def log_group(self, name: str = "/lattice/access") -> str:
        self.logs.create_log_group(logGroupName=name)
        return f"arn:aws:logs:{NAME}:{ACCOUNT}:log-group:{name}"


def forward(*groups: str, **weights: int) -> dict[str, Any]:
    """A forward action; weights: target group's position as w0, w1 -> weight."""
    listed = [{"targetGroupIdentifier": group, **({"weight": weights[f"w{at}"]} if f"w{at}" in weights else {})} for at, group in enumerate(groups)]
    return {"forward": {"targetGroups": listed}}


def body(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without what boto3 adds."""
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}
