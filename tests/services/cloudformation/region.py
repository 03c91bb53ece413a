"""A region with every service for stacks to work in: the real App, HTTP face and runner; boto3 speaks to it without a socket in between."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
import yaml
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.region import authority

from latticewall.apimodel.catalog import Catalog
from latticewall.app import App, iso
from latticewall.auth.callers import root
from latticewall.control_plane.firewall_rules import FirewallRules
from latticewall.control_plane.functions import FunctionsPort
from latticewall.control_plane.services import registry
from latticewall.faces.http import Endpoint
from latticewall.resources.settle import settle
from latticewall.services.cloudformation.runner import StackRunner
from latticewall.store import Store
from latticewall.wire.message import HttpRequest

CATALOG = Catalog()
ACCOUNT, NAME = "111122223333", "eu-north-7"
WALKTHROUGH = Path(__file__).parents[3] / "examples" / "walkthrough"
needs_suricata = pytest.mark.skipif(shutil.which("suricata") is None, reason="suricata is not on this machine's PATH")
MOST_ROUNDS = 40


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

    def send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        url = urlsplit(str(request.url))
        headers = tuple((str(key), value.decode() if isinstance(value, bytes) else str(value)) for key, value in request.headers.items())
        body = request.body.read() if hasattr(request.body, "read") else request.body or b""
        body = body.encode() if isinstance(body, str) else bytes(body)
        assert self.endpoint is not None
        answer = self.endpoint.answer(HttpRequest(str(request.method), url.path or "/", url.query, (*headers, ("host", url.netloc)), body), "127.0.0.1")
        return AWSResponse(str(request.url), answer.status, dict(answer.headers), Raw(answer.body))


WIRE = Wire()


@cache
def client(service: str) -> Any:
    """A boto3 client whose requests go over WIRE; in open mode a 12-digit access key names the account."""
    found = boto3.client(
        service, region_name=NAME, aws_access_key_id=ACCOUNT, aws_secret_access_key="any", endpoint_url="http://127.0.0.1:4566",
        config=Config(retries={"max_attempts": 0}),
    )  # fmt: skip
    found.meta.events.register("before-send.*", WIRE.send)
    return found


class Region:
    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.store = Store(folder / "state.sqlite", lambda: iso(self.clock.now()))
        (folder / "functions" / "packages").mkdir(parents=True)
        self.functions = FunctionsPort(folder / "functions", folder / "door.sock", self.clock, Sequence())
        ports = {"firewall_rules": FirewallRules(), "target_health": lambda _: {}, "functions": self.functions, "certificate_authority": authority()}
        ports["postgresql"] = lambda: ("15.14",)
        self.app = App(self.store, registry(), CATALOG, self.clock, Sequence(), authorise=lambda *_: None, ports=ports)
        self.caller = root(ACCOUNT, NAME)
        self.runner = StackRunner(self.app)
        WIRE.endpoint = Endpoint(self.app, ACCOUNT, NAME, lambda _path, _params: None, lambda: None, open_mode=True)
        self.stacks, self.ec2, self.lattice, self.iam, self.route53, self.logs, self.firewall, self.ssm = (
            client(name) for name in ("cloudformation", "ec2", "vpc-lattice", "iam", "route53", "logs", "network-firewall", "ssm")
        )

    # -- time passes -----------------------------------------------------------------------------------------------------------------------

    def settle(self, failures: Mapping[str, str] | None = None) -> int:
        """The data plane has applied everything so far, except what failed (id -> reason). How many rows moved."""
        with self.store.write() as tx:
            return settle(self.app.context(tx, self.caller, "ec2", "settle", "request"), tx.revision, failures or {})

    def work(self, runner: StackRunner | None = None, *, failing: Mapping[str, str] | None = None) -> None:
        """Runner and data plane take turns until neither has anything to do. failing: kind -> reason why what is made of it fails."""
        for _ in range(MOST_ROUNDS):
            stepped = False
            while (runner or self.runner).step():
                stepped = True
            if not self.settle(self._ids(failing or {})) and not stepped:
                return
        pytest.fail("the stack does not come to an end")

    def _ids(self, failing: Mapping[str, str]) -> dict[str, str]:
        with self.store.read() as snapshot:
            return {row.id: reason for kind, reason in failing.items() for row in snapshot.rows(kind)}

    # -- stacks ----------------------------------------------------------------------------------------------------------------------------

    def deploy(self, template: Any, name: str = "demo", *, parameters: Mapping[str, str] | None = None, **more: Any) -> str:
        """Create or update a stack and work it to its end. Its status."""
        body = template if isinstance(template, str) else json.dumps(template)
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in (parameters or {}).items()]
        present = [stack for stack in self.stacks.describe_stacks()["Stacks"] if stack["StackName"] == name]
        operation = self.stacks.update_stack if present else self.stacks.create_stack
        operation(StackName=name, TemplateBody=body, Parameters=given, Capabilities=["CAPABILITY_NAMED_IAM"], **more)
        self.work()
        return self.status(name)

    def delete(self, name: str = "demo") -> str:
        stack = self.stacks.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
        self.stacks.delete_stack(StackName=name)
        self.work()
        return self.status(stack)

    def status(self, name: str = "demo") -> str:
        return str(self.stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])

    def outputs(self, name: str = "demo") -> dict[str, str]:
        return {output["OutputKey"]: output["OutputValue"] for output in self.stacks.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]}

    def resources(self, name: str = "demo") -> dict[str, dict[str, Any]]:
        return {found["LogicalResourceId"]: found for found in self.stacks.describe_stack_resources(StackName=name)["StackResources"]}

    def physical(self, logical_id: str, name: str = "demo") -> str:
        return str(self.resources(name)[logical_id]["PhysicalResourceId"])

    def events(self, name: str = "demo") -> list[tuple[str, str, str]]:
        """(logical id, status, reason), the oldest first."""
        pages = self.stacks.get_paginator("describe_stack_events").paginate(StackName=name)
        found = [event for page in pages for event in page["StackEvents"]]
        return [(event["LogicalResourceId"], event["ResourceStatus"], event.get("ResourceStatusReason", "")) for event in reversed(found)]

    def reasons(self, name: str = "demo") -> str:
        return "; ".join(f"{logical} {status}: {reason}" for logical, status, reason in self.events(name) if "FAILED" in status)

    def counts(self) -> Counter[str]:
        """Live rows by kind, without those of stacks, of AWS's own prefix lists and of service-linked roles, which outlive what they were made for."""
        with self.store.read() as snapshot:
            rows = snapshot.rows()
        live = [row.kind for row in rows if row.status != "deleted" and "/aws-service-role/" not in row.arn]
        return Counter(kind for kind in live if kind != "ec2:ManagedPrefixList" and not kind.startswith("cloudformation:"))

    @contextmanager
    def refused(self, code: str, words: str = "") -> Iterator[None]:
        """The call inside is refused with that code and these words, and changes nothing."""
        before = self.store.revision
        with pytest.raises(ClientError) as caught:
            yield
        error = caught.value.response["Error"]
        assert error["Code"] == code, error
        assert words in error["Message"]
        assert self.store.revision == before


def walkthrough(scenario: str) -> str:
    return (WALKTHROUGH / f"{scenario}.yaml").read_text()


def yaml_of(document: Any) -> str:
    return yaml.safe_dump(document, sort_keys=False)
