"""Headers by which the service network tells targets who calls and from where, sent by the client itself: neither what is behind a load balancer nor a function
sees the client's copies, over HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from bench.region import until

from .lab import Lab, allow, server

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
CLIENT = "10.73.1.5"
EVIL = "arn:aws:iam::999999999999:role/evil"
SPOOFED = {
    "x-amzn-lattice-identity": f"Principal={EVIL}; Type=AWS_IAM; SessionName=evil",
    "x-amzn-lattice-identity-tags": f"principal={EVIL};team=evil",
    "x-amzn-lattice-network": "SourceVpcArn=evil",
    "x-amzn-lattice-target": "ServiceArn=evil; ServiceNetworkArn=evil; TargetGroupArn=evil",
    "x-amzn-lattice-anything": "evil",
    "x-amzn-source-vpc": "vpc-evil",
    "x-forwarded-for": "203.0.113.9",
    "x-forwarded-port": "9999",
    "x-forwarded-proto": "evil",
    "x-envoy-original-path": "/evil",
    "x-envoy-external-address": "203.0.113.9",
    "x-envoy-decorator-operation": "evil",
    "x-envoy-upstream-alt-stat-name": "evil",
}
"""Each is sent twice, once in capital letters."""
OF_THE_BALANCER = {"x-latticewall-target": "MTAuMC4wLjE6ODA=", "x-latticewall-group": "other"}
"""By which a load balancer knows inside where a client is stuck to."""
FUNCTION = "import json\ndef handler(event, context):\n    return {'statusCode': 200, 'body': json.dumps(event)}\n"


@dataclass
class Site:
    client: str
    network: str
    vpc: str
    names: dict[str, str]
    arns: dict[str, str]


@pytest.fixture(scope="module")
def site(lab: Lab) -> Site:
    """Three services, for a load balancer and for a function by either version of its event."""
    lattice, elb, vpc = lab.client("vpc-lattice"), lab.client("elbv2"), lab.vpc("10.73.0.0/16")
    subnets = [lab.subnet(vpc, f"10.73.{at}.0/24", letter) for at, letter in ((1, "a"), (2, "b"))]
    group = lab.group(vpc, "spoofed", allow(cidr="0.0.0.0/0"))
    instances = [lab.instance("client", subnets[0], CLIENT), lab.instance("behind", subnets[1], "10.73.2.5", [group], server("behind", [8080]))]
    balancer = elb.create_load_balancer(Name="spoofed", Subnets=subnets, SecurityGroups=[group], Scheme="internal")["LoadBalancers"][0]["LoadBalancerArn"]
    pool = elb.create_target_group(Name="spoofed", Protocol="HTTP", Port=8080, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]
    elb.register_targets(TargetGroupArn=pool, Targets=[{"Id": instances[1]}])
    listener = elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[{"Type": "forward", "TargetGroupArn": pool}])
    evil = [{"Field": "source-ip", "SourceIpConfig": {"Values": ["203.0.113.0/24"]}}]
    refused = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "418"}}]
    elb.create_rule(ListenerArn=listener["Listeners"][0]["ListenerArn"], Priority=1, Conditions=evil, Actions=refused)
    network = lattice.create_service_network(name="spoofed")
    lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network["id"], vpcIdentifier=vpc)
    names, arns = {}, {}
    groups = {
        "balancer": lattice.create_target_group(name="spoofed", type="ALB", config={"port": 80, "protocol": "HTTP", "vpcIdentifier": vpc}),
        **{version: lattice.create_target_group(name=f"spoofed-{version.lower()}", type="LAMBDA", config={"lambdaEventStructureVersion": version})
           for version in ("V1", "V2")},
    }  # fmt: skip
    lab.settled()
    elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[balancer], WaiterConfig={"Delay": 1})
    function = _function(lab)
    for name, made in groups.items():
        answer = lattice.register_targets(targetGroupIdentifier=made["id"], targets=[{"id": balancer if name == "balancer" else function}])
        assert not answer["unsuccessful"], answer
        service = lattice.create_service(name=f"spoofed-{name.lower()}")
        forward = {"forward": {"targetGroups": [{"targetGroupIdentifier": made["id"]}]}}
        for protocol in ("HTTP", "HTTPS"):
            listener = lattice.create_listener(serviceIdentifier=service["id"], name=protocol.lower(), protocol=protocol, defaultAction=forward)["id"]
            _add_rules(lattice, service["id"], listener, _meant_for_nobody(vpc))
        lattice.create_service_network_service_association(serviceNetworkIdentifier=network["id"], serviceIdentifier=service["id"])
        names[name], arns[name] = service["dnsEntry"]["domainName"], service["arn"]
    lab.running(*instances)
    lab.settled()
    until(lambda: all(lab.curl(instances[0], f"http://{host}/")[0] == 200 for host in names.values()))
    return Site(instances[0], network["arn"], vpc, names, arns)


def _meant_for_nobody(vpc: str) -> list[tuple[int, dict[str, Any]]]:
    """Conditions that hold for what the service network sets itself, by the status of their answer; and for a header of the client's."""
    ours = {"x-amzn-source-vpc": {"exact": vpc}, "X-Amzn-Lattice-Network": {"contains": vpc}, "x-amzn-lattice-services": {"prefix": "http"},
            "x-amzn-lattice-identity": {"contains": "e"}, "x-amzn-lattice-version": {"prefix": "HTTP"}, "x_amzn_source_vpc": {"contains": "vpc"}}  # fmt: skip
    headers = [[{"name": name, "match": match}] for name, match in ours.items()]
    headers.append([{"name": "x-tier", "match": {"exact": "gold"}}, {"name": "x-amzn-source-vpc", "match": {"prefix": "vpc-"}}])
    return [*((500, {"headerMatches": found}) for found in headers), (404, {"headerMatches": [{"name": "x-tier", "match": {"exact": "gold"}}]})]


def _add_rules(lattice: Any, service: str, listener: str, rules: list[tuple[int, dict[str, Any]]]) -> None:
    for priority, (status, match) in enumerate(rules, 1):
        lattice.create_rule(
            serviceIdentifier=service, listenerIdentifier=listener, name=f"rule{priority}", priority=priority, match={"httpMatch": match},
            action={"fixedResponse": {"statusCode": status}},
        )  # fmt: skip


def _function(lab: Lab) -> str:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("index.py", FUNCTION)
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    role = lab.client("iam").create_role(RoleName="spoofed", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    made = lab.client("lambda").create_function(
        FunctionName="spoofed", Runtime="python3.11", Role=role, Handler="index.handler", Code={"ZipFile": held.getvalue()}
    )
    return str(made["FunctionArn"])


def told(lab: Lab, site: Site, target: str, version: str) -> dict[str, Any]:
    """What the target is told of a request that spoofs everything."""
    sent = {**SPOOFED, **(OF_THE_BALANCER if target == "balancer" else {})}
    words = [word for name, value in sent.items() for spelled in (name, name.upper()) for word in ("-H", f"{spelled}: {value}")]
    scheme = "https" if version == "--http2" else "http"
    if version == "--http1.1":
        words += ["-H", "Connection: keep-alive, x-amzn-lattice-network, x-amzn-source-vpc"]
    found = lab.get(site.client, f"{scheme}://{site.names[target]}/", version, "-k", *words)
    assert lab.run(site.client, "curl", "-sk", version, "-o", "/dev/null", "-w", "%{http_version}", f"{scheme}://{site.names[target]}/").stdout == (
        "2" if version == "--http2" else "1.1"
    )
    return found


def headers_of(event: Mapping[str, Any]) -> dict[str, str]:
    """Names in small letters; the values of a name joined."""
    return {name.lower(): ",".join(value) if isinstance(value, list) else str(value) for name, value in event["headers"].items()}


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("target", ["balancer", "V1", "V2"])
def test_nothing_of_the_client_s_own_arrives(lab: Lab, site: Site, target: str, version: str) -> None:
    event = told(lab, site, target, version)
    headers = headers_of(event)
    text = json.dumps(event)
    assert "evil" not in text, text
    assert "203.0.113.9" not in text, text
    assert "9999" not in text, text
    assert [name for name in headers if name.startswith(("x-envoy", "x-latticewall"))] == []
    told_of = lab.region.session.ask("explain", {"request_id": headers["x-amzn-requestid"]})
    told_gates = {gate["name"]: gate for gate in told_of["gates"]}
    assert (told_of["verdict"], told_of["request"]["scheme"]) == ("allowed", "https" if version == "--http2" else "http"), told_of
    assert ("balancer-target" in told_gates, told_gates["target"]["detail"] == "a function answered 200") == (target == "balancer", target != "balancer")
    port = "443" if version == "--http2" else "80"
    clients = headers["x-forwarded-for"].replace(" ", "").split(",")
    assert clients == ([CLIENT, "169.254.171.2"] if target == "balancer" else [CLIENT])
    assert headers["x-forwarded-port"] == ("80" if target == "balancer" else port)
    assert headers["x-amzn-source-vpc"] == site.vpc
    if target == "V2":
        assert [name for name in headers if name.startswith("x-amzn-lattice")] == []
        context = event["requestContext"]
        assert (context["serviceArn"], context["serviceNetworkArn"]) == (site.arns[target], site.network)
        assert context["identity"] == {"sourceVpcArn": context["identity"]["sourceVpcArn"]}
        assert context["identity"]["sourceVpcArn"].endswith(f":vpc/{site.vpc}")
    else:
        assert {name for name in headers if name.startswith("x-amzn-lattice")} == {"x-amzn-lattice-network", "x-amzn-lattice-target"}
        assert headers["x-amzn-lattice-network"].endswith(f":vpc/{site.vpc}")
        assert f"ServiceArn={site.arns[target]}" in headers["x-amzn-lattice-target"]


def test_a_connection_header_cannot_take_away_where_the_client_is(lab: Lab, site: Site) -> None:
    """Headers that it names end at the next hop; asked to drop x-forwarded-for, the service network refuses the request."""
    for target in site.names:
        assert lab.curl(site.client, f"http://{site.names[target]}/", "-H", "Connection: keep-alive, x-forwarded-for")[0] == 400


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_rules_see_what_the_client_sent(lab: Lab, site: Site, version: str) -> None:
    """A rule that asks for what the service network says itself is passed over, by packets and in `explain`: whether the client says it, too, or does not."""
    url = f"{'https' if version == '--http2' else 'http'}://{site.names['V1']}/"
    for more, status in (((), 200), (("-H", f"x-amzn-source-vpc: {site.vpc}"), 200), (("-H", "x-tier: gold", "-H", f"x-amzn-source-vpc: {site.vpc}"), 404)):
        assert lab.curl(site.client, url, version, "-k", *more)[0] == status, more
        lines = [line for line in more if line != "-H"]
        told_of = lab.region.session.ask("explain", {"method": "GET", "url": url, "headers": lines, "source": site.client})
        (rule,) = [gate for gate in told_of["gates"] if gate["name"] == "listener-rule"]
        assert ("x-tier" in rule["detail"], "x-amzn" in rule["detail"]) == (status == 404, False), rule
