"""Connections without a request: TLS listeners and TCP resources, explained, and held against what the plan enforces."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from latticewall.analyze.packets import Packet, walk
from latticewall.base.ids import device
from latticewall.control_plane.world import compile_snapshot
from latticewall.plan.node import NodePlan

from .lab import ALLOW_ALL, Lab, gate, outcomes, policy, without

CONNECT = {**ALLOW_ALL, "Action": "vpc-lattice-svcs:Connect"}
NAME = "secure.example.com"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def plan(lab: Lab) -> NodePlan:
    with lab.region.store.read() as snapshot:
        return compile_snapshot(snapshot, "2026-01-02T03:05:00.000Z")


def open_door(lab: Lab) -> None:
    lab.ec2.authorize_security_group_ingress(
        GroupId=lab.door_group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 65535, "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}]
    )


# -- TCP resources --------------------------------------------------------------------------------------------------------------------------


def resource(lab: Lab, *ports: str) -> tuple[str, str]:
    """Id and DNS name of a resource in the client's own VPC."""
    gateway = lab.lattice.create_resource_gateway(name="gate", vpcIdentifier=lab.vpc, subnetIds=[lab.subnet])["id"]
    lab.region.settle()
    made = lab.lattice.create_resource_configuration(
        name="cache", type="SINGLE", resourceGatewayIdentifier=gateway, portRanges=list(ports),
        resourceConfigurationDefinition={"ipResource": {"ipAddress": "10.0.1.88"}},
    )["id"]  # fmt: skip
    lab.region.settle()
    lab.lattice.create_service_network_resource_association(resourceConfigurationIdentifier=made, serviceNetworkIdentifier=lab.network)
    lab.region.settle()
    (association,) = lab.lattice.list_service_network_resource_associations(resourceConfigurationIdentifier=made)["items"]
    return made, association["dnsEntry"]["domainName"]


def connect(lab: Lab, name: str, port: int = 6379, **params: Any) -> dict[str, Any]:
    return lab.explainer({"url": f"tcp://{name}:{port}", "source": "web", **params})


def enforced(lab: Lab, configuration: str, port: int) -> bool:
    """What the VPC's ruleset does with the connection."""
    compiled = plan(lab)
    (listener,) = [item for item in compiled.proxy.tcp_listeners if item.resource_configuration_arn.endswith(configuration)]
    ruleset = next(item.ruleset for item in compiled.namespaces if item.name == lab.vpc)
    assert ruleset is not None
    (interface,) = lab.ec2.describe_instances(InstanceIds=[lab.web])["Reservations"][0]["Instances"][0]["NetworkInterfaces"]
    packet = Packet(IPv4Address(lab.address), IPv4Address(listener.address), port, device("e", interface["NetworkInterfaceId"]))
    return walk(ruleset, "input", packet).verdict == "accept"


def test_a_resource_without_policy_is_open_to_all_who_get_there(lab: Lab) -> None:
    configuration, name = resource(lab, "6379", "7000-7010")
    answer = connect(lab, name)
    assert gate(answer, "security-group-ingress")["outcome"] == "fail"
    open_door(lab)
    answer = connect(lab, name)
    assert answer["verdict"] == "allowed", answer
    assert list(outcomes(answer))[5:] == ["listener", "resource-policy", "identity-policy", "target"]
    assert gate(answer, "resource-policy")["outcome"] == "skip"
    assert enforced(lab, configuration, 6379)
    assert gate(connect(lab, name, 7011), "listener")["detail"].endswith("it has 6379, 7000-7010: the connection is not answered")
    assert not enforced(lab, configuration, 7011)


@pytest.mark.parametrize(
    ("own", "role", "port", "failing"),
    [
        ([CONNECT], [CONNECT], 6379, ""),
        ([CONNECT], [], 6379, "identity-policy"),
        ([{**CONNECT, "Effect": "Deny"}], [CONNECT], 6379, "resource-policy"),
        ([{**CONNECT, "Condition": {"NumericEquals": {"vpc-lattice-svcs:Port": "6379"}}}], [CONNECT], 6379, ""),
        ([{**CONNECT, "Condition": {"NumericEquals": {"vpc-lattice-svcs:Port": "6379"}}}], [CONNECT], 7000, "resource-policy"),
        ([CONNECT], [CONNECT, {**CONNECT, "Effect": "Deny"}], 6379, "identity-policy"),
    ],
)
def test_a_resource_with_a_policy(lab: Lab, own: list[dict[str, Any]], role: list[dict[str, Any]], port: int, failing: str) -> None:
    configuration, name = resource(lab, "6379", "7000-7010")
    open_door(lab)
    lab.put_policy(configuration, policy(*own))
    if role:
        lab.iam.put_role_policy(RoleName="web", PolicyName="call", PolicyDocument=policy(*(without(item, "Principal") for item in role)))
    answer = connect(lab, name, port)
    assert (answer["verdict"] == "allowed") is enforced(lab, configuration, port) is (failing == ""), answer
    assert answer["decision"]["allowed"] is (failing == "")
    assert "text" not in answer["decision"], "nobody tells the client"
    if failing:
        assert gate(answer, failing)["outcome"] == "fail"
        assert answer["summary"].startswith(f"denied at {failing}")


def test_an_instance_without_role(lab: Lab) -> None:
    configuration, name = resource(lab, "6379")
    open_door(lab)
    lab.put_policy(configuration, policy(CONNECT))
    lab.instance("bare")
    assert "no credentials of a role" in gate(connect(lab, name, source="bare"), "identity-policy")["detail"]


def test_nobody_else_can_be_the_caller_of_a_connection(lab: Lab) -> None:
    _, name = resource(lab, "6379")
    lab.iam.create_user(UserName="alice")
    assert "carries no signature" in connect(lab, name, who="alice")["summary"]
    assert connect(lab, name, who="web")["gates"]
    for source in ("", lab.vpc):
        assert "say from which instance" in connect(lab, name, source=source)["summary"]
    assert gate(connect(lab, lab.host), "name")["outcome"] == "unknown"
    assert gate(lab.explainer({"url": f"http://{name}/", "source": "web"}), "name")["outcome"] == "unknown"


def test_addresses_that_are_no_service_s_are_said_to_be_whose(lab: Lab) -> None:
    """With an association or without: nothing is denied that nobody asked the service network for."""
    lab.instance("other")
    found = lab.ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": ["other"]}])["Reservations"][0]["Instances"][0]
    whose = {
        found["PrivateIpAddress"]: f"of {found['InstanceId']} in {lab.vpc}", "10.0.1.250": f"an address of {lab.vpc} that no interface has",
        "192.0.2.7": "an address of no VPC here", "169.254.169.254": "metadata",
    }  # fmt: skip
    for associated in (True, False):
        for address, words in whose.items():
            for scheme in ("http", "https", "tcp"):
                answer = lab.explainer({"url": f"{scheme}://{address}:22/", "source": "web"})
                assert answer["verdict"] == "unknown"
                assert words in answer["summary"], answer
                assert "over Transit Gateways, through firewalls and in tunnels are not explained" in answer["summary"]
        if associated:
            lab.lattice.delete_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=lab.association)
            lab.region.settle()


def test_tunnels_are_told_apart(lab: Lab) -> None:
    far = lab.region.vpc()
    gateway = lab.lattice.create_resource_gateway(name="far", vpcIdentifier=far, subnetIds=[lab.region.subnet(far)], resourceConfigDnsResolution="IN_VPC")["id"]
    lab.region.settle()
    definition = {"cidrResource": {"cidrRanges": ["10.62.0.0/16"]}}
    segment = lab.lattice.create_resource_configuration(
        name="segment", type="CIDR", resourceGatewayIdentifier=gateway, resourceConfigurationDefinition=definition
    )
    lab.region.settle()
    made = lab.ec2.create_vpc_endpoint(VpcEndpointType="Tunnel", VpcId=lab.vpc, ResourceConfigurationArn=segment["arn"], SubnetIds=[lab.subnet])["VpcEndpoint"]
    lab.region.settle()
    (prefix,) = lab.ec2.describe_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])["VpcEndpoints"][0]["Ipv4Prefixes"]
    door = prefix["IpPrefixes"][0].partition("/")[0]
    for scheme in ("http", "tcp"):
        at_the_door = lab.explainer({"url": f"{scheme}://{door}:6081/", "source": "web"})
        assert (at_the_door["verdict"], gate(at_the_door, "vpc-endpoint")["outcome"]) == ("unknown", "unknown")
        assert f"tunnel endpoint {made['VpcEndpointId']} into network segment {segment['id']}" in at_the_door["summary"]
        behind = lab.explainer({"url": f"{scheme}://10.62.1.10:8080/", "source": "web"})
        assert f"network segment {segment['id']}, which tunnel endpoint {made['VpcEndpointId']} leads into" in behind["summary"]


# -- TLS listeners --------------------------------------------------------------------------------------------------------------------------


def tls_service(lab: Lab, **more: Any) -> str:
    """Id of a service with a TLS listener, under its custom domain name in a private hosted zone of the VPC."""
    made = lab.lattice.create_service(name="secure", customDomainName=NAME, **more)
    lab.lattice.create_service_network_service_association(serviceNetworkIdentifier=lab.network, serviceIdentifier=made["id"])
    group = lab.lattice.create_target_group(name="secure", type="IP", config={"port": 8443, "protocol": "TCP", "vpcIdentifier": lab.vpc})["id"]
    lab.region.settle()
    lab.lattice.register_targets(targetGroupIdentifier=group, targets=[{"id": "10.0.1.99"}])
    forward = {"forward": {"targetGroups": [{"targetGroupIdentifier": group}]}}
    lab.lattice.create_listener(serviceIdentifier=made["id"], name="tls", protocol="TLS_PASSTHROUGH", port=443, defaultAction=forward)
    lab.ec2.modify_vpc_attribute(VpcId=lab.vpc, EnableDnsHostnames={"Value": True})
    zone = lab.region.route53.create_hosted_zone(Name="example.com", CallerReference="1", VPC={"VPCRegion": lab.lattice.meta.region_name, "VPCId": lab.vpc})
    record = {"Name": NAME, "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": made["dnsEntry"]["domainName"]}]}
    changes = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    lab.region.route53.change_resource_record_sets(HostedZoneId=zone["HostedZone"]["Id"], ChangeBatch=changes)
    open_door(lab)
    lab.region.settle()
    return str(made["id"])


def decided(lab: Lab) -> bool:
    """What the plan tells the proxy about connections from the instance."""
    ((listener,),) = [item.services for item in plan(lab).proxy.tls_listeners]
    for decision in listener.decisions:
        if not decision.addresses or lab.address in decision.addresses:
            return decision.allowed
    return True


@pytest.mark.parametrize(
    ("own", "allowed"),
    [
        ([CONNECT], True),
        ([ALLOW_ALL], False),
        ([{**CONNECT, "Condition": {"StringNotEquals": {"aws:PrincipalType": "Anonymous"}}}], False),
        ([{**CONNECT, "Condition": {"IpAddress": {"aws:SourceIp": "10.0.1.0/24"}}}], True),
        ([{**CONNECT, "Condition": {"IpAddress": {"aws:SourceIp": "10.0.2.0/24"}}}], False),
    ],
)
def test_a_tls_listener_is_decided_for_anonymous_callers(lab: Lab, own: list[dict[str, Any]], allowed: bool) -> None:
    service = tls_service(lab, authType="AWS_IAM")
    lab.put_policy(lab.network, policy(CONNECT, ALLOW_ALL))
    lab.put_policy(service, policy(*own))
    answer = lab.explainer({"url": f"https://{NAME}/", "source": "web"})
    assert (answer["verdict"] == "allowed") is decided(lab) is allowed, answer
    assert gate(answer, "service-policy")["outcome"] == ("pass" if allowed else "fail")
    assert gate(answer, "identity-policy")["outcome"] == "skip"
    assert answer["decision"]["action"] == "vpc-lattice-svcs:Connect"
    assert "10.0.1.99:8443" in gate(answer, "target")["detail"]
    assert lab.explainer({"url": f"tls://{NAME}", "source": "web", "who": "web"})["verdict"] == "unknown", "who asks does not count"


def test_a_name_or_port_without_a_tls_listener(lab: Lab) -> None:
    tls_service(lab)
    assert NAME in gate(lab.explainer({"url": f"https://{lab.host}/", "source": "web"}), "listener")["detail"]
    assert "there is none" in gate(lab.explainer({"url": f"https://{NAME}:8443/", "source": "web"}), "listener")["detail"]
