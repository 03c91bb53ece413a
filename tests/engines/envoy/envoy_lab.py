"""A small service network on the rig: plans, principals and signatures for the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from envoy_rig import GATEWAY, INSTANCE, RESOURCE, SERVICES, UPSTREAM, Rig, until

from latticewall.auth.sigv4 import derive_signing_key
from latticewall.compile.render.envoy import EnvoySnapshot, inconsistencies, render
from latticewall.dataplane.authorizer import config
from latticewall.dataplane.authorizer.service import STATUS_METHOD
from latticewall.dataplane.envoy.server import Outcome, XdsServer
from latticewall.plan.proxy import (
    AuthLayer,
    AuthorizationPlan,
    AuthPrincipal,
    Cluster,
    Endpoint,
    HttpListener,
    HttpRoute,
    ProxyPlan,
    RouteMatch,
    TcpListener,
    VirtualHost,
)

REGION = "eu-north-1"
ACCOUNT = "111122223333"
VPC_ARN = f"arn:aws:ec2:{REGION}:{ACCOUNT}:vpc/vpc-client"
NETWORK_ARN = f"arn:aws:vpc-lattice:{REGION}:{ACCOUNT}:servicenetwork/sn-0a"
HOST = "orders.example.com"
ALLOW_ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*"}]}'
ALLOW_ORGANIZATION = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*",'
    '"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-ours"}}}]}'
)
MAY_INVOKE = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"vpc-lattice-svcs:Invoke","Resource":"*"}]}'


def service_arn(service_id: str) -> str:
    return f"arn:aws:vpc-lattice:{REGION}:{ACCOUNT}:service/{service_id}"


def group_arn(name: str) -> str:
    return f"arn:aws:vpc-lattice:{REGION}:{ACCOUNT}:targetgroup/{name}"


def cluster(name: str = "tg-a", port: int = 8080, **options: Any) -> Cluster:
    return Cluster(name, "vpc-target", UPSTREAM, (Endpoint(INSTANCE, port),) if port else (), arn=group_arn(name), **options)


def forward(match: RouteMatch | None = None, rule: str = "rule-default", clusters: Sequence[tuple[str, int]] = (("tg-a", 100),)) -> HttpRoute:
    return HttpRoute(match or RouteMatch(), rule, clusters=tuple(clusters), target_groups=tuple((name, group_arn(name)) for name, _ in clusters))


def virtual_host(service: str = "svc-orders", domains: Sequence[str] = (HOST,), routes: Sequence[HttpRoute] = (), *, authorize: bool = False) -> VirtualHost:
    return VirtualHost(service_arn(service), service, NETWORK_ARN, "listener-1", tuple(domains), tuple(routes) or (forward(),), authorize)


def http_listener(*hosts: VirtualHost, port: int = 80) -> HttpListener:
    return HttpListener(f"http-vpc-client-{port}", "vpc-client", SERVICES, port, "vpc-client", VPC_ARN, hosts or (virtual_host(),))


def tcp_listener(*ports: tuple[int, int], **options: Any) -> TcpListener:
    plan = TcpListener(
        name="tcp-vpc-client-snra-1", namespace="vpc-client", address=RESOURCE, ports=ports, vpc_id="vpc-client", vpc_arn=VPC_ARN,
        resource_configuration_arn=f"arn:aws:vpc-lattice:{REGION}:{ACCOUNT}:resourceconfiguration/rcfg-1", association_id="snra-1",
        service_network_arn=NETWORK_ARN, target=INSTANCE, upstream_namespace="vpc-target", bind=GATEWAY,
    )  # fmt: skip
    return replace(plan, **options)


def plan(*hosts: VirtualHost, clusters: Sequence[Cluster] = (), tcp: Sequence[TcpListener] = ()) -> ProxyPlan:
    return ProxyPlan((http_listener(*hosts),), tuple(tcp), tuple(clusters) or (cluster(),))


@dataclass(frozen=True)
class Key:
    """An access key of the tests: what its owner knows, and the principal behind it."""

    principal: AuthPrincipal
    secret: str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

    @property
    def id(self) -> str:
        return self.principal.access_key_id

    def sign(self, path: str = "/", *, host: str = HOST, method: str = "GET", headers: Sequence[tuple[str, str]] = ()) -> list[tuple[str, str]]:
        """Headers to send, signed by botocore."""
        request = AWSRequest(method, f"http://{host}{path}", headers={**dict(headers), "x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
        SigV4Auth(Credentials(self.id, self.secret), "vpc-lattice-svcs", REGION).add_auth(request)
        return [(name, value) for name, value in request.headers.items() if name.lower() != "host"]


WEB = Key(
    AuthPrincipal(
        access_key_id="AKIAWEB", arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/web/i-1", account=ACCOUNT, principal_type="AssumedRole", user_id="AROAWEB:i-1",
        role_arn=f"arn:aws:iam::{ACCOUNT}:role/web", org_id="o-ours", org_paths=("o-ours/r-1/",), tags=(("team", "a;b"),), policies=(MAY_INVOKE,),
    )
)  # fmt: skip
STRANGER = Key(replace(WEB.principal, access_key_id="AKIASTRANGER", arn="arn:aws:sts::999988887777:assumed-role/x/s", account="999988887777", org_id="o-else"))
POWERLESS = Key(replace(WEB.principal, access_key_id="AKIAPOWERLESS", policies=()))


def configuration(network: str = ALLOW_ALL, *, keys: Sequence[Key] = (WEB, STRANGER, POWERLESS), service: str = "svc-orders") -> config.Configuration:
    """AWS_IAM on the service network with this policy, NONE on the service."""
    days = [(datetime.now(UTC) + timedelta(days=offset)).strftime("%Y%m%d") for offset in (-1, 0, 1)]
    derived = {key.id: {config.scope(day, REGION): derive_signing_key(key.secret, day, REGION, "vpc-lattice-svcs") for day in days} for key in keys}
    authorization = AuthorizationPlan(
        networks=(AuthLayer(NETWORK_ARN, "AWS_IAM", network),),
        services=(AuthLayer(service_arn(service), "NONE"),),
        vpc_owners=(("vpc-client", ACCOUNT),),
        principals=tuple(key.principal for key in keys),
    )
    return config.Configuration(authorization, derived)


@dataclass
class Lab:
    """The rig with its configuration server and its authorizer."""

    rig: Rig
    xds: XdsServer
    authorizer: subprocess.Popen[str] | None = None
    snapshot: EnvoySnapshot = field(default_factory=EnvoySnapshot)

    def publish(self, proxy: ProxyPlan) -> Outcome:
        """Make it so, and wait for Envoy's answer."""
        self.snapshot = render(proxy, self.rig.paths)
        assert not inconsistencies(self.snapshot)
        self.xds.publish(self.snapshot)
        outcome = self.xds.wait_settled(10)
        assert outcome.settled, outcome
        return outcome

    @property
    def configuration_file(self) -> Path:
        return self.rig.folder / "authz.json"

    def start_authorizer(self) -> None:
        argv = [sys.executable, "-m", "latticewall.dataplane.authorizer", "--config", str(self.configuration_file), "--socket", self.rig.sockets.authorizer]
        with (self.rig.folder / "authorizer.log").open("a") as log:
            self.authorizer = subprocess.Popen(argv, text=True, stdout=log, stderr=log)
        until(lambda: self.applied() is not None, "the authorizer answers")

    def stop_authorizer(self) -> None:
        if self.authorizer is not None:
            self.rig.stop(self.authorizer)
            self.authorizer = None

    def authorize(self, new: config.Configuration) -> None:
        """Put the configuration in place, as the applier does."""
        text = config.dump(new)
        temporary = self.configuration_file.with_suffix(".new")
        temporary.write_text(text)
        os.replace(temporary, self.configuration_file)
        if self.authorizer is not None:
            assert self.applied() == config.digest(text)

    def applied(self) -> str | None:
        """The digest of the configuration that the authorizer decides from, None while it does not answer."""
        with grpc.insecure_channel(f"unix:{self.rig.sockets.authorizer}") as channel:
            try:
                answer: bytes = channel.unary_unary(STATUS_METHOD)(b"", timeout=1)
            except grpc.RpcError:
                return None
        return answer.decode()

    def close(self) -> None:
        self.stop_authorizer()
        self.rig.close()
        self.xds.stop()
