"""Internal Application Load Balancers: names, gates, rules, health, draining, codes; observed by clients inside instances."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bench.region import until
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from latticewall.auth.certificate_authority import new_key

from .lab import Lab, allow, server

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
WEB = 8080


@dataclass
class Site:
    vpc: str
    arn: str
    name: str
    nodes: list[str]
    listener: str
    groups: dict[str, str]
    client: str
    stranger: str
    servers: dict[str, str]
    gate: str
    subnets: list[str]


@pytest.fixture(scope="module")
def site(lab: Lab) -> Site:
    elb = lab.client("elbv2")
    vpc = lab.vpc("10.60.0.0/16")
    subnets = [lab.subnet(vpc, f"10.60.{at}.0/24", letter) for at, letter in ((1, "a"), (2, "b"))]
    outside = lab.group(vpc, "outside")
    gate = lab.group(vpc, "gate", allow("tcp", 80, group=outside), allow("tcp", 81, cidr="10.60.0.0/16"))
    inside = lab.group(vpc, "inside", allow("tcp", WEB, group=gate))
    servers = {name: lab.instance(name, subnets[at % 2], f"10.60.{at % 2 + 1}.{20 + at}", [inside], server(name, [WEB])) for at, name in enumerate("abc")}
    client = lab.instance("client", subnets[0], "10.60.1.10", [outside])
    stranger = lab.instance("stranger", subnets[1], "10.60.2.10")
    made = elb.create_load_balancer(Name="web", Subnets=subnets, SecurityGroups=[gate], Scheme="internal")["LoadBalancers"][0]
    arn = made["LoadBalancerArn"]
    check = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2, "HealthyThresholdCount": 2}
    groups = {
        name: elb.create_target_group(Name=name, Protocol="HTTP", Port=WEB, VpcId=vpc, **check)["TargetGroups"][0]["TargetGroupArn"]
        for name in ("all", "other", "none")
    }
    elb.register_targets(TargetGroupArn=groups["all"], Targets=[{"Id": made} for made in servers.values()])
    elb.register_targets(TargetGroupArn=groups["other"], Targets=[{"Id": servers["a"]}])
    default = {"Type": "forward", "TargetGroupArn": groups["all"]}
    listener = elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[default])["Listeners"][0]["ListenerArn"]
    lab.running(client, stranger, *servers.values())
    elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[arn], WaiterConfig={"Delay": 1})
    elb.get_waiter("target_in_service").wait(TargetGroupArn=groups["all"], WaiterConfig={"Delay": 1})
    filters = [{"Name": "description", "Values": ["ELB app/web/*"]}]
    nodes = sorted(item["PrivateIpAddress"] for item in lab.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"])
    return Site(vpc, arn, made["DNSName"], nodes, listener, groups, client, stranger, servers, gate, subnets)


_ASK = """
import collections, http.client, json, sys
found = collections.Counter()
for _ in range(int(sys.argv[3])):
    connection = http.client.HTTPConnection(sys.argv[1], 80, timeout=5)
    connection.request("GET", sys.argv[2])
    found[json.loads(connection.getresponse().read())["name"]] += 1
    connection.close()
print(json.dumps(found))
"""


def ask(lab: Lab, site: Site, path: str, count: int) -> Counter[str]:
    done = lab.run(site.client, "python3", "-c", _ASK, site.name, path, str(count), seconds=60)
    assert done.returncode == 0, done.stderr
    return Counter(json.loads(done.stdout))


def test_the_name_leads_to_all_nodes_everywhere(lab: Lab, site: Site) -> None:
    assert len(site.nodes) == 2
    far = lab.vpc("10.61.0.0/16")
    outsider = lab.instance("outsider", lab.subnet(far, "10.61.1.0/24"), "10.61.1.10")
    lab.running(outsider)
    for instance in (site.client, outsider):
        words = lab.run(instance, "getent", "ahostsv4", site.name).stdout.split()
        assert sorted({word for word in words if word.startswith("10.60.")}) == site.nodes


def test_requests_go_round_and_say_where_they_came_from(lab: Lab, site: Site) -> None:
    counts = ask(lab, site, "/", 60)
    assert set(counts) == {"a", "b", "c"}
    assert all(count >= 10 for count in counts.values()), counts
    answer = lab.get(site.client, f"http://{site.name}/a/b?c=d%20e", "-H", "X-Forwarded-For: 192.0.2.7")
    assert (answer["path"], answer["client"] in site.nodes) == ("/a/b?c=d%20e", True)
    headers = {key.lower(): value for key, value in answer["headers"].items()}
    assert headers["x-forwarded-for"].replace(" ", "") == "192.0.2.7,10.60.1.10"
    assert (headers["x-forwarded-proto"], headers["x-forwarded-port"], headers["host"]) == ("http", "80", site.name)
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", headers["x-amzn-trace-id"])
    assert [name for name in headers if "envoy" in name or "latticewall" in name] == []
    given = lab.get(site.client, f"http://{site.name}/", "-H", "X-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;a=b")
    traced = {key.lower(): value for key, value in given["headers"].items()}["x-amzn-trace-id"]
    assert re.fullmatch(r"Self=1-[0-9a-f]{8}-[0-9a-f]{24};Root=1-5759e988-bd862e3fe1be46a994272793;a=b", traced)


def test_security_groups_on_both_sides(lab: Lab, site: Site) -> None:
    assert lab.curl(site.stranger, f"http://{site.nodes[0]}/", seconds=0.7)[0] == 0
    assert lab.curl(site.client, f"http://10.60.1.20:{WEB}/", seconds=0.7)[0] == 0
    assert lab.curl(site.client, f"http://{site.nodes[1]}/")[0] == 200


def test_rules_decide_in_order(lab: Lab, site: Site) -> None:
    elb = lab.client("elbv2")

    def rule(priority: int, field: str, config: dict[str, Any], status: str) -> str:
        name = "".join(part.title() for part in field.split("-")) + "Config"
        answer = {"StatusCode": status, "MessageBody": f'{{"rule": {priority}}}', "ContentType": "application/json"}
        action = {"Type": "fixed-response", "FixedResponseConfig": answer}
        made = elb.create_rule(ListenerArn=site.listener, Priority=priority, Conditions=[{"Field": field, name: config}], Actions=[action])
        return str(made["Rules"][0]["RuleArn"])

    rules = [
        rule(10, "path-pattern", {"Values": ["/img/*.p?g", "/a+b"]}, "201"),
        rule(20, "host-header", {"Values": ["*.Example.com"]}, "202"),
        rule(30, "http-header", {"HttpHeaderName": "X-Team", "Values": ["*blue*"]}, "203"),
        rule(40, "http-request-method", {"Values": ["PUT", "PATCH"]}, "404"),
        rule(50, "query-string", {"Values": [{"Key": "v", "Value": "1*"}, {"Value": "any"}]}, "405"),
        rule(60, "source-ip", {"Values": ["10.60.1.8/29"]}, "406"),
    ]
    lab.settled()
    base = f"http://{site.nodes[0]}"

    def seen(path: str, *options: str) -> int:
        return lab.curl(site.client, base + path, *options)[0]

    until(lambda: seen("/") == 406)
    assert lab.curl(site.client, f"{base}/img/x.png") == (201, '{"rule": 10}')
    assert [seen(path) for path in ("/img/a/b.png", "/a+b?x=y", "/IMG/x.png", "/img/xpng", "/aab")] == [201, 201, 406, 406, 406]
    assert [seen("/", "-H", f"Host: {host}") for host in ("a.EXAMPLE.com", "a.example.com:80", "example.com", "axexample.com")] == [202, 202, 406, 406]
    assert [seen("/", "-H", f"x-team: {team}") for team in ("the BLUE one", "red")] == [203, 406]
    assert [seen("/", "-X", method) for method in ("PUT", "PATCH", "POST")] == [404, 404, 406]
    assert [seen(path) for path in ("/?v=12", "/?a=b&V=1", "/?w=any", "/?any", "/?v=2", "/v=1")] == [405, 405, 405, 405, 406, 406]
    elb.set_rule_priorities(RulePriorities=[{"RuleArn": rules[5], "Priority": 1}])
    lab.settled()
    until(lambda: seen("/img/x.png") == 406)
    for made in rules:
        elb.delete_rule(RuleArn=made)
    lab.settled()
    until(lambda: seen("/") == 200)


def test_redirections_are_made_of_the_request(lab: Lab, site: Site) -> None:
    elb = lab.client("elbv2")
    config = {"Protocol": "HTTPS", "Port": "443", "Host": "new.#{host}", "Path": "/v2/#{path}", "StatusCode": "HTTP_301"}
    conditions = [{"Field": "path-pattern", "Values": ["/old/*"]}]
    made = elb.create_rule(ListenerArn=site.listener, Priority=1, Conditions=conditions, Actions=[{"Type": "redirect", "RedirectConfig": config}])
    lab.settled()
    ask_for = [site.client, f"http://{site.nodes[0]}/old/x%2fy?a=b&c=#{{path}}", "-H", "Host: shop.example.com:80", "-w", "\n%{redirect_url}"]
    words = until(lambda: (found := lab.run(ask_for[0], "curl", "-s", "-m", "3", "-i", *ask_for[1:4]).stdout) and "301" in found and found)
    location = next(line for line in words.splitlines() if line.lower().startswith("location:"))
    assert location.split(": ", 1)[1] == "https://new.shop.example.com:443/v2/old/x%2fy?a=b&c="
    assert "server: awselb/2.0" in words.lower()
    elb.delete_rule(RuleArn=made["Rules"][0]["RuleArn"])
    lab.settled()


def test_its_own_answers(lab: Lab, site: Site) -> None:
    """503 without targets, 502 when a target refuses, 504 when nobody is there."""
    elb = lab.client("elbv2")
    vpc_groups = {}
    for name, address in (("refusing", "10.60.1.20"), ("silent", "10.60.1.10")):
        more = {"HealthCheckIntervalSeconds": 300, "HealthCheckTimeoutSeconds": 2, "TargetType": "ip"}
        made = elb.create_target_group(Name=name, Protocol="HTTP", Port=9, VpcId=site.vpc, **more)["TargetGroups"][0]["TargetGroupArn"]
        elb.register_targets(TargetGroupArn=made, Targets=[{"Id": address, "Port": 9}])
        vpc_groups[name] = made
    lab.ec2.authorize_security_group_ingress(
        GroupId=lab.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["inside"]}])["SecurityGroups"][0]["GroupId"],
        IpPermissions=[allow("tcp", 9, group=site.gate)],
    )
    rules = []
    for at, arn in enumerate((site.groups["none"], vpc_groups["refusing"], vpc_groups["silent"])):
        conditions = [{"Field": "path-pattern", "Values": [f"/own/{at}"]}]
        made = elb.create_rule(ListenerArn=site.listener, Priority=at + 1, Conditions=conditions, Actions=[{"Type": "forward", "TargetGroupArn": arn}])
        rules.append(made["Rules"][0]["RuleArn"])
    lab.settled()
    base = f"http://{site.nodes[0]}/own"
    until(lambda: lab.curl(site.client, f"{base}/0")[0] == 503)
    status, body = lab.curl(site.client, f"{base}/1")
    assert (status, "<center><h1>502 Bad Gateway</h1></center>" in body) == (502, True)
    assert lab.curl(site.client, f"{base}/2", seconds=15)[0] == 504
    for made in rules:
        elb.delete_rule(RuleArn=made)


def test_weights_health_and_draining(lab: Lab, site: Site) -> None:
    elb = lab.client("elbv2")
    forward = {"TargetGroups": [{"TargetGroupArn": site.groups["other"], "Weight": 3}, {"TargetGroupArn": site.groups["all"], "Weight": 0}]}
    conditions = [{"Field": "path-pattern", "Values": ["/split"]}]
    made = elb.create_rule(ListenerArn=site.listener, Priority=5, Conditions=conditions, Actions=[{"Type": "forward", "ForwardConfig": forward}])
    lab.settled()
    until(lambda: set(ask(lab, site, "/split", 6)) == {"a"})
    elb.delete_rule(RuleArn=made["Rules"][0]["RuleArn"])

    def states() -> dict[str, str]:
        found = elb.describe_target_health(TargetGroupArn=site.groups["all"])["TargetHealthDescriptions"]
        return {item["Target"]["Id"]: item["TargetHealth"]["State"] for item in found}

    assert set(states().values()) == {"healthy"}
    elb.deregister_targets(TargetGroupArn=site.groups["all"], Targets=[{"Id": site.servers["c"]}])
    assert states()[site.servers["c"]] == "draining"
    lab.settled()
    assert "c" not in ask(lab, site, "/", 30)
    elb.modify_target_group(TargetGroupArn=site.groups["all"], HealthCheckPort="9", UnhealthyThresholdCount=2)
    until(lambda: set(states().values()) == {"unhealthy", "draining"}, seconds=30)
    assert set(ask(lab, site, "/", 20)) == {"a", "b"}  # fail open
    lab.ec2.stop_instances(InstanceIds=[site.servers["b"]])
    until(lambda: states()[site.servers["b"]] == "unused")


def certificate_for(lab: Lab, domain: str, algorithm: str = "RSA_2048") -> tuple[str, str]:
    """ARN and PEM of a certificate signed by itself."""
    key = new_key(algorithm)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=9))
    made = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False).sign(key, hashes.SHA256())
    words = made.public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return str(lab.client("acm").import_certificate(Certificate=words, PrivateKey=private)["CertificateArn"]), words.decode()


def test_https(lab: Lab, site: Site, tmp_path: Path) -> None:
    elb, domain = lab.client("elbv2"), "shop.example.com"
    arn, words = certificate_for(lab, domain)
    (tmp_path / "root.pem").write_text(words)
    lab.ec2.authorize_security_group_ingress(GroupId=site.gate, IpPermissions=[allow("tcp", 443, cidr="10.60.0.0/16")])
    default = {"Type": "forward", "TargetGroupArn": site.groups["all"]}
    more = {"Certificates": [{"CertificateArn": arn}], "SslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06"}
    made = elb.create_listener(LoadBalancerArn=site.arn, Protocol="HTTPS", Port=443, DefaultActions=[default], **more)["Listeners"][0]
    assert (made["Certificates"], made["SslPolicy"]) == ([{"CertificateArn": arn}], more["SslPolicy"])
    lab.settled()
    options = ["--resolve", f"{domain}:443:{site.nodes[0]}", "--cacert", str(tmp_path / "root.pem")]
    answer = until(lambda: (found := lab.curl(site.client, f"https://{domain}/", *options))[0] == 200 and json.loads(found[1]))
    headers = {key.lower(): value for key, value in answer["headers"].items()}
    assert (headers["x-forwarded-proto"], headers["x-forwarded-port"], headers["host"]) == ("https", "443", domain)
    for version, works in (("1.1", False), ("1.2", True), ("1.3", True)):
        status = lab.curl(site.client, f"https://{domain}/", *options, f"--tlsv{version}", "--tls-max", version)[0]
        assert (status == 200) == works, version
    with pytest.raises(ClientError, match="in use"):
        lab.client("acm").delete_certificate(CertificateArn=arn)
    second, words = certificate_for(lab, domain)
    (tmp_path / "root.pem").write_text(words)
    elb.modify_listener(ListenerArn=made["ListenerArn"], Certificates=[{"CertificateArn": second}])
    lab.settled()
    until(lambda: lab.curl(site.client, f"https://{domain}/", *options)[0] == 200)
    elb.delete_listener(ListenerArn=made["ListenerArn"])
    for certificate in (arn, second):
        lab.client("acm").delete_certificate(CertificateArn=certificate)


def test_subnets_change_and_all_goes(lab: Lab, site: Site) -> None:
    elb = lab.client("elbv2")
    third = lab.subnet(site.vpc, "10.60.3.0/24", "c")
    elb.set_subnets(LoadBalancerArn=site.arn, Subnets=[site.subnets[0], third])
    elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[site.arn], WaiterConfig={"Delay": 1})
    lab.settled()
    filters = [{"Name": "description", "Values": ["ELB app/web/*"]}]
    nodes = {item["PrivateIpAddress"] for item in lab.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]}
    assert len(nodes - set(site.nodes)) == 1
    until(lambda: {lab.curl(site.client, f"http://{node}/")[0] for node in nodes} == {200})
    elb.delete_load_balancer(LoadBalancerArn=site.arn)
    elb.get_waiter("load_balancers_deleted").wait(LoadBalancerArns=[site.arn], WaiterConfig={"Delay": 1})
    lab.settled()
    assert lab.curl(site.client, f"http://{site.nodes[0]}/", seconds=0.7)[0] == 0
    assert lab.run(site.client, "getent", "ahostsv4", site.name).stdout == ""
    for arn in site.groups.values():
        elb.delete_target_group(TargetGroupArn=arn)
