"""The service network as Envoy will carry it."""

from __future__ import annotations

from dataclasses import dataclass

from latticewall.plan.health_checkers import HealthChecker
from latticewall.plan.https import Certificate, ServerNames
from latticewall.plan.load_balancers import BalancerSocket
from latticewall.plan.tls_passthrough import TlsListener

NOWHERE = "255.255.255.255"
"""An address to which Linux refuses every TCP connection without sending a packet."""


@dataclass(frozen=True, order=True)
class Endpoint:
    """A target of a cluster. health: how the control plane sees it ("" = Envoy's own checks decide)."""

    address: str
    port: int


@dataclass(frozen=True)
class HealthCheck:
    """Active health check (seconds; thresholds are counts). port 0 = the traffic port. codes: ranges of accepted HTTP status, [first, last]."""

    path: str
    interval: int
    timeout: int
    healthy: int
    unhealthy: int
    port: int = 0
    codes: tuple[tuple[int, int], ...] = ((200, 200),)
    protocol: str = "HTTP"
    version: str = "HTTP1"
    """HTTP1 or HTTP2."""
    user_agent: str = ""
    """"" = the proxy's own."""
    grpc: bool = False
    """A call of the method `path`, with an empty message."""
    by_checker: bool = False
    """The load balancer's checker asks the target: it knows what must come back, and how targets are spoken to."""


@dataclass(frozen=True)
class Cluster:
    """Where requests or connections go.

    name: unique; the target group's or the resource association's id plus the VPC when one group is used from several. namespace:
    of the target's VPC, where upstream sockets are opened. bind: source address there. protocol: HTTP1, HTTP2, GRPC, TCP. tls: to the target
    (never verified, as AWS documents). connect_timeout, idle_timeout in seconds. socket: instead of endpoints and a namespace, a unix socket below the
    region's folder for running things.
    """

    name: str
    namespace: str
    bind: str
    endpoints: tuple[Endpoint, ...]
    protocol: str = "HTTP1"
    tls: bool = False
    health_check: HealthCheck | None = None
    connect_timeout: int = 5
    idle_timeout: int = 60
    arn: str = ""
    socket: str = ""
    algorithm: str = "round_robin"
    """Also least_outstanding_requests and weighted_random, for load balancers."""
    slow_start: int = 0
    """Seconds in which a new target gets its full share, 0 = at once."""
    load_balancer_id: str = ""
    """Whose node sends there, "" for the service network."""


@dataclass(frozen=True)
class HeaderMatch:
    """name lower case; mode exact, prefix or contains."""

    name: str
    value: str
    mode: str = "exact"
    case_sensitive: bool = False


@dataclass(frozen=True)
class RouteMatch:
    """All given conditions must hold. path_mode: exact, prefix or any."""

    path: str = "/"
    path_mode: str = "any"
    case_sensitive: bool = True
    method: str = ""
    headers: tuple[HeaderMatch, ...] = ()


@dataclass(frozen=True)
class HttpRoute:
    """One listener rule, in order of evaluation. Either weighted clusters [(cluster name, weight)] or a fixed status code.

    target_groups: (cluster name, target group ARN, its VPC or "") for the headers and logs. versions: the protocol version of each cluster, in their order:
    what a target does not speak is refused. () = nobody asks.
    """

    match: RouteMatch
    rule_id: str
    clusters: tuple[tuple[str, int], ...] = ()
    fixed_status: int = 0
    target_groups: tuple[tuple[str, str, str], ...] = ()
    versions: tuple[str, ...] = ()


@dataclass(frozen=True)
class VirtualHost:
    """One service as seen through one of its listeners in a service network. domains: host names without port, lower case."""

    service_arn: str
    service_id: str
    service_network_arn: str
    listener_id: str
    domains: tuple[str, ...]
    routes: tuple[HttpRoute, ...]
    authorize: bool
    """False only when neither the service network nor the service has authType AWS_IAM."""
    idle_timeout: int = 60


@dataclass(frozen=True)
class HttpServices:
    """All services of a service network with an HTTP listener on a port, or all with an HTTPS one, by the names that they have in VPCs or at an endpoint.
    There are many, and many sockets lead to the same: so sockets know them by name only, and one service more is no other socket."""

    name: str
    port: int
    scheme: str
    hosts: tuple[VirtualHost, ...]


@dataclass(frozen=True)
class HttpListener:
    """One socket in a client VPC's namespace: address:port. services: the name of the HttpServices that it leads to. idle_timeout: in seconds, the longest
    that one of these allows; over HTTPS each server name has its own."""

    name: str
    namespace: str
    address: str
    port: int
    vpc_id: str
    vpc_arn: str
    services: str
    vpc_owner: str = ""
    """The account of the VPC."""
    vpc_endpoint_id: str = ""
    """The endpoint whose namespace it is in, "" inside the VPC's own."""
    idle_timeout: int = 60
    server_names: tuple[ServerNames, ...] = ()
    """HTTPS: what answers to which server name; nothing answers to others. () for HTTP."""

    @property
    def scheme(self) -> str:
        return "https" if self.server_names else "http"


@dataclass(frozen=True)
class TcpDecision:
    """What audit mode writes of connections from these addresses to this port (0: to any): who would have denied them, "" nobody. explicit, statement:
    the deny by that statement of the layer's policy, or (-1) for want of an allow."""

    addresses: tuple[str, ...]
    port: int = 0
    layer: str = ""
    explicit: bool = False
    statement: int = -1


@dataclass(frozen=True)
class TcpListener:
    """A TCP resource as seen from one client VPC: every port of `ports` (inclusive ranges) at `address`, to the same port at the resource.

    All listeners of one resource configuration have the same targets, all of one gateway the same sources.
    """

    name: str
    namespace: str
    address: str
    ports: tuple[tuple[int, int], ...]
    vpc_id: str
    vpc_arn: str
    resource_configuration_arn: str
    association_id: str
    service_network_arn: str
    upstream_namespace: str
    gateway_id: str
    sources: tuple[str, ...]
    """The resource gateway's addresses: each connection comes from one of them, as the resource sees it."""
    targets: tuple[str, ...]
    """Addresses of the resource: a connection goes to each in its turn. None while its name has none: connections are closed at once."""
    idle_timeout: int = 350
    capture_port: int = 0
    """Not 0: one socket on this port serves all of `ports`; the namespace's ruleset hands it their packets as they are (tproxy)."""
    group_arn: str = ""
    """Of the group that the resource configuration is a child of: who subscribes to the group's log gets it, too."""
    vpc_endpoint_id: str = ""
    """The endpoint whose namespace it is in; without a service network, association_id and service_network_arn are ""."""
    audited: tuple[TcpDecision, ...] = ()
    """In audit mode, of a resource with an auth policy: the last one, without addresses, is for all connections that no other is for."""


@dataclass(frozen=True)
class ProxyPlan:
    """Everything Envoy gets."""

    http_listeners: tuple[HttpListener, ...] = ()
    http_services: tuple[HttpServices, ...] = ()
    tcp_listeners: tuple[TcpListener, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    tls_listeners: tuple[TlsListener, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    balancer_sockets: tuple[BalancerSocket, ...] = ()
    health_checkers: tuple[HealthChecker, ...] = ()

    def hosts_of(self, listener: HttpListener) -> tuple[VirtualHost, ...]:
        """The services that a listener leads to."""
        return next((services.hosts for services in self.http_services if services.name == listener.services), ())
