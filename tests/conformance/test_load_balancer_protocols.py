"""Load balancers and HTTP/2: which requests reach which target groups, checks by gRPC's statuses, why targets are unhealthy, several certificates; from clients
inside instances, and through VPC Lattice."""

from __future__ import annotations

import json
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from bench.region import until
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_pem_x509_certificate

from latticewall.control_plane.appliers import envoy_program

from .lab import Lab, allow, server
from .test_load_balancers import certificate_for

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
SERVERS = Path(__file__).parents[1] / "scenario" / "https_servers.py"
DOMAIN = "rpc.example.com"
WEB, OVER_HTTP_2, RPC, CLOSED, BLOCKED = 8080, 8081, 9090, 9, 10
"""Ports of the target: HTTP/1.1, HTTP/2 without TLS, gRPC; one at which nobody listens, and one that its security group does not let in."""
_MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = {"name": "router", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}


def _h2c() -> str:
    """The configuration of an Envoy that takes HTTP/2 alone, and says so."""
    headers = [{"header": {"key": name, "value": value}} for name, value in (("x-spoken", "%PROTOCOL%"), ("x-agent", "%REQ(USER-AGENT)%"))]
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "h2c"}}, "response_headers_to_add": headers}
    manager = {
        "@type": _MANAGER, "stat_prefix": "h2c", "codec_type": "HTTP2", "http_filters": [_ROUTER],
        "route_config": {"virtual_hosts": [{"name": "any", "domains": ["*"], "routes": [route]}]},
    }  # fmt: skip
    address = {"socket_address": {"address": "0.0.0.0", "port_value": OVER_HTTP_2}}
    listener = {"name": "h2c", "address": address, "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}]}
    return json.dumps({"static_resources": {"listeners": [listener]}})


def _target() -> str:
    """The boot script of the one target, a server for each protocol."""
    rpc = f"import sys; sys.path.insert(0, {str(SERVERS.parent)!r}); import {SERVERS.stem} as it; it.serve_parking().wait_for_termination()"
    return f"""#!/bin/sh
{sys.executable} -c {shlex.quote(rpc)} &
{envoy_program()} --config-yaml {shlex.quote(_h2c())} --concurrency 1 --disable-hot-restart --log-level error &
exec {sys.executable} -c {shlex.quote(server("web", [WEB]))}
"""


@dataclass
class Site:
    vpc: str
    arn: str
    listener: str
    node: str
    groups: dict[str, str]
    client: str
    trusted: list[str]
    plain: str
    certificate: str
    gate: str


@pytest.fixture(scope="module")
def site(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Site:
    elb = lab.client("elbv2")
    vpc = lab.vpc("10.64.0.0/16")
    subnets = [lab.subnet(vpc, f"10.64.{at}.0/24", letter) for at, letter in ((1, "a"), (2, "b"))]
    gate = lab.group(vpc, "protocols-gate", *(allow("tcp", port, cidr="10.64.0.0/16") for port in (80, 443)))
    inside = lab.group(vpc, "protocols-inside", *(allow("tcp", port, group=gate) for port in (WEB, OVER_HTTP_2, RPC, CLOSED)))
    target = lab.instance("target", subnets[0], "10.64.1.20", [inside], _target())
    client = lab.instance("client", subnets[1], "10.64.2.10")
    made = elb.create_load_balancer(Name="protocols", Subnets=subnets, SecurityGroups=[gate], Scheme="internal")["LoadBalancers"][0]
    check = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2, "HealthyThresholdCount": 2}

    def group(name: str, port: int, version: str = "HTTP1", **more: Any) -> str:
        given = {"Name": name, "Protocol": "HTTP", "ProtocolVersion": version, "Port": port, "VpcId": vpc, **check, **more}
        return str(elb.create_target_group(**given)["TargetGroups"][0]["TargetGroupArn"])

    groups = {
        "web": group("p-web", WEB),
        "h2": group("p-h2", OVER_HTTP_2, "HTTP2"),
        "rpc": group("p-rpc", RPC, "GRPC"),
        "serving": group("p-serving", RPC, "GRPC", HealthCheckPath="/api.parking/GetRates", Matcher={"GrpcCode": "0-1,7"}),
        "not-found": group("p-not-found", RPC, "GRPC", HealthCheckPath="/api.parking/Nothing", Matcher={"GrpcCode": "0-4,12"}),
        "no-rpc": group("p-no-rpc", OVER_HTTP_2, "GRPC"),
        "mismatch": group("p-mismatch", WEB, Matcher={"HttpCode": "201-299,404"}),
        "refused": group("p-refused", CLOSED),
        "blocked": group("p-blocked", WEB, HealthCheckPort=str(BLOCKED)),
    }
    certificate, words = certificate_for(lab, DOMAIN)
    root = tmp_path_factory.mktemp("certificates") / "root.pem"
    root.write_text(words)
    web = {"Type": "forward", "TargetGroupArn": groups["web"]}
    given = {"Protocol": "HTTPS", "Port": 443, "Certificates": [{"CertificateArn": certificate}], "DefaultActions": [web]}
    listener = elb.create_listener(LoadBalancerArn=made["LoadBalancerArn"], **given)["Listeners"][0]["ListenerArn"]
    elb.create_listener(LoadBalancerArn=made["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[web])
    paths = {"h2": "/h2", "rpc": "/api.parking/*", **{name: f"/{name}" for name in groups if name not in ("web", "h2", "rpc")}}
    for at, (name, path) in enumerate(paths.items(), 1):
        conditions = [{"Field": "path-pattern", "Values": [path]}]
        elb.create_rule(ListenerArn=listener, Priority=at, Conditions=conditions, Actions=[{"Type": "forward", "TargetGroupArn": groups[name]}])
    for arn in groups.values():
        elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": target}])
    lab.running(client, target)
    elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[made["LoadBalancerArn"]], WaiterConfig={"Delay": 1})
    filters = [{"Name": "description", "Values": ["ELB app/protocols/*"]}]
    node = min(item["PrivateIpAddress"] for item in lab.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"])
    trusted = ["--resolve", f"{DOMAIN}:443:{node}", "--cacert", str(root)]
    for name in ("web", "h2", "rpc"):
        elb.get_waiter("target_in_service").wait(TargetGroupArn=groups[name], WaiterConfig={"Delay": 1})
    return Site(vpc, made["LoadBalancerArn"], listener, node, groups, client, trusted, f"http://{node}", certificate, gate)


def health(lab: Lab, site: Site, name: str) -> tuple[str, str, str]:
    """State, reason and description of a group's target."""
    (found,) = lab.client("elbv2").describe_target_health(TargetGroupArn=site.groups[name])["TargetHealthDescriptions"]
    return found["TargetHealth"]["State"], found["TargetHealth"].get("Reason", ""), found["TargetHealth"].get("Description", "")


def mismatch(code: str) -> tuple[str, str, str]:
    return "unhealthy", "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{code}]"


def test_why_targets_are_unhealthy(lab: Lab, site: Site) -> None:
    """By gRPC's statuses for groups of GRPC, else by HTTP's; the default of GRPC is 12, which servers give for a method that they do not have."""
    wanted = {
        "rpc": ("healthy", "", ""),
        "serving": ("healthy", "", ""),
        "h2": ("healthy", "", ""),
        "not-found": mismatch("5"),
        "no-rpc": mismatch("2"),
        "mismatch": mismatch("200"),
        "refused": ("unhealthy", "Target.FailedHealthChecks", "Health checks failed"),
        "blocked": ("unhealthy", "Target.Timeout", "Request timed out"),
    }
    until(lambda: {name: health(lab, site, name) for name in wanted} == wanted, seconds=15)
    elb = lab.client("elbv2")
    elb.modify_target_group(TargetGroupArn=site.groups["not-found"], Matcher={"GrpcCode": "5"})
    elb.modify_target_group(TargetGroupArn=site.groups["mismatch"], Matcher={"HttpCode": "200"})
    until(lambda: {health(lab, site, name)[0] for name in ("not-found", "mismatch")} == {"healthy"}, seconds=20)


GRPC = ("-H", "content-type: application/grpc", "-H", "te: trailers")
SORTS = {
    "HTTP/1.1": (("--http1.1",), {"web": 200, "h2": 464, "rpc": 464}),
    "HTTP/2 GET": (("--http2",), {"web": 200, "h2": 200, "rpc": 464}),
    "HTTP/2 POST": (("--http2", "--data-binary", "{}"), {"web": 200, "h2": 200, "rpc": 502}),
    "gRPC": (("--http2", "--data-binary", "@CALL", *GRPC), {"web": 464, "h2": 200, "rpc": 200}),
    "HTTP/2 GET of gRPC's type": (("--http2", *GRPC), {"web": 200, "h2": 200, "rpc": 464}),
}
"""Requests, and what comes of them: a server of gRPC ends what is no call (502)."""


def test_what_a_target_group_does_not_take_is_answered_with_464(lab: Lab, site: Site, tmp_path: Path) -> None:
    (tmp_path / "call").write_bytes(b"\0\0\0\0\3one")
    paths = {"web": "/", "h2": "/h2", "rpc": "/api.parking/GetRates"}
    found = {}
    for sort, (options, wanted) in SORTS.items():
        words = [option.replace("@CALL", f"@{tmp_path / 'call'}") for option in options]
        for name in wanted:
            asked = site.client, f"https://{DOMAIN}{paths[name]}", *words, *site.trusted, "-o", "/dev/null"
            found[sort, name] = until(lambda asked=asked: lab.curl(*asked)[0])  # curl loses some answers that come before all is sent: then 0
    assert found == {(sort, name): status for sort, (_, wanted) in SORTS.items() for name, status in wanted.items()}
    status, body = lab.curl(site.client, f"https://{DOMAIN}/h2", "--http2", "-i", *site.trusted)
    assert (status, "x-spoken: HTTP/2" in body) == (200, True)


def test_an_http_listener_speaks_http_1(lab: Lab, site: Site) -> None:
    assert lab.curl(site.client, site.plain, "--http2-prior-knowledge")[0] == 0
    assert lab.curl(site.client, site.plain, "--http2")[0] == 200


_CALLS = """
import json, sys, grpc
address, *root = sys.argv[1:]
trusted = grpc.ssl_channel_credentials(open(root[0], "rb").read() if root else None)
channel = grpc.secure_channel(address, trusted, [("grpc.ssl_target_name_override", "rpc.example.com")] if root else [])
def code(method):
    try:
        channel.unary_unary(method)(b"one", timeout=5)
    except grpc.RpcError as error:
        return error.code().name
rates = json.loads(channel.unary_unary("/api.parking/GetRates")(b"one", timeout=5))
found = [answer.decode() for answer in channel.unary_stream("/api.parking/Watch")(b"3", timeout=5)]
ours = [name for name in rates["metadata"] if "latticewall" in name or "envoy" in name]
print(json.dumps({"asked": rates["asked"], "ours": ours, "watched": found, "nothing": code("/api.parking/Nothing"), "web": code("/web")}))
"""


def called(lab: Lab, site: Site, *where: str) -> dict[str, Any]:
    """What a client of gRPC finds there."""
    done = lab.run(site.client, sys.executable, "-c", _CALLS, *where)
    return dict(json.loads(done.stdout)) if done.returncode == 0 else {"error": done.stderr}


CALLED = {"asked": "one", "ours": [], "watched": ["0", "1", "2"], "nothing": "NOT_FOUND", "web": "UNKNOWN"}
"""Calls, streams and statuses come through; what goes elsewhere is no answer of gRPC's."""


def test_a_grpc_client_and_its_server(lab: Lab, site: Site) -> None:
    assert called(lab, site, f"{site.node}:443", site.trusted[3]) == CALLED


def test_http_2_through_vpc_lattice(lab: Lab, site: Site) -> None:
    """Lattice speaks HTTP/2 to the load balancer, and that to its targets, in groups of HTTP2 and of GRPC."""
    lattice = lab.client("vpc-lattice")
    lists = lab.ec2.describe_managed_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": [f"com.amazonaws.{lab.region.name}.vpc-lattice"]}])
    lab.ec2.authorize_security_group_ingress(GroupId=site.gate, IpPermissions=[allow("tcp", 443, prefix_list=lists["PrefixLists"][0]["PrefixListId"])])
    groups = {}
    for version in ("HTTP2", "GRPC"):
        config = {"port": 443, "protocol": "HTTPS", "protocolVersion": version, "vpcIdentifier": site.vpc}
        groups[version] = lattice.create_target_group(name=f"protocols-{version.lower()}", type="ALB", config=config)["id"]
        until(lambda version=version: lattice.get_target_group(targetGroupIdentifier=groups[version])["status"] == "ACTIVE")
        assert not lattice.register_targets(targetGroupIdentifier=groups[version], targets=[{"id": site.arn}])["unsuccessful"]
    forward = {version: {"forward": {"targetGroups": [{"targetGroupIdentifier": group}]}} for version, group in groups.items()}
    service = lattice.create_service(name="protocols")
    listener = lattice.create_listener(serviceIdentifier=service["id"], name="https", protocol="HTTPS", defaultAction=forward["GRPC"])["id"]
    match = {"httpMatch": {"pathMatch": {"match": {"exact": "/h2"}}}}
    lattice.create_rule(serviceIdentifier=service["id"], listenerIdentifier=listener, name="http2", priority=1, match=match, action=forward["HTTP2"])
    network = lattice.create_service_network(name="protocols")["id"]
    lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=service["id"])
    lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=site.vpc)
    lab.settled()
    name = service["dnsEntry"]["domainName"]
    until(lambda: called(lab, site, f"{name}:443") == CALLED)
    status, body = lab.curl(site.client, f"https://{name}/h2", "--http2", "-i")
    assert (status, "x-spoken: HTTP/2" in body) == (200, True)
    assert lab.curl(site.client, f"https://{name}/h2", "--http1.1")[0] == 400


_SHOWN = """
import hashlib, json, socket, ssl, sys
found = {}
for name in sys.argv[2:]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if name.startswith("rsa:"):
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    with context.wrap_socket(socket.create_connection((sys.argv[1], 443), 5), server_hostname=name.removeprefix("rsa:") or None) as secured:
        found[name] = hashlib.sha256(secured.getpeercert(True)).hexdigest()
print(json.dumps(found))
"""
_STAY = """
import http.client, os, ssl, sys, time
connection = http.client.HTTPSConnection(sys.argv[1], timeout=5, context=ssl._create_unverified_context())
connection.connect()
connection.auto_open = 0
count, ends = 0, time.monotonic() + 30
while not os.path.exists(sys.argv[2]) and time.monotonic() < ends:
    connection.request("GET", "/", headers={"host": "rpc.example.com"})
    assert connection.getresponse().read()
    count += 1
    time.sleep(0.1)
print(count)
"""


def print_of(words: str) -> str:
    return load_pem_x509_certificate(words.encode()).fingerprint(SHA256()).hex()


def test_every_name_has_its_certificate(lab: Lab, site: Site, tmp_path: Path) -> None:
    """Of two for one name ECDSA's where the client can take it. One comes, another goes, the default one is replaced: a connection goes on."""
    elb = lab.client("elbv2")
    made = {
        "rsa": certificate_for(lab, "shop.example.org"), "elliptic": certificate_for(lab, "shop.example.org", "EC_prime256v1"),
        "wild": certificate_for(lab, "*.wild.example.org"), "default": certificate_for(lab, "new.example.net"),
    }  # fmt: skip
    prints = {name: print_of(words) for name, (_, words) in made.items()} | {"first": print_of(Path(site.trusted[3]).read_text())}
    names = {seen: name for name, seen in prints.items()}

    def shown(*asked: str) -> dict[str, str]:
        done = lab.run(site.client, sys.executable, "-c", _SHOWN, site.node, *asked)
        assert done.returncode == 0, done.stderr
        return {name: names[found] for name, found in json.loads(done.stdout).items()}

    def change(operation: str, *certificates: str) -> None:
        for name in certificates:
            getattr(elb, f"{operation}_listener_certificates")(ListenerArn=site.listener, Certificates=[{"CertificateArn": made[name][0]}])

    with ThreadPoolExecutor(1) as pool:
        staying = pool.submit(lab.run, site.client, sys.executable, "-c", _STAY, site.node, str(tmp_path / "stop"), seconds=40.0)
        assert shown("", "shop.example.org") == {"": "first", "shop.example.org": "first"}
        change("add", "rsa", "elliptic", "wild")
        wanted = {
            "": "first", DOMAIN: "first", "shop.example.org": "elliptic", "SHOP.Example.org": "elliptic", "rsa:shop.example.org": "rsa",
            "a.wild.example.org": "wild", "a.b.wild.example.org": "first", "wild.example.org": "first",
        }  # fmt: skip
        until(lambda: shown(*wanted) == wanted)
        change("remove", "elliptic")
        elb.modify_listener(ListenerArn=site.listener, Certificates=[{"CertificateArn": made["default"][0]}])
        wanted = {"": "default", "a.b.wild.example.org": "default", "shop.example.org": "rsa", "a.wild.example.org": "wild"}
        until(lambda: shown(*wanted) == wanted)
        (tmp_path / "stop").touch()
        done = staying.result()
    assert (done.returncode, int(done.stdout or 0) > 5) == (0, True), done.stderr
    change("remove", "rsa", "wild")
    elb.modify_listener(ListenerArn=site.listener, Certificates=[{"CertificateArn": site.certificate}])
    lab.settled()
    until(lambda: shown("a.wild.example.org") == {"a.wild.example.org": "first"})
    for arn, _ in made.values():
        lab.client("acm").delete_certificate(CertificateArn=arn)
