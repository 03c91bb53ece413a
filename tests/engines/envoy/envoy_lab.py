"""A small service network on the rig: plans, principals and signatures for the tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from envoy_rig import GATEWAY, INSTANCE, RESOURCE, SERVICES, UPSTREAM, Rig

from latticewall.base.secret import Secret
from latticewall.compile.render.envoy import EnvoySnapshot, inconsistencies, render
from latticewall.dataplane.authorization.applier import AuthorizationApplier
from latticewall.dataplane.authorization.tables import Tables
from latticewall.dataplane.envoy.server import Outcome, XdsServer
from latticewall.plan.authorization import AuthIdentity, AuthKey, AuthLayer, AuthorizationPlan
from latticewall.plan.names import NamesPlan
from latticewall.plan.node import NodePlan
from latticewall.plan.proxy import (
    Cluster,
    Endpoint,
    HttpListener,
    HttpRoute,
    HttpServices,
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
    return HttpRoute(match or RouteMatch(), rule, clusters=tuple(clusters), target_groups=tuple((name, group_arn(name), "vpc-target") for name, _ in clusters))


def virtual_host(service: str = "svc-orders", domains: Sequence[str] = (HOST,), routes: Sequence[HttpRoute] = (), *, authorize: bool = False) -> VirtualHost:
    return VirtualHost(service_arn(service), service, NETWORK_ARN, "listener-1", tuple(domains), tuple(routes) or (forward(),), authorize)


def http_listener(*hosts: VirtualHost, port: int = 80, **options: Any) -> tuple[HttpListener, HttpServices]:
    """With the services that it leads to, which no other has."""
    name, hosts = f"http-vpc-client-{port}", hosts or (virtual_host(),)
    idle = max(host.idle_timeout for host in hosts)
    listener = HttpListener(name, "vpc-client", SERVICES, port, "vpc-client", VPC_ARN, name, ACCOUNT, idle_timeout=idle)
    return replace(listener, **options), HttpServices(name, port, "http", hosts)


def tcp_listener(*ports: tuple[int, int], **options: Any) -> TcpListener:
    plan = TcpListener(
        name="tcp-vpc-client-snra-1", namespace="vpc-client", address=RESOURCE, ports=ports, vpc_id="vpc-client", vpc_arn=VPC_ARN,
        resource_configuration_arn=f"arn:aws:vpc-lattice:{REGION}:{ACCOUNT}:resourceconfiguration/rcfg-1", association_id="snra-1",
        service_network_arn=NETWORK_ARN, upstream_namespace="vpc-target", gateway_id="rgw-1", sources=(GATEWAY,), targets=(INSTANCE,),
    )  # fmt: skip
    return replace(plan, **options)


def plan(*hosts: VirtualHost, port: int = 80, clusters: Sequence[Cluster] = (), tcp: Sequence[TcpListener] = ()) -> ProxyPlan:
    return also(ProxyPlan(tcp_listeners=tuple(tcp), clusters=tuple(clusters) or (cluster(),)), http_listener(*hosts, port=port))


def also(base: ProxyPlan, *more: tuple[HttpListener, HttpServices]) -> ProxyPlan:
    listeners, services = zip(*more, strict=True)
    return replace(base, http_listeners=(*base.http_listeners, *listeners), http_services=(*base.http_services, *services))


@dataclass(frozen=True)
class Key:
    """An access key of the tests: what its owner knows, and the principal behind it."""

    principal: AuthKey
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
    AuthKey(
        access_key_id="AKIAWEB", identity="AROAWEB", arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/web/i-1", account=ACCOUNT, principal_type="AssumedRole",
        user_id="AROAWEB:i-1", role_arn=f"arn:aws:iam::{ACCOUNT}:role/web", org_id="o-ours", org_paths=("o-ours/r-1/",), tags=(("team", "a;b"),),
    )
)  # fmt: skip
STRANGER = Key(replace(WEB.principal, access_key_id="AKIASTRANGER", arn="arn:aws:sts::999988887777:assumed-role/x/s", account="999988887777", org_id="o-else"))
POWERLESS = Key(replace(WEB.principal, access_key_id="AKIAPOWERLESS", identity="AROAPOWERLESS"))
IDENTITIES = (AuthIdentity("AROAWEB", (MAY_INVOKE,)), AuthIdentity("AROAPOWERLESS"))


def authorization(
    network: str = ALLOW_ALL, *, keys: Sequence[Key] = (WEB, STRANGER, POWERLESS), service: str = "svc-orders", audit: bool = False
) -> AuthorizationPlan:
    """AWS_IAM on the service network with this policy, NONE on the service."""
    return AuthorizationPlan(
        networks=(AuthLayer("sn-0a", NETWORK_ARN, "AWS_IAM", network, audit=audit),),
        services=(AuthLayer(service, service_arn(service), "NONE"),),
        identities=IDENTITIES,
        keys=tuple(key.principal for key in keys),
    )


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class Lab:
    """The rig with its configuration server and its authorization tables."""

    rig: Rig
    xds: XdsServer
    snapshot: EnvoySnapshot = field(default_factory=EnvoySnapshot)

    def __post_init__(self) -> None:
        self.applier = AuthorizationApplier(Tables(self.rig.tables), lambda _: Secret(WEB.secret), SystemClock())

    def publish(self, proxy: ProxyPlan) -> Outcome:
        """Make it so, and wait for Envoy's answer."""
        self.snapshot = render(proxy, self.rig.paths)
        assert not inconsistencies(self.snapshot)
        self.xds.publish(self.snapshot)
        outcome = self.xds.wait_settled(10)
        assert outcome.settled, outcome
        return outcome

    def authorize(self, new: AuthorizationPlan) -> None:
        """Put the tables in place; they are in force when this returns."""
        self.applier.apply(NodePlan(1, (), (), (), ProxyPlan(), new, NamesPlan(), ()))

    def close(self) -> None:
        self.rig.close()
        self.xds.stop()
