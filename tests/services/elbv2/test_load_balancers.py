"""Load balancers, their subnets, groups, attributes and tags."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.region import ACCOUNT, NAME, Region, client

from .pieces import balancer, fixed, forward, group, listener, network


def test_a_load_balancer_is_provisioned_active_and_gone(region: Region) -> None:
    vpc, one, two = network(region)
    made = region.elbv2.create_load_balancer(Name="web", Subnets=[one, two], Scheme="internal", Tags=[{"Key": "team", "Value": "blue"}])
    (shown,) = made["LoadBalancers"]
    arn = shown["LoadBalancerArn"]
    assert arn.startswith(f"arn:aws:elasticloadbalancing:{NAME}:{ACCOUNT}:loadbalancer/app/web/")
    assert shown["DNSName"].startswith("internal-web-")
    assert shown["DNSName"].endswith(f".{NAME}.elb.amazonaws.com")
    assert (shown["State"]["Code"], shown["Type"], shown["Scheme"], shown["VpcId"], shown["IpAddressType"]) == (
        "provisioning", "application", "internal", vpc, "ipv4"
    )  # fmt: skip
    assert [zone["SubnetId"] for zone in shown["AvailabilityZones"]] == [one, two]
    assert len(shown["SecurityGroups"]) == 1
    region.settle()
    assert region.elbv2.describe_load_balancers(Names=["web"])["LoadBalancers"][0]["State"]["Code"] == "active"
    again = region.elbv2.create_load_balancer(Name="web", Subnets=[one, two], Scheme="internal")["LoadBalancers"][0]
    assert again["LoadBalancerArn"] == arn
    with region.refused("DuplicateLoadBalancerName", "different settings"):
        region.elbv2.create_load_balancer(Name="web", Subnets=[two, one], Scheme="internal")
    interfaces = region.ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": ["ELB app/web/*"]}])["NetworkInterfaces"]
    assert sorted(item["SubnetId"] for item in interfaces) == sorted([one, two])
    with region.refused("DependencyViolation"):
        region.ec2.delete_subnet(SubnetId=one)
    region.elbv2.delete_load_balancer(LoadBalancerArn=arn)
    region.settle()
    with region.refused("LoadBalancerNotFound", "web"):
        region.elbv2.describe_load_balancers(Names=["web"])
    assert region.elbv2.delete_load_balancer(LoadBalancerArn=arn)
    region.ec2.delete_subnet(SubnetId=one)


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ({"Scheme": "internet-facing"}, "InvalidScheme", "internet-facing"),
        ({"Scheme": None}, "InvalidScheme", "internet-facing"),
        ({"Type": "network"}, "InvalidConfigurationRequest", "network"),
        ({"Type": "gateway"}, "InvalidConfigurationRequest", "gateway"),
        ({"IpAddressType": "dualstack"}, "InvalidSubnet", "dualstack"),
        ({"Name": "internal-web"}, "ValidationError", "internal-"),
        ({"Name": "-web"}, "ValidationError", "hyphen"),
        ({"Subnets": ["ONE"]}, "ValidationError", "two different Availability Zones"),
        ({"Subnets": ["ONE", "NEAR"]}, "InvalidConfigurationRequest", "same Availability Zone"),
        ({"Subnets": ["ONE", "subnet-0123456789abcdef0"]}, "SubnetNotFound", "subnet-0123456789abcdef0"),
        ({"Subnets": ["ONE", "FAR"]}, "InvalidConfigurationRequest", "same VPC"),
        ({"Subnets": None}, "ValidationError", "subnets or subnet mappings"),
        ({"Subnets": ["ONE", "SIX"]}, "InvalidSubnet", "IPv6-only"),
        ({"SecurityGroups": ["sg-0123456789abcdef0"]}, "InvalidSecurityGroup", "sg-0123456789abcdef0"),
    ],
)
def test_what_a_load_balancer_cannot_be(region: Region, more: dict[str, Any], code: str, words: str) -> None:
    vpc, one, two = network(region)
    far, (six, _) = region.subnet(region.vpc("10.9.0.0/16"), "10.9.1.0/24", "b"), region.ipv6_only(vpc)
    names = {"ONE": one, "NEAR": region.subnet(vpc, "10.0.3.0/24"), "FAR": far, "SIX": six}
    if more.get("Subnets"):
        more = {**more, "Subnets": [names.get(name, name) for name in more["Subnets"]]}
    params = {key: value for key, value in {"Name": "web", "Subnets": [one, two], "Scheme": "internal", **more}.items() if value is not None}
    with region.refused(code, words):
        region.elbv2.create_load_balancer(**params)


def test_subnets_and_groups_change(region: Region) -> None:
    vpc, one, two = network(region)
    three = region.subnet(vpc, "10.0.3.0/24", "c")
    arn = balancer(region, one, two)["LoadBalancerArn"]
    mine = region.ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    assert region.elbv2.set_security_groups(LoadBalancerArn=arn, SecurityGroups=[mine])["SecurityGroupIds"] == [mine]
    answer = region.elbv2.set_subnets(LoadBalancerArn=arn, Subnets=[two, three])
    assert [zone["SubnetId"] for zone in answer["AvailabilityZones"]] == [two, three]
    interfaces = region.ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": ["ELB app/web/*"]}])["NetworkInterfaces"]
    assert {item["SubnetId"] for item in interfaces} == {two, three}
    assert {item["Groups"][0]["GroupId"] for item in interfaces} == {mine}
    region.ec2.delete_subnet(SubnetId=one)
    with region.refused("DependencyViolation"):
        region.ec2.delete_security_group(GroupId=mine)


def test_attributes_that_do_something_can_be_set(region: Region) -> None:
    vpc, one, two = network(region)
    arn = balancer(region, one, two)["LoadBalancerArn"]

    def change(key: str, value: str) -> dict[str, str]:
        answer = region.elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[{"Key": key, "Value": value}])
        return {item["Key"]: item["Value"] for item in answer["Attributes"]}

    assert change("idle_timeout.timeout_seconds", "30")["idle_timeout.timeout_seconds"] == "30"
    shown = {item["Key"]: item["Value"] for item in region.elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]}
    assert (shown["idle_timeout.timeout_seconds"], shown["routing.http.xff_header_processing.mode"]) == ("30", "append")
    for key, value in (("idle_timeout.timeout_seconds", "0"), ("connection_logs.s3.enabled", "true"), ("load_balancing.cross_zone.enabled", "false")):
        with region.refused("InvalidConfigurationRequest", key):
            change(key, value)
    with region.refused("ValidationError", "no.such"):
        change("no.such", "1")
    change("deletion_protection.enabled", "true")
    with region.refused("OperationNotPermitted", "protection"):
        region.elbv2.delete_load_balancer(LoadBalancerArn=arn)
    target = group(region, vpc)
    made = region.elbv2.modify_target_group_attributes(TargetGroupArn=target, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "5"}])
    assert {"Key": "deregistration_delay.timeout_seconds", "Value": "5"} in made["Attributes"]
    with region.refused("InvalidConfigurationRequest", "cross_zone"):
        region.elbv2.modify_target_group_attributes(TargetGroupArn=target, Attributes=[{"Key": "load_balancing.cross_zone.enabled", "Value": "false"}])


def test_tags(region: Region) -> None:
    vpc, one, two = network(region)
    arns = [balancer(region, one, two)["LoadBalancerArn"], group(region, vpc)]
    arns.append(listener(region, arns[0]))
    region.elbv2.add_tags(ResourceArns=arns, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    region.elbv2.remove_tags(ResourceArns=arns[1:], TagKeys=["a"])
    found = {item["ResourceArn"]: [tag["Key"] for tag in item["Tags"]] for item in region.elbv2.describe_tags(ResourceArns=arns)["TagDescriptions"]}
    assert found == {arns[0]: ["a", "b"], arns[1]: ["b"], arns[2]: ["b"]}
    with region.refused("ValidationError"):
        region.elbv2.add_tags(ResourceArns=[f"arn:aws:ec2:{NAME}:{ACCOUNT}:vpc/{vpc}"], Tags=[{"Key": "a", "Value": "1"}])


def test_policies_decide_by_name_scheme_and_tag(region: Region) -> None:
    _, one, two = network(region)
    policy = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"elasticloadbalancing:CreateLoadBalancer",'
        f'"Resource":"arn:aws:elasticloadbalancing:{NAME}:{ACCOUNT}:loadbalancer/app/team-*/*",'
        '"Condition":{"StringEquals":{"elasticloadbalancing:Scheme":"internal"}}}]}'
    )
    alice = region.as_user("elbv2", policy)
    alice.create_load_balancer(Name="team-web", Subnets=[one, two], Scheme="internal")
    with region.refused("AccessDenied", "elasticloadbalancing:CreateLoadBalancer"):
        alice.create_load_balancer(Name="web", Subnets=[one, two], Scheme="internal")
    with region.refused("AccessDenied"):
        alice.create_load_balancer(Name="team-other", Subnets=[one, two], Scheme="internal", Tags=[{"Key": "a", "Value": "b"}])
    with region.refused("AccessDenied"):
        alice.describe_load_balancers()


def test_attributes_of_listeners_and_target_groups(region: Region) -> None:
    vpc, one, two = network(region)
    elb, arn = region.elbv2, listener(region, balancer(region, one, two)["LoadBalancerArn"])
    key = "routing.http.response.server.enabled"
    assert elb.describe_listener_attributes(ListenerArn=arn)["Attributes"] == [{"Key": key, "Value": "true"}]
    wanted = [{"Key": key, "Value": "false"}]
    assert elb.modify_listener_attributes(ListenerArn=arn, Attributes=wanted)["Attributes"] == wanted
    assert elb.describe_listener_attributes(ListenerArn=arn)["Attributes"] == wanted
    with region.refused("InvalidConfigurationRequest", key):
        elb.modify_listener_attributes(ListenerArn=arn, Attributes=[{"Key": key, "Value": "perhaps"}])
    with region.refused("ListenerNotFound"):
        elb.describe_listener_attributes(ListenerArn=f"{arn}0")
    target = group(region, vpc)
    elb.modify_target_group_attributes(TargetGroupArn=target, Attributes=[{"Key": "load_balancing.algorithm.type", "Value": "weighted_random"}])
    shown = {one["Key"]: one["Value"] for one in elb.describe_target_group_attributes(TargetGroupArn=target)["Attributes"]}
    assert (shown["load_balancing.algorithm.type"], shown["deregistration_delay.timeout_seconds"]) == ("weighted_random", "300")
    with region.refused("TargetGroupNotFound"):
        elb.describe_target_group_attributes(TargetGroupArn=f"{target}0")


def test_ipv6_needs_subnets_that_have_it_and_nothing_is_reserved(region: Region) -> None:
    _, one, two = network(region)
    elb, arn = region.elbv2, balancer(region, one, two)["LoadBalancerArn"]
    assert elb.set_ip_address_type(LoadBalancerArn=arn, IpAddressType="ipv4")["IpAddressType"] == "ipv4"
    with region.refused("InvalidSubnet", "no IPv6 CIDR block"):
        elb.set_ip_address_type(LoadBalancerArn=arn, IpAddressType="dualstack")
    with region.refused("InvalidConfigurationRequest", "dualstack-without-public-ipv4"):
        elb.set_ip_address_type(LoadBalancerArn=arn, IpAddressType="dualstack-without-public-ipv4")
    assert elb.describe_capacity_reservation(LoadBalancerArn=arn)["CapacityReservationState"] == []
    for call, more in ((elb.set_ip_address_type, {"IpAddressType": "ipv4"}), (elb.describe_capacity_reservation, {})):
        with region.refused("LoadBalancerNotFound"):
            call(LoadBalancerArn=f"{arn}0", **more)


def test_the_certificate_and_the_policies_of_a_listener(region: Region) -> None:
    _, one, two = network(region)
    elb, web = region.elbv2, balancer(region, one, two)["LoadBalancerArn"]
    certificate = client("acm").request_certificate(DomainName="web.example.com", ValidationMethod="DNS")["CertificateArn"]
    given = {"LoadBalancerArn": web, "Protocol": "HTTPS", "Port": 443, "DefaultActions": [fixed()]}
    with region.refused("UnsupportedCertificate", "PENDING_VALIDATION"):
        elb.create_listener(**given, Certificates=[{"CertificateArn": certificate}])
    made = elb.create_listener(**given, Certificates=[{"CertificateArn": imported("web.example.com")}])["Listeners"][0]
    assert elb.describe_listener_certificates(ListenerArn=listener(region, web))["Certificates"] == []
    policies = {one["Name"]: one for one in elb.describe_ssl_policies()["SslPolicies"]}
    assert policies[made["SslPolicy"]]["SslProtocols"] == ["TLSv1", "TLSv1.1", "TLSv1.2"]
    (newer,) = elb.describe_ssl_policies(Names=["ELBSecurityPolicy-TLS13-1-2-2021-06"])["SslPolicies"]
    assert (newer["SslProtocols"], newer["Ciphers"][0]) == (["TLSv1.2", "TLSv1.3"], {"Name": "TLS_AES_128_GCM_SHA256", "Priority": 1})
    assert newer == policies[newer["Name"]]
    with region.refused("SSLPolicyNotFound", "none-such"):
        elb.describe_ssl_policies(Names=["none-such"])


def certificate_of(name: str) -> dict[str, bytes]:
    """A certificate and its key, to import."""
    key = ec.generate_private_key(ec.SECP256R1())
    return {"Certificate": self_signed(key, name), "PrivateKey": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())}


def imported(name: str) -> str:
    return str(client("acm").import_certificate(**certificate_of(name))["CertificateArn"])


def test_the_certificate_list_of_a_listener(region: Region) -> None:
    _, one, two = network(region)
    elb, web = region.elbv2, balancer(region, one, two)["LoadBalancerArn"]
    default, *further = (imported(f"{letter}.example.com") for letter in "abc")
    given = {"Protocol": "HTTPS", "Port": 443, "DefaultActions": [fixed()], "Certificates": [{"CertificateArn": default}]}
    made = elb.create_listener(LoadBalancerArn=web, **given)["Listeners"][0]["ListenerArn"]
    plain = listener(region, web)

    def add(arn: str, to: str = made) -> None:
        elb.add_listener_certificates(ListenerArn=to, Certificates=[{"CertificateArn": arn}])

    def listed() -> list[tuple[str, bool]]:
        return [(item["CertificateArn"], item["IsDefault"]) for item in elb.describe_listener_certificates(ListenerArn=made)["Certificates"]]

    for arn in (further[0], further[0], default):
        add(arn)
    assert listed() == [(default, True), (further[0], False), (default, False)]
    assert [item["CertificateArn"] for item in elb.describe_listeners(ListenerArns=[made])["Listeners"][0]["Certificates"]] == [default]
    assert client("acm").describe_certificate(CertificateArn=further[0])["Certificate"]["InUseBy"] == [made]
    with region.refused("CertificateNotFound", "not found"):
        add(default[:-1] + ("0" if default[-1] != "0" else "1"))
    with region.refused("ListenerNotFound"):
        add(further[0], made[:-1] + ("0" if made[-1] != "0" else "1"))
    with region.refused("InvalidConfigurationRequest", "HTTPS listeners only"):
        add(further[0], plain)
    for wrong in ([{"CertificateArn": arn} for arn in further], [{"CertificateArn": further[1], "IsDefault": True}]):
        with region.refused("ValidationError"):
            elb.add_listener_certificates(ListenerArn=made, Certificates=wrong)
    for arn in (default, further[1]):  # one that is not in the list does not matter
        elb.remove_listener_certificates(ListenerArn=made, Certificates=[{"CertificateArn": arn}])
    with region.refused("OperationNotPermitted", "ModifyListener"):
        elb.remove_listener_certificates(ListenerArn=made, Certificates=[{"CertificateArn": default}])
    assert listed() == [(default, True), (further[0], False)]
    with region.refused("ResourceInUseException"):
        client("acm").delete_certificate(CertificateArn=further[0])
    elb.modify_listener(ListenerArn=made, Protocol="HTTP", Port=8443)
    assert listed() == []
    client("acm").delete_certificate(CertificateArn=further[0])


def test_how_many_certificates_a_load_balancer_can_have(region: Region) -> None:
    _, one, two = network(region)
    elb, web = region.elbv2, balancer(region, one, two)["LoadBalancerArn"]
    limits = {item["Name"]: int(item["Max"]) for item in elb.describe_account_limits()["Limits"]}
    arns = [imported(f"{at}.example.com") for at in range(limits["certificates-per-application-load-balancer"] + 1)]
    given = {"LoadBalancerArn": web, "Protocol": "HTTPS", "DefaultActions": [fixed()], "Certificates": [{"CertificateArn": arns[0]}]}
    listeners = [elb.create_listener(**given, Port=port)["Listeners"][0]["ListenerArn"] for port in (443, 444)]
    for at, arn in enumerate(arns[:-1]):
        elb.add_listener_certificates(ListenerArn=listeners[at % 2], Certificates=[{"CertificateArn": arn}])
    with region.refused("TooManyCertificates", "25"):
        elb.add_listener_certificates(ListenerArn=listeners[0], Certificates=[{"CertificateArn": arns[-1]}])


def self_signed(key: ec.EllipticCurvePrivateKey, domain: str = "web.example.com") -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain)])
    born = datetime(2026, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 7, born, born + timedelta(days=90))
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def test_dual_stack(region: Region) -> None:
    """Addresses come and go with the type; groups of IPv6 need it."""
    ec2, elb = region.ec2, region.elbv2
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    block = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].removesuffix("00::/56")
    subnets = [
        ec2.create_subnet(
            VpcId=vpc["VpcId"], CidrBlock=f"10.0.{at}.0/24", Ipv6CidrBlock=f"{block}0{at}::/64", AvailabilityZone=f"{NAME}{zone}"
        )["Subnet"]["SubnetId"] for at, zone in ((1, "a"), (2, "b"))
    ]  # fmt: skip

    def addresses() -> list[list[dict[str, Any]]]:
        found = ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": ["ELB app/web/*"]}])["NetworkInterfaces"]
        return [one["Ipv6Addresses"] for one in found]

    made = balancer(region, *subnets, IpAddressType="dualstack")
    arn = made["LoadBalancerArn"]
    assert (made["IpAddressType"], [len(found) for found in addresses()]) == ("dualstack", [1, 1])
    six = group(region, vpc["VpcId"], IpAddressType="ipv6")
    for target, words in ((f"{block}01::3", "reserved"), (f"{block}09::9", "not within a subnet"), ("10.0.1.9", "not a valid IPv6 address")):
        with region.refused("InvalidTarget", words):
            elb.register_targets(TargetGroupArn=six, Targets=[{"Id": target}])
    elb.register_targets(TargetGroupArn=six, Targets=[{"Id": f"{block}01:0:0:0:A9".replace("::", ":")}])
    shown = elb.describe_target_health(TargetGroupArn=six)["TargetHealthDescriptions"]
    assert [item["Target"]["Id"] for item in shown] == [f"{block}01::a9"]
    with region.refused("InvalidConfigurationRequest", "instance"):
        group(region, vpc["VpcId"], "own", IpAddressType="ipv6", TargetType="instance")
    port = listener(region, arn, forward(six))
    with region.refused("InvalidConfigurationRequest", "must be of type dualstack"):
        elb.set_ip_address_type(LoadBalancerArn=arn, IpAddressType="ipv4")
    elb.delete_listener(ListenerArn=port)
    assert elb.set_ip_address_type(LoadBalancerArn=arn, IpAddressType="ipv4")["IpAddressType"] == "ipv4"
    assert addresses() == [[], []]
    with region.refused("InvalidConfigurationRequest", "must be of type dualstack"):
        listener(region, arn, forward(six))
    region.settle()
    assert elb.set_subnets(LoadBalancerArn=arn, Subnets=subnets, IpAddressType="dualstack")["IpAddressType"] == "dualstack"
    assert [len(found) for found in addresses()] == [1, 1]
