"""Load balancers that clients stick to, and that log what they do; observed by clients with cookies inside instances, and in buckets."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Network, ip_address
from pathlib import Path
from typing import Any

import pytest
from bench.region import until
from botocore.exceptions import ClientError

from .lab import Lab, allow
from .test_dual_stack_endpoints import ASK, dual_vpc, six
from .test_load_balancers import certificate_for

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
WEB = 8080
SERVER = """#!/usr/bin/env python3
import http.server, json, socket
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    sick = False
    def do_GET(self):
        Answer.sick = (Answer.sick or self.path == "/sick") and self.path != "/well"
        about = {{"name": {name!r}, "client": self.client_address[0], "headers": {{key.lower(): value for key, value in self.headers.items()}}}}
        body = json.dumps(about).encode()
        self.send_response(503 if Answer.sick and self.headers["user-agent"].startswith("ELB-HealthChecker") else 200)
        if self.path == "/login":
            self.send_header("set-cookie", "APP=secret; HttpOnly")
        self.send_header("x-latticewall-target", "MTkyLjAuMi4xOjgw")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def address_string(self):
        return self.client_address[0]
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
Server(("::", {port}), Answer).serve_forever()
"""


@dataclass
class Site:
    vpc: str
    subnets: list[str]
    blocks: list[IPv6Network]
    gate: str
    arn: str
    name: str
    listener: str
    groups: dict[str, str]
    client: str
    servers: dict[str, str]


@pytest.fixture(scope="module")
def site(lab: Lab) -> Iterator[Site]:
    elb = lab.client("elbv2")
    vpc, subnets, blocks = dual_vpc(lab, "10.64.0.0/16", {"10.64.1.0/24": "a", "10.64.2.0/24": "b"})
    gate = lab.group(vpc, "sessions-gate", allow("tcp", 80, cidr="10.64.0.0/16"))
    inside = lab.group(vpc, "sessions-inside", allow("tcp", WEB, group=gate))
    script = {name: SERVER.format(name=name, port=WEB) for name in "abcd"}
    servers = {name: lab.instance(name, subnets[at % 2], f"10.64.{at % 2 + 1}.{20 + at}", [inside], script[name]) for at, name in enumerate("abcd")}
    servers["s"] = lab.instance("s", subnets[0], "", [inside], SERVER.format(name="s", port=WEB), Ipv6Addresses=[{"Ipv6Address": str(blocks[0][20])}])
    client = lab.instance("sessions", subnets[0], "10.64.1.10", Ipv6Addresses=[{"Ipv6Address": str(blocks[0][10])}])
    made = elb.create_load_balancer(Name="sessions", Subnets=subnets, SecurityGroups=[gate], Scheme="internal")["LoadBalancers"][0]
    check = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2, "HealthyThresholdCount": 2}
    groups = {
        name: elb.create_target_group(Name=f"sessions-{name}", Protocol="HTTP", Port=WEB, VpcId=vpc, **check)["TargetGroups"][0]["TargetGroupArn"]
        for name in ("one", "two")
    }
    for name, own in (("one", "abc"), ("two", "bd")):
        elb.register_targets(TargetGroupArn=groups[name], Targets=[{"Id": servers[letter]} for letter in own])
    listener = elb.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[{"Type": "forward", "TargetGroupArn": groups["one"]}],
    )["Listeners"][0]["ListenerArn"]  # fmt: skip
    lab.running(client, *servers.values())
    elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[made["LoadBalancerArn"]], WaiterConfig={"Delay": 1})
    elb.get_waiter("target_in_service").wait(TargetGroupArn=groups["one"], WaiterConfig={"Delay": 1})
    yield Site(vpc, subnets, blocks, gate, made["LoadBalancerArn"], made["DNSName"], listener, groups, client, servers)
    elb.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])


def stick(lab: Lab, group: str, **attributes: str) -> None:
    """attributes: of stickiness, with _ for the dots."""
    found = [{"Key": f"stickiness.{key.replace('__', '.')}", "Value": value} for key, value in attributes.items()]
    lab.client("elbv2").modify_target_group_attributes(TargetGroupArn=group, Attributes=found)
    lab.settled()


def begin(lab: Lab, site: Site, group: str = "one") -> None:
    """The listener forwards to one group, all of whose targets are healthy, and clients stick to nothing."""
    elb = lab.client("elbv2")
    elb.modify_listener(ListenerArn=site.listener, DefaultActions=[{"Type": "forward", "TargetGroupArn": site.groups[group]}])
    for arn in site.groups.values():
        stick(lab, arn, enabled="false")
    elb.get_waiter("target_in_service").wait(TargetGroupArn=site.groups[group], WaiterConfig={"Delay": 1})


class Browser:
    """A client with a cookie jar."""

    def __init__(self, lab: Lab, site: Site, jar: Path) -> None:
        self.lab, self.site, self.jar = lab, site, jar

    def get(self, path: str = "/") -> str:
        return str(self.about(path)["name"])

    def about(self, path: str = "/") -> Any:
        return self.lab.get(self.site.client, f"http://{self.site.name}{path}", "-b", str(self.jar), "-c", str(self.jar))

    @property
    def cookies(self) -> dict[str, str]:
        lines = (line.removeprefix("#HttpOnly_") for line in self.jar.read_text().splitlines()) if self.jar.exists() else ()
        return {found[5]: found[6] for line in lines if len(found := line.split("\t")) == 7}


_ASK = """
import http.client, json, sys
for headers in json.loads(sys.argv[2]):
    connection = http.client.HTTPConnection(sys.argv[1], 80, timeout=5)
    connection.request("GET", "/", headers=headers)
    answer = connection.getresponse()
    print(json.dumps([answer.status, json.loads(answer.read())["name"], [text.split("=")[0] for text in answer.msg.get_all("set-cookie", [])]]))
    connection.close()
"""


def ask(lab: Lab, site: Site, headers: Sequence[dict[str, str]]) -> list[tuple[int, str, list[str]]]:
    """Requests with those headers, each on a connection of its own: status, who answered, names of cookies that came."""
    done = lab.run(site.client, "python3", "-c", _ASK, site.name, json.dumps(headers), seconds=60)
    assert done.returncode == 0, done.stderr
    return [(found[0], found[1], found[2]) for found in map(json.loads, done.stdout.splitlines())]


def who(lab: Lab, site: Site, count: int, **headers: str) -> set[str]:
    """Who answers that many requests."""
    return {name for _, name, _ in ask(lab, site, [headers] * count)}


def heads(lab: Lab, site: Site) -> str:
    return lab.run(site.client, "curl", "-s", "-m", "3", "-i", f"http://{site.name}/").stdout


def resolved(lab: Lab, site: Site) -> dict[str, list[str]]:
    """Type of record -> what the load balancer's name has."""
    lines = lab.run(site.client, sys.executable, "-c", ASK, site.name).stdout.splitlines()
    return {line.split()[0]: line.split()[1:] for line in lines}


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:PutObject", **statement}]})


def test_access_logs(lab: Lab, site: Site) -> None:
    begin(lab, site)
    elb, s3, account = lab.client("elbv2"), lab.client("s3"), site.arn.split(":")[4]
    attributes = {"access_logs.s3.enabled": "true", "access_logs.s3.bucket": "sessions-logs", "access_logs.s3.prefix": "edge"}
    change = [{"Key": key, "Value": value} for key, value in attributes.items()]
    s3.create_bucket(Bucket="sessions-logs", CreateBucketConfiguration={"LocationConstraint": lab.region.name})
    with pytest.raises(ClientError, match="Access Denied for bucket: sessions-logs"):
        elb.modify_load_balancer_attributes(LoadBalancerArn=site.arn, Attributes=change)
    service, resource = "logdelivery.elasticloadbalancing.amazonaws.com", f"arn:aws:s3:::sessions-logs/edge/AWSLogs/{account}/*"
    s3.put_bucket_policy(Bucket="sessions-logs", Policy=policy({"Principal": {"Service": service}, "Resource": resource}))
    elb.add_tags(ResourceArns=[site.arn], Tags=[{"Key": "latticewall:interval", "Value": "1"}])
    elb.modify_load_balancer_attributes(LoadBalancerArn=site.arn, Attributes=change)
    assert s3.get_object(Bucket="sessions-logs", Key=f"edge/AWSLogs/{account}/ELBAccessLogTestFile")["Body"].read()
    answer: dict[str, Any] = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "410"}}
    away = {"Type": "redirect", "RedirectConfig": {"Host": "new.example.com", "StatusCode": "HTTP_301"}}
    for priority, action, path in ((7, answer, "/gone"), (9, away, "/away")):
        conditions = [{"Field": "path-pattern", "Values": [path]}]
        elb.create_rule(ListenerArn=site.listener, Priority=priority, Conditions=conditions, Actions=[action])
    lab.settled()

    def entries() -> list[list[str]]:
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket="sessions-logs").get("Contents", []) if not item["Key"].endswith("TestFile")]
        balancer = site.arn.partition("loadbalancer/")[2].replace("/", ".")
        name = rf"{account}_elasticloadbalancing_{lab.region.name}_{balancer}_\d{{8}}T\d{{4}}Z_10\.64\.[12]\.\d+_\w{{8}}\.log\.gz"
        where = rf"edge/AWSLogs/{account}/elasticloadbalancing/{lab.region.name}/\d{{4}}/\d\d/\d\d/{name}"
        assert [key for key in keys if not re.fullmatch(where, key)] == []
        words = "".join(gzip.decompress(s3.get_object(Bucket="sessions-logs", Key=key)["Body"].read()).decode() for key in keys)
        return [shlex.split(line) for line in words.splitlines()]

    domain = "logs.example.com"
    certificate, _ = certificate_for(lab, domain)
    lab.ec2.authorize_security_group_ingress(GroupId=site.gate, IpPermissions=[allow("tcp", 443, cidr="10.64.0.0/16")])
    secure = {"Protocol": "HTTPS", "Port": 443, "Certificates": [{"CertificateArn": certificate}], "DefaultActions": [answer]}
    elb.create_listener(LoadBalancerArn=site.arn, **secure)
    lab.settled()
    node = resolved(lab, site)["A"][0]
    until(lambda: lab.curl(site.client, f"https://{domain}/gone", "-k", "--resolve", f"{domain}:443:{node}")[0] == 410)
    until(lambda: lab.curl(site.client, f"http://{site.name}/gone")[0] == 410)
    url = f"http://{site.name}/found?a=b"
    assert lab.curl(site.client, url, "-A", 'so "they" say\\')[0] == 200
    lab.run(site.client, "curl", "-s", "-o", "/dev/null", f"http://{site.name}/away")
    # each node has files of its own
    wanted = [("/found", "200"), ("/away", "301"), (f"http://{site.name}:80/gone", "410"), (f"https://{domain}:443/gone", "410")]
    found = until(lambda: (rows := entries()) and all(any(part in row[12] and row[8] == code for row in rows) for part, code in wanted) and rows)
    assert {len(row) for row in found} == {33}
    (row,) = [row for row in found if "/found" in row[12]]
    assert (row[0], row[2], row[3].partition(":")[0]) == ("http", site.arn.partition("loadbalancer/")[2], "10.64.1.10")
    assert re.fullmatch(r"10\.64\.[12]\.2[0-3]:8080", row[4])
    assert all(re.fullmatch(r"\d\.\d{3}", seconds) for seconds in row[5:8])
    assert row[8:10] == ["200", "200"]
    assert (int(row[10]) > 80, int(row[11]) > 300) == (True, True)
    assert row[12:17] == [f"GET http://{site.name}:80/found?a=b HTTP/1.1", "so \\x22they\\x22 say\\x5C", "-", "-", site.groups["one"]]
    assert row[17].startswith("Root=1-")
    assert row[18:21] == ["-", "-", "0"]
    assert row[22:25] == ["forward", "-", "-"]
    assert row[25:29] == [row[4], "200", "-", "-"]
    (secured,) = [row for row in found if row[0] == "h2" and row[8] == "410"]
    assert (secured[12], secured[15], secured[18], secured[19]) == (f"GET https://{domain}:443/gone HTTP/2.0", "TLSv1.2", domain, certificate)
    (gone,) = {tuple(row[4:10] + row[20:21] + row[22:27]) for row in found if "http://" in row[12] and "/gone" in row[12] and row[8] == "410"}
    assert gone == ("-", "-1", "-1", "-1", "410", "-", "7", "fixed-response", "-", "-", "-", "-")
    (moved,) = [row for row in found if "/away" in row[12]]
    assert moved[22:24] == ["redirect", "http://new.example.com:80/away"]
    s3.delete_bucket_policy(Bucket="sessions-logs")
    elb.modify_load_balancer_attributes(LoadBalancerArn=site.arn, Attributes=[{"Key": "access_logs.s3.enabled", "Value": "false"}])
    lab.settled()


def test_a_cookie_of_the_load_balancer(lab: Lab, site: Site, tmp_path: Path) -> None:
    begin(lab, site)
    until(lambda: "set-cookie" not in heads(lab, site).lower())
    stick(lab, site.groups["one"], enabled="true", type="lb_cookie", lb_cookie__duration_seconds="600")
    words = until(lambda: "set-cookie" in (found := heads(lab, site)).lower() and found)
    given = re.findall(r"(?im)^set-cookie: ([A-Z]+)=([\w+/=]+); Expires=\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT; Path=/(.*)$", words)
    assert [(name, more) for name, _, more in given] == [("AWSALB", ""), ("AWSALBCORS", "; SameSite=None")]
    assert "latticewall" not in words.lower()
    assert b"10.64" not in base64.b64decode(given[0][1])
    browsers = [Browser(lab, site, tmp_path / f"jar{at}") for at in range(6)]
    names = [browser.get() for browser in browsers]
    assert len(set(names)) == 3
    assert [browser.get() for browser in browsers] == names
    headers = browsers[0].about()["headers"]
    assert "AWSALB=" in headers["cookie"]
    assert not any("latticewall" in name for name in headers)
    assert who(lab, site, 6, Cookie=f"x=1; AWSALBCORS={browsers[1].cookies['AWSALBCORS']}") == {names[1]}
    elb, away, gone = lab.client("elbv2"), browsers[0], {"TargetGroupArn": site.groups["one"], "Targets": [{"Id": site.servers[names[0]]}]}
    elb.deregister_targets(**gone)
    lab.settled()
    moved = away.get()
    assert moved != names[0]
    assert {away.get() for _ in range(3)} == {moved}
    elb.register_targets(**gone)
    elb.get_waiter("target_in_service").wait(TargetGroupArn=site.groups["one"], WaiterConfig={"Delay": 1})
    assert away.get() == moved
    stick(lab, site.groups["one"], lb_cookie__duration_seconds="4")
    until(lambda: away.get() and len(who(lab, site, 9, Cookie=f"AWSALB={away.cookies['AWSALB']}")) == 1)
    until(lambda: who(lab, site, 9, Cookie=f"AWSALB={away.cookies['AWSALB']}") == set("abc"))  # it has ended


def test_cookies_that_are_not_ours_are_not_there(lab: Lab, site: Site, tmp_path: Path) -> None:
    begin(lab, site)
    stick(lab, site.groups["one"], enabled="true", type="lb_cookie", lb_cookie__duration_seconds="600")
    browser = Browser(lab, site, tmp_path / "jar")
    until(lambda: browser.get() and "AWSALB" in browser.cookies)
    good = browser.cookies["AWSALB"]
    mangled = good[:40] + ("A" if good[40] != "A" else "B") + good[41:]
    clear = base64.b64encode(b"10.64.1.10:22").decode()
    forged = ("", "x", "=", "====", "AAAA", good[:-4], good + "AAAA", mangled, clear, "%00%ff", "A" * 3000, '"', "\\", "1|2|3|4|5")
    found = ask(lab, site, [{"Cookie": f"AWSALB={value}; AWSALBTG={value}; AWSALBAPP-0={value}"} for value in forged])
    assert [(status, cookies) for status, _, cookies in found] == [(200, ["AWSALB", "AWSALBCORS"])] * len(forged)
    assert who(lab, site, 9, Cookie=f"AWSALB={mangled}") == set("abc")
    assert who(lab, site, 9, **{"x-latticewall-target": clear, "x-latticewall-group": "sessions-two/0"}) == set("abc")


def test_a_cookie_of_the_application(lab: Lab, site: Site, tmp_path: Path) -> None:
    begin(lab, site)
    stick(lab, site.groups["one"], enabled="true", type="app_cookie", app_cookie__cookie_name="APP", app_cookie__duration_seconds="600")
    browser = Browser(lab, site, tmp_path / "jar")
    until(lambda: "awsalb" not in heads(lab, site).lower())
    assert len({browser.get() for _ in range(9)}) == 3
    first = browser.get("/login")
    assert set(browser.cookies) == {"APP", "AWSALBAPP-0"}
    assert {browser.get() for _ in range(4)} == {first}
    alone = f"AWSALBAPP-0={browser.cookies['AWSALBAPP-0']}"
    assert who(lab, site, 9, Cookie=alone) == set("abc")
    assert who(lab, site, 9, Cookie=f"{alone}; APP=anything") == {first}
    gone = {"TargetGroupArn": site.groups["one"], "Targets": [{"Id": site.servers[first]}]}
    lab.client("elbv2").deregister_targets(**gone)
    lab.settled()
    second = browser.get()
    assert second != first
    assert {browser.get() for _ in range(4)} == {second}
    lab.client("elbv2").register_targets(**gone)


def test_a_target_group(lab: Lab, site: Site, tmp_path: Path) -> None:
    begin(lab, site)
    stick(lab, site.groups["one"], enabled="true", type="lb_cookie")
    elb = lab.client("elbv2")
    listed = [{"TargetGroupArn": site.groups["one"], "Weight": 1}, {"TargetGroupArn": site.groups["two"], "Weight": 1}]

    def act(*weights: int, **config: Any) -> None:
        groups = [{**item, "Weight": weight} for item, weight in zip(listed, weights, strict=True)]
        forward = {"TargetGroups": groups, **({"TargetGroupStickinessConfig": config} if config else {})}
        elb.modify_listener(ListenerArn=site.listener, DefaultActions=[{"Type": "forward", "ForwardConfig": forward}])
        lab.settled()

    with pytest.raises(ClientError, match="You must enable group stickiness on a rule"):
        act(1, 1)
    stick(lab, site.groups["one"], enabled="false")
    act(1, 1)
    with pytest.raises(ClientError, match="behind a rule with group stickiness disabled"):
        stick(lab, site.groups["two"], enabled="true")
    act(1, 1, Enabled=True, DurationSeconds=600)
    # without stickiness of targets, a client sees all of its group's and no others
    of_group = {"one": set("abc"), "two": set("bd")}
    browser, cookie, found = Browser(lab, site, tmp_path / "jar"), "", set[str]()
    until(lambda: browser.get() and "AWSALBTG" in browser.cookies)
    for at in range(64):  # which group a client comes to first is a matter of chance
        browser = Browser(lab, site, tmp_path / f"jar{at}")
        name = browser.get()
        assert set(browser.cookies) == {"AWSALBTG", "AWSALBTGCORS"}
        cookie = f"AWSALBTG={browser.cookies['AWSALBTG']}"
        found = who(lab, site, 8, Cookie=cookie)
        assert found in of_group.values()
        assert name in found
        if found == of_group["one"]:
            break
    assert found == of_group["one"]
    act(0, 1, Enabled=True, DurationSeconds=600)
    until(lambda: who(lab, site, 8) == of_group["two"])
    assert who(lab, site, 9, Cookie=cookie) == of_group["one"]
    stick(lab, site.groups["one"], enabled="true", type="lb_cookie")
    until(lambda: browser.get() and "AWSALB" in browser.cookies)
    assert len({browser.get() for _ in range(5)}) == 1


KEEP_ASKING = """
import http.client, sys
connection = http.client.HTTPConnection(sys.argv[1], 80, timeout=5)
for line in sys.stdin:
    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()
    print(answer.status, answer.getheader("connection"), connection.sock.getsockname()[1])
"""


def test_dual_stack(lab: Lab, site: Site) -> None:
    """Over IPv6 like over IPv4, and only while it has the type: names, security groups, targets, health, rules and logs."""
    elb = lab.client("elbv2")
    found = resolved(lab, site)
    assert found["AAAA"] == ["NODATA"]
    program = lab.region.inside(site.client, "python3", "-uc", KEEP_ASKING, found["A"][0])
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdin is not None
        assert asking.stdout is not None
        said = []
        for type_ in ("ipv4", "dualstack"):
            elb.set_ip_address_type(LoadBalancerArn=site.arn, IpAddressType=type_)
            elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[site.arn], WaiterConfig={"Delay": 1})
            lab.settled()
            print(file=asking.stdin, flush=True)
            said.append(asking.stdout.readline())
        asking.stdin.close()
    assert said[0].startswith("200 None ")  # and on the same connection
    assert said[1] == said[0]
    found = resolved(lab, site)
    nodes = found["AAAA"]
    assert (len(found["A"]), sorted(next(at for at, block in enumerate(site.blocks) if ip_address(node) in block) for node in nodes)) == (2, [0, 1])
    near = str(site.blocks[0][10])
    assert lab.curl(site.client, f"http://[{nodes[0]}]/", seconds=0.7)[0] == 0
    lab.ec2.authorize_security_group_ingress(GroupId=site.gate, IpPermissions=[six("tcp", 80, 80, f"{near}/128")])
    check = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2, "HealthyThresholdCount": 2, "TargetType": "ip", "IpAddressType": "ipv6"}
    group = elb.create_target_group(Name="sessions-six", Protocol="HTTP", Port=WEB, VpcId=site.vpc, **check)["TargetGroups"][0]["TargetGroupArn"]
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": str(site.blocks[0][20])}])
    conditions = [{"Field": "path-pattern", "Values": ["/six"]}]
    elb.create_rule(ListenerArn=site.listener, Priority=20, Conditions=conditions, Actions=[{"Type": "forward", "TargetGroupArn": group}])
    lab.settled()
    elb.get_waiter("target_in_service").wait(TargetGroupArn=group, WaiterConfig={"Delay": 1})
    for host in (site.name, f"[{nodes[0]}]", f"[{nodes[1]}]"):
        about = until(lambda host=host: (got := lab.curl(site.client, f"http://{host}/six", "-6"))[0] == 200 and json.loads(got[1]))
        assert (about["name"], about["client"] in nodes, about["headers"]["x-forwarded-for"]) == ("s", True, near)
    over_four = lab.get(site.client, f"http://{site.name}/six", "-4")
    assert (over_four["name"], over_four["client"] in nodes) == ("s", True)
    assert lab.get(site.client, f"http://{site.name}/", "-6")["name"] in "abcd"
    sources = [{"Field": "source-ip", "SourceIpConfig": {"Values": ["192.0.2.0/24", str(site.blocks[0])]}}]
    answer = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "418"}}
    rule = elb.create_rule(ListenerArn=site.listener, Priority=21, Conditions=sources, Actions=[answer])["Rules"][0]["RuleArn"]
    lab.settled()
    until(lambda: lab.curl(site.client, f"http://{site.name}/", "-6")[0] == 418)
    assert lab.curl(site.client, f"http://{site.name}/", "-4")[0] == 200
    elb.delete_rule(RuleArn=rule)
    assert lab.get(site.client, f"http://{behind_lattice(lab, site)}/six")["name"] == "s"


def behind_lattice(lab: Lab, site: Site) -> str:
    """The name of a service whose target is the load balancer."""
    lattice = lab.client("vpc-lattice")
    lists = lab.ec2.describe_managed_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": [f"com.amazonaws.{lab.region.name}.vpc-lattice"]}])
    own = lists["PrefixLists"][0]["PrefixListId"]
    lab.ec2.authorize_security_group_ingress(GroupId=site.gate, IpPermissions=[allow("tcp", 80, prefix_list=own)])
    config = {"port": 80, "protocol": "HTTP", "vpcIdentifier": site.vpc}
    group = lattice.create_target_group(name="sessions", type="ALB", config=config)["id"]
    lab.settled()
    lattice.register_targets(targetGroupIdentifier=group, targets=[{"id": site.arn}])
    service = lattice.create_service(name="sessions")
    forward = {"forward": {"targetGroups": [{"targetGroupIdentifier": group}]}}
    lattice.create_listener(serviceIdentifier=service["id"], name="http", protocol="HTTP", defaultAction=forward)
    network = lattice.create_service_network(name="sessions")["id"]
    lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=site.vpc)
    made = lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=service["id"])
    lab.settled()
    return str(made["dnsEntry"]["domainName"])


def test_an_unhealthy_target_loses_who_sticks_to_it(lab: Lab, site: Site, tmp_path: Path) -> None:
    begin(lab, site, "two")
    stick(lab, site.groups["two"], enabled="true", type="lb_cookie", lb_cookie__duration_seconds="600")
    browser = Browser(lab, site, tmp_path / "jar")
    first = until(lambda: (name := browser.get()) and "AWSALB" in browser.cookies and name)
    assert {browser.get() for _ in range(4)} == {first}
    old = browser.cookies["AWSALB"]
    assert lab.curl(site.servers[first], f"http://127.0.0.1:{WEB}/sick")[0] == 200
    until(lambda: browser.get() != first, seconds=30)
    assert {browser.get() for _ in range(4)} == set("bd") - {first}
    assert who(lab, site, 4, Cookie=f"AWSALB={old}") == set("bd") - {first}
    assert lab.curl(site.servers[first], f"http://127.0.0.1:{WEB}/well")[0] == 200
