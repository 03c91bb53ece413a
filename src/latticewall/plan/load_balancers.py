"""Application Load Balancers as Envoy will carry them: sockets in namespaces of their own, each with its rules."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Condition:
    """One condition of a rule. field: the API's. values: alternatives, patterns with * and ? where the field has them (query strings: (key, value) with
    key "" for any). name: of the header, for http-header."""

    field: str
    values: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    name: str = ""


@dataclass(frozen=True)
class FixedResponse:
    status: int
    body: str = ""
    content_type: str = ""


@dataclass(frozen=True)
class Redirect:
    """Each part with the API's placeholders #{protocol}, #{host}, #{port}, #{path} and #{query}."""

    status: int
    protocol: str
    host: str
    port: str
    path: str
    query: str


@dataclass(frozen=True)
class Stickiness:
    """How a client that came to a target group once comes to the same target again. cluster: of the group, of which group is the id. kind: lb_cookie,
    app_cookie, or "" where only the group is stuck to. cookie: that binds the client, the load balancer's own; application: the target's, for app_cookie.
    seconds: how long a choice holds; group_seconds: that of the group, 0 = it does not."""

    cluster: str
    group: str
    kind: str = ""
    cookie: str = ""
    application: str = ""
    seconds: int = 0
    group_seconds: int = 0


@dataclass(frozen=True)
class BalancerRoute:
    """One rule, in order of evaluation: exactly one of clusters [(cluster, weight)], fixed and redirect. versions: HTTP1, HTTP2 or GRPC, one
    for each cluster; none where every request is for all of them. priority: 0 for the default rule. sticky: those clusters that are, all of them where their
    group is."""

    name: str
    conditions: tuple[Condition, ...]
    clusters: tuple[tuple[str, int], ...] = ()
    versions: tuple[str, ...] = ()
    fixed: FixedResponse | None = None
    redirect: Redirect | None = None
    sticky: tuple[Stickiness, ...] = ()
    priority: int = 0


@dataclass(frozen=True)
class CertificateChoice:
    """Names that clients may ask for, `*.` for one label, and the certificates that they are shown, by what the client can take; the first where none has the
    name."""

    names: tuple[str, ...]
    certificates: tuple[str, ...]
    arn: str
    """Of the best of them."""


@dataclass(frozen=True)
class BalancerSocket:
    """One listener at one address of a load balancer. x_forwarded_for: append, preserve or remove. idle_timeout, keep_alive: seconds; keep_alive is how
    long a client may use one connection. drop_invalid_headers: those whose names have other characters than letters, digits and hyphens. names_itself: answers
    carry a Server header."""

    name: str
    namespace: str
    address: str
    port: int
    load_balancer_id: str
    routes: tuple[BalancerRoute, ...]
    idle_timeout: int = 60
    keep_alive: int = 3600
    x_forwarded_for: str = "append"
    drop_invalid_headers: bool = False
    names_itself: bool = True
    certificate: str = ""
    """Name of the certificate that an HTTPS listener shows where no choice is made; "" without TLS."""
    choices: tuple[CertificateChoice, ...] = ()
    ssl_policy: str = ""
    http2: bool = False
    """Taken from clients, which offer it in the TLS handshake."""
    certificate_arn: str = ""
    access_log: bool = False
    node: str = ""
    """The node's first address, where `address` is another one."""
