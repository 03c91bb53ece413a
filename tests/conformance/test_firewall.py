"""Centralised inspection across Availability Zones: appliance mode, stateless rules, reject, domain lists, a policy that changes under traffic, logs."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any

import pytest
from bench.region import until
from botocore.exceptions import ClientError

from .lab import Lab, allow, server

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
FAR = "172.24.69.15"
"""In the second zone's workload subnet of the far VPC."""
WEB, LINES, FREE, BLOCKED = 7001, 7777, 27117, 7900
STREAM = """
import socket, sys, time
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
connection.settimeout(5)
stream = connection.makefile("rwb")
for number in range(10**9):
    stream.write(b"%d\\n" % number)
    stream.flush()
    assert stream.readline(), "closed"
    print(number, flush=True)
    time.sleep(0.01)
"""


@dataclass
class Site:
    client: str
    server: str
    endpoints: dict[str, str]
    policy: str
    groups: dict[str, str]
    subnets: dict[str, str]


def _rule(action: str, port: int, sid: int, protocol: str = "TCP") -> dict[str, Any]:
    header = {"Protocol": protocol, "Source": "$BRANCH", "SourcePort": "ANY", "Direction": "FORWARD", "Destination": "172.24.0.0/16"}
    header["DestinationPort"] = str(port)
    return {"Action": action, "Header": header, "RuleOptions": [{"Keyword": "sid", "Settings": [str(sid)]}]}


def _stateful(name: str, group: dict[str, Any]) -> dict[str, Any]:
    return {"RuleGroupName": name, "Type": "STATEFUL", "Capacity": 50, "RuleGroup": group | {"StatefulRuleOptions": {"RuleOrder": "STRICT_ORDER"}}}


def _groups(lab: Lab) -> dict[str, str]:
    firewalls = lab.client("network-firewall")
    variables = {"RuleVariables": {"IPSets": {"BRANCH": {"Definition": ["172.23.0.0/16"]}}}}
    matches = (
        ("aws:drop", {"DestinationPorts": [{"FromPort": BLOCKED, "ToPort": BLOCKED}], "Sources": [{"AddressDefinition": "172.23.0.0/16"}]}),
        ("aws:pass", {"DestinationPorts": [{"FromPort": FREE, "ToPort": FREE}]}),
        ("aws:pass", {"SourcePorts": [{"FromPort": FREE, "ToPort": FREE}]}),
    )
    stateless = [
        {"RuleDefinition": {"MatchAttributes": match | {"Protocols": [6]}, "Actions": [action]}, "Priority": 10 + number}
        for number, (action, match) in enumerate(matches)
    ]
    domains = {"Targets": [".allowed.test"], "TargetTypes": ["HTTP_HOST", "TLS_SNI"], "GeneratedRulesType": "ALLOWLIST"}
    made = (
        {
            "RuleGroupName": "edge", "Type": "STATELESS", "Capacity": 100,
            "RuleGroup": {"RulesSource": {"StatelessRulesAndCustomActions": {"StatelessRules": stateless}}},
        },
        _stateful("lines", variables | {"RulesSource": {"StatefulRules": [_rule("PASS", LINES, 11)]}}),
        _stateful("domains", variables | {"RulesSource": {"RulesSourceList": domains}}),
        _stateful("words", {"RulesSource": {"RulesString": 'reject tcp any any -> any 7901 (msg:"closed port"; flow:to_server; sid:77;)'}}),
    )  # fmt: skip
    return {group["RuleGroupName"]: firewalls.create_rule_group(**group)["RuleGroupResponse"]["RuleGroupArn"] for group in made}


def _policy(groups: dict[str, str], *names: str) -> dict[str, Any]:
    return {
        "StatelessDefaultActions": ["aws:forward_to_sfe"], "StatelessFragmentDefaultActions": ["aws:drop"],
        "StatelessRuleGroupReferences": [{"ResourceArn": groups["edge"], "Priority": 5}],
        "StatefulEngineOptions": {"RuleOrder": "STRICT_ORDER", "StreamExceptionPolicy": "DROP"},
        "StatefulDefaultActions": ["aws:drop_established", "aws:alert_established"],
        "StatefulRuleGroupReferences": [{"ResourceArn": groups[name], "Priority": 100 * (number + 1)} for number, name in enumerate(names)],
        "PolicyVariables": {"RuleVariables": {"HOME_NET": {"Definition": ["172.23.0.0/16"]}}},
    }  # fmt: skip


@pytest.fixture(scope="module")
def site(lab: Lab) -> Site:
    """The client is in zone a, the server in zone b; the VPC has endpoints in both, and appliance mode keeps a flow on one of them."""
    vpcs = {"near": lab.vpc("172.23.0.0/16"), "far": lab.vpc("172.24.0.0/16"), "wall": lab.vpc("192.168.64.0/18")}
    subnets = {f"{name}-{role}-{zone}": "" for name in vpcs for role in ("home", "way") for zone in "ab"}
    second = {"near": "172.23", "far": "172.24", "wall": "192.168"}
    for number, key in enumerate(subnets):
        name, _, zone = key.split("-")
        subnets[key] = lab.subnet(vpcs[name], f"{second[name]}.{64 + number}.0/24", zone)
    gateway = lab.transit_gateway(DefaultRouteTableAssociation="disable", DefaultRouteTablePropagation="disable")
    firewalls, groups = lab.client("network-firewall"), _groups(lab)
    policy = firewalls.create_firewall_policy(FirewallPolicyName="wall", FirewallPolicy=_policy(groups, "words", "lines", "domains"))
    arn = policy["FirewallPolicyResponse"]["FirewallPolicyArn"]
    mappings = [{"SubnetId": subnets[f"wall-home-{zone}"]} for zone in "ab"]
    firewalls.create_firewall(FirewallName="wall", FirewallPolicyArn=arn, VpcId=vpcs["wall"], SubnetMappings=mappings)
    attachments = {
        name: lab.attach(gateway, vpc, [subnets[f"{name}-way-{zone}"] for zone in "ab"], ApplianceModeSupport="enable" if name == "wall" else "disable")
        for name, vpc in vpcs.items()
    }
    lab.attached(*attachments.values())
    out, back = lab.transit_gateway_table(gateway), lab.transit_gateway_table(gateway)
    lab.ec2.create_transit_gateway_route(**out, DestinationCidrBlock="0.0.0.0/0", TransitGatewayAttachmentId=attachments["wall"])
    for name, attachment in attachments.items():
        lab.ec2.associate_transit_gateway_route_table(**(back if name == "wall" else out), TransitGatewayAttachmentId=attachment)
        if name != "wall":
            lab.ec2.enable_transit_gateway_route_table_propagation(**back, TransitGatewayAttachmentId=attachment)

    def described() -> Any:
        found = firewalls.describe_firewall(FirewallName="wall")["FirewallStatus"]
        return found["Status"] == "READY" and found["SyncStates"]

    states = until(described)
    assert set(states) == {lab.zone("a"), lab.zone("b")}
    endpoints = {zone: state["Attachment"]["EndpointId"] for zone, state in states.items()}
    for zone in "ab":
        lab.route_table(vpcs["wall"], [subnets[f"wall-way-{zone}"]], routes={"0.0.0.0/0": {"VpcEndpointId": endpoints[lab.zone(zone)]}})
        lab.route_table(vpcs["wall"], [subnets[f"wall-home-{zone}"]], routes={"0.0.0.0/0": {"TransitGatewayId": gateway}})
    for name in ("near", "far"):
        lab.route_table(vpcs[name], [subnets[f"{name}-home-{zone}"] for zone in "ab"], routes={"0.0.0.0/0": {"TransitGatewayId": gateway}})
    groups_of = {name: lab.group(vpcs[name], "open", allow(cidr="0.0.0.0/0")) for name in ("near", "far")}
    script = server("far", [WEB], [LINES, FREE, BLOCKED, 7901, 7902])
    client = lab.instance("near", subnets["near-home-a"], "", [groups_of["near"]])
    far = lab.instance("far", subnets["far-home-b"], FAR, [groups_of["far"]], script)
    lab.running(client, far)
    lab.settled()
    until(lambda: lab.talk(far, "127.0.0.1", LINES))
    return Site(client, far, endpoints, arn, groups, subnets)


def test_what_the_rules_pass_and_what_they_do_not(lab: Lab, site: Site) -> None:
    answers = {port: lab.talk(site.client, FAR, port, seconds=0.8).partition(" ")[0] for port in (LINES, FREE, BLOCKED, 7902)}
    assert answers == {LINES: "far", FREE: "far", BLOCKED: "", 7902: ""}


def test_a_rejected_connection_ends_at_once(lab: Lab, site: Site) -> None:
    script = "import socket,sys\ntry:\n socket.create_connection((sys.argv[1],7901),5).recv(1)\nexcept ConnectionError as e: print(type(e).__name__)"
    assert lab.run(site.client, "python3", "-c", script, FAR).stdout.strip() in ("ConnectionRefusedError", "ConnectionResetError")


def test_only_listed_domains(lab: Lab, site: Site) -> None:
    def ask(host: str) -> int:
        return lab.curl(site.client, f"http://{host}:{WEB}/", "--resolve", f"{host}:{WEB}:{FAR}", seconds=1.0)[0]

    assert {host: ask(host) for host in ("www.allowed.test", "allowed.test", "notallowed.test", "allowed.test.evil")} == {
        "www.allowed.test": 200, "allowed.test": 200, "notallowed.test": 0, "allowed.test.evil": 0,
    }  # fmt: skip


def test_a_policy_changes_while_traffic_flows(lab: Lab, site: Site) -> None:
    firewalls = lab.client("network-firewall")
    flow = subprocess.Popen(lab.region.inside(site.client, "python3", "-c", STREAM, FAR, str(LINES)), stdout=subprocess.PIPE, text=True)
    try:
        assert flow.stdout is not None
        assert flow.stdout.readline() == "0\n"
        group = firewalls.create_rule_group(**_stateful("more", {"RulesSource": {"RulesString": "pass tcp any any -> any 7902 (sid:5;)"}}))
        groups = site.groups | {"more": group["RuleGroupResponse"]["RuleGroupArn"]}
        token = firewalls.describe_firewall_policy(FirewallPolicyName="wall")["UpdateToken"]
        changed = firewalls.update_firewall_policy(
            FirewallPolicyName="wall", UpdateToken=token, FirewallPolicy=_policy(groups, "words", "lines", "domains", "more")
        )
        assert changed["UpdateToken"] != token
        with pytest.raises(ClientError, match="InvalidTokenException"):
            firewalls.update_firewall_policy(FirewallPolicyName="wall", UpdateToken=token, FirewallPolicy=_policy(groups, "lines"))
        lab.settled()
        assert lab.talk(site.client, FAR, 7902).startswith("far ")
        assert all(flow.stdout.readline() for _ in range(30))
        with pytest.raises(ClientError, match="InvalidOperationException"):
            firewalls.delete_rule_group(RuleGroupName="more", Type="STATEFUL")
        firewalls.update_firewall_policy(
            FirewallPolicyName="wall", UpdateToken=changed["UpdateToken"], FirewallPolicy=_policy(groups, "words", "lines", "domains")
        )
        firewalls.delete_rule_group(RuleGroupName="more", Type="STATEFUL")
        lab.settled()
        assert lab.talk(site.client, FAR, 7902, seconds=0.8) == ""
        assert all(flow.stdout.readline() for _ in range(30))
    finally:
        flow.kill()
        flow.wait()
        assert flow.stdout is not None
        flow.stdout.close()


def test_a_rule_group_that_changes_is_enforced(lab: Lab, site: Site) -> None:
    firewalls = lab.client("network-firewall")
    described = firewalls.describe_rule_group(RuleGroupName="words", Type="STATEFUL")
    assert described["RuleGroupResponse"]["NumberOfAssociations"] == 1
    before, wanted = described["RuleGroup"], {"RulesSource": {"RulesString": 'drop tcp any any -> any any (msg:"no lines"; content:"secret"; sid:78;)'}}
    with pytest.raises(ClientError, match="InvalidRequestException"):
        firewalls.update_rule_group(
            RuleGroupName="words", Type="STATEFUL", UpdateToken=described["UpdateToken"], Rules="drop tcp any any -> any any (sid:1; nonsense:1;)"
        )
    wanted |= {"StatefulRuleOptions": {"RuleOrder": "STRICT_ORDER"}}
    changed = firewalls.update_rule_group(RuleGroupName="words", Type="STATEFUL", UpdateToken=described["UpdateToken"], RuleGroup=wanted)
    lab.settled()
    assert lab.talk(site.client, FAR, LINES, "a secret", seconds=0.8) == ""
    assert lab.talk(site.client, FAR, LINES, "a word").endswith("a word")
    firewalls.update_rule_group(RuleGroupName="words", Type="STATEFUL", UpdateToken=changed["UpdateToken"], RuleGroup=before)
    lab.settled()
    assert lab.talk(site.client, FAR, LINES, "a secret").endswith("a secret")


def test_records_go_to_log_groups(lab: Lab, site: Site) -> None:
    firewalls, logs = lab.client("network-firewall"), lab.client("logs")
    configs: list[dict[str, Any]] = []
    for kind in ("ALERT", "FLOW"):
        logs.create_log_group(logGroupName=f"/wall/{kind.lower()}")
        configs.append({"LogType": kind, "LogDestinationType": "CloudWatchLogs", "LogDestination": {"logGroup": f"/wall/{kind.lower()}"}})
        firewalls.update_logging_configuration(FirewallName="wall", LoggingConfiguration={"LogDestinationConfigs": configs})
    lab.settled()
    assert lab.talk(site.client, FAR, LINES) != ""
    assert lab.talk(site.client, FAR, 7902, seconds=0.8) == ""

    def events(group: str, pattern: str) -> list[dict[str, Any]]:
        found = logs.filter_log_events(logGroupName=group, filterPattern=pattern)["events"]
        return [json.loads(event["message"]) for event in found]

    alert = until(lambda: events("/wall/alert", "{ $.event.dest_port = 7902 }"))[0]
    assert alert["firewall_name"] == "wall"
    assert alert["availability_zone"] in (lab.zone("a"), lab.zone("b"))
    assert (alert["event"]["alert"]["action"], alert["event"]["dest_ip"], alert["event"]["proto"]) == ("blocked", FAR, "TCP")
    flows = until(lambda: events("/wall/flow", f"{{ $.event.dest_port = {LINES} || $.event.src_port = {LINES} }}"), 40)
    assert {flow["event"]["event_type"] for flow in flows} == {"netflow"}
    assert len({flow["availability_zone"] for flow in flows}) == 1  # both directions went through one endpoint
    streams = logs.describe_log_streams(logGroupName="/wall/alert")["logStreams"]
    assert streams[0]["logStreamName"].startswith("/aws/network-firewall/alert/wall_")
    first = logs.get_log_events(logGroupName="/wall/alert", logStreamName=streams[0]["logStreamName"], startFromHead=True)["events"][0]
    assert json.loads(first["message"])["event"]["event_type"] == "alert"


def test_a_subnet_leaves_the_firewall_and_comes_back(lab: Lab, site: Site) -> None:
    firewalls = lab.client("network-firewall")
    firewalls.disassociate_subnets(FirewallName="wall", SubnetIds=[site.subnets["wall-home-b"]])
    until(lambda: set(firewalls.describe_firewall(FirewallName="wall")["FirewallStatus"]["SyncStates"]) == {lab.zone("a")})
    firewalls.associate_subnets(FirewallName="wall", SubnetMappings=[{"SubnetId": site.subnets["wall-home-b"]}])

    def back() -> Any:
        status = firewalls.describe_firewall(FirewallName="wall")["FirewallStatus"]
        return status["Status"] == "READY" and lab.zone("b") in status["SyncStates"]

    until(back)
    state = firewalls.describe_firewall(FirewallName="wall")["FirewallStatus"]["SyncStates"][lab.zone("b")]["Attachment"]
    assert (state["Status"], state["SubnetId"]) == ("READY", site.subnets["wall-home-b"])
    with pytest.raises(ClientError, match=r"InvalidRequestException|InvalidOperationException"):
        firewalls.associate_subnets(FirewallName="wall", SubnetMappings=[{"SubnetId": site.subnets["wall-home-b"]}])


def test_everything_goes(lab: Lab, site: Site) -> None:
    firewalls = lab.client("network-firewall")
    with pytest.raises(ClientError, match="InvalidOperationException"):
        firewalls.delete_firewall_policy(FirewallPolicyName="wall")
    configs = firewalls.describe_logging_configuration(FirewallName="wall")["LoggingConfiguration"]["LogDestinationConfigs"]
    while configs:
        configs.pop()
        firewalls.update_logging_configuration(FirewallName="wall", LoggingConfiguration={"LogDestinationConfigs": configs})
    states = firewalls.describe_firewall(FirewallName="wall")["FirewallStatus"]["SyncStates"].values()
    endpoints = [state["Attachment"]["EndpointId"] for state in states]
    assert all(any(endpoint in name for name in lab.region.processes()) for endpoint in endpoints)
    policy = firewalls.describe_firewall_policy(FirewallPolicyName="wall")["FirewallPolicy"]
    groups = policy["StatefulRuleGroupReferences"] + policy["StatelessRuleGroupReferences"]
    firewalls.delete_firewall(FirewallName="wall")
    until(lambda: "wall" not in [one["FirewallName"] for one in firewalls.list_firewalls()["Firewalls"]])
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        firewalls.describe_firewall(FirewallName="wall")
    firewalls.delete_firewall_policy(FirewallPolicyName="wall")
    for group in groups:
        firewalls.delete_rule_group(RuleGroupArn=group["ResourceArn"])
    lab.ec2.terminate_instances(InstanceIds=[site.client, site.server])
    lab.settled()
    assert not any(endpoint in name for name in lab.region.processes() for endpoint in endpoints)
