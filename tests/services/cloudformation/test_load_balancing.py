"""Load balancers in stacks, and one as the target of a service."""

from __future__ import annotations

from typing import Any

from tests.services.elbv2.test_load_balancers import certificate_of

from .region import NAME, Region, client
from .test_stacks import template, vpc
from .test_types import att, come_and_go, leave, of, ref

FIXED = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}


def _subnet(number: int, zone: str) -> dict[str, Any]:
    return of("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=NAME + zone)


def secured(certificate: str, further: str) -> dict[str, Any]:
    return template(
        {"Id": {"Value": att("Further", "Id")}},
        Vpc=vpc(), A=_subnet(1, "a"), B=_subnet(2, "b"),
        Balancer=of("ElasticLoadBalancingV2::LoadBalancer", Name="secured", Scheme="internal", Subnets=[ref("A"), ref("B")]),
        Web=of(
            "ElasticLoadBalancingV2::Listener", LoadBalancerArn=ref("Balancer"), Port=443, Protocol="HTTPS", DefaultActions=[FIXED],
            Certificates=[{"CertificateArn": certificate}],
        ),
        Further=of("ElasticLoadBalancingV2::ListenerCertificate", ListenerArn=ref("Web"), Certificates=[{"CertificateArn": further}]),
    )  # fmt: skip


def shop(path: str, interval: int, second: str, idle: str, target: str, priority: int) -> dict[str, Any]:
    condition = {"Field": "path-pattern", "PathPatternConfig": {"Values": [path]}}
    config = {"Port": 80, "Protocol": "HTTP", "VpcIdentifier": ref("Vpc")}
    weighted = {"TargetGroups": [{"TargetGroupArn": ref("Targets"), "Weight": 2}]}
    return template(
        {
            "Name": {"Value": att("Balancer", "DNSName")}, "Full": {"Value": att("Balancer", "LoadBalancerFullName")},
            "Group": {"Value": att("Targets", "TargetGroupFullName")}, "Rule": {"Value": att("Rule", "RuleArn")},
        },
        Vpc=vpc(), A=_subnet(1, "a"), B=_subnet(2, "b"), C=_subnet(3, "c"),
        Gate=of("EC2::SecurityGroup", GroupDescription="web", VpcId=ref("Vpc")),
        Balancer=of(
            "ElasticLoadBalancingV2::LoadBalancer", Name="shop", Scheme="internal", Subnets=[ref("A"), ref(second)], SecurityGroups=[ref("Gate")],
            LoadBalancerAttributes=[{"Key": "idle_timeout.timeout_seconds", "Value": idle}], Tags=[{"Key": "path", "Value": path}],
        ),
        Targets=of(
            "ElasticLoadBalancingV2::TargetGroup", Port=8080, Protocol="HTTP", VpcId=ref("Vpc"), TargetType="ip", HealthCheckIntervalSeconds=interval,
            Targets=[{"Id": target}], TargetGroupAttributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "0"}],
        ),
        Web=of(
            "ElasticLoadBalancingV2::Listener", LoadBalancerArn=ref("Balancer"), Port=80, Protocol="HTTP", DefaultActions=[FIXED],
            Tags=[{"Key": "path", "Value": path}],
        ),
        Rule=of(
            "ElasticLoadBalancingV2::ListenerRule", ListenerArn=ref("Web"), Priority=priority, Conditions=[condition],
            Actions=[{"Type": "forward", "ForwardConfig": weighted}], Tags=[{"Key": "path", "Value": path}],
        ),
        Lattice={**of("VpcLattice::TargetGroup", Type="ALB", Config=config, Targets=[{"Id": ref("Balancer")}]), "DependsOn": "Web"},
    )  # fmt: skip


def test_a_load_balancer_comes_changes_and_goes(region: Region) -> None:
    elb = client("elbv2")
    before, after = shop("/a", 30, "B", "60", "10.0.1.9", 5), shop("/b", 15, "C", "90", "10.0.1.10", 6)
    come_and_go(region, before, after)
    outputs = region.outputs()
    (balancer,) = elb.describe_load_balancers(Names=["shop"])["LoadBalancers"]
    assert balancer["LoadBalancerArn"] == region.physical("Balancer")
    assert (outputs["Name"], balancer["LoadBalancerArn"].endswith(outputs["Full"])) == (balancer["DNSName"], True)
    assert region.physical("Targets").endswith(outputs["Group"])
    assert [zone["SubnetId"] for zone in balancer["AvailabilityZones"]] == [region.physical("A"), region.physical("C")]
    attributes = elb.describe_load_balancer_attributes(LoadBalancerArn=balancer["LoadBalancerArn"])["Attributes"]
    assert {"Key": "idle_timeout.timeout_seconds", "Value": "90"} in attributes
    (rule,) = elb.describe_rules(RuleArns=[region.physical("Rule")])["Rules"]
    assert (rule["Priority"], rule["Conditions"][0]["Values"], outputs["Rule"]) == ("6", ["/b"], rule["RuleArn"])
    health = elb.describe_target_health(TargetGroupArn=region.physical("Targets"))["TargetHealthDescriptions"]
    assert [item["Target"]["Id"] for item in health] == ["10.0.1.10"]
    assert elb.describe_target_groups(TargetGroupArns=[region.physical("Targets")])["TargetGroups"][0]["HealthCheckIntervalSeconds"] == 15
    tagged = elb.describe_tags(ResourceArns=[balancer["LoadBalancerArn"], region.physical("Web"), region.physical("Rule")])["TagDescriptions"]
    assert [{"Key": "path", "Value": "/b"} in item["Tags"] for item in tagged] == [True, True, True]
    items = client("vpc-lattice").list_targets(targetGroupIdentifier=region.physical("Lattice"))["items"]
    assert [(item["id"], item["status"]) for item in items] == [(balancer["LoadBalancerArn"], "UNUSED")]
    leave(region, before)


def dual_stack(type_: str, seconds: str) -> dict[str, Any]:
    blocks = {"Fn::Cidr": [{"Fn::Select": [0, att("Vpc", "Ipv6CidrBlocks")]}, 3, 64]}
    zones = {
        name: {**(made := _subnet(at, zone)), "DependsOn": "Six", "Properties": {**made["Properties"], "Ipv6CidrBlock": {"Fn::Select": [at, blocks]}}}
        for at, (name, zone) in enumerate({"A": "a", "B": "b"}.items(), 1)
    }
    sticky = {"enabled": "true", "type": "app_cookie", "app_cookie.cookie_name": "APP", "app_cookie.duration_seconds": seconds}
    return template(
        {},
        Vpc=vpc(), Six=of("EC2::VPCCidrBlock", VpcId=ref("Vpc"), AmazonProvidedIpv6CidrBlock=True), **zones,
        Balancer=of("ElasticLoadBalancingV2::LoadBalancer", Name="dual", Scheme="internal", Subnets=[ref("A"), ref("B")], IpAddressType=type_),
        Targets=of(
            "ElasticLoadBalancingV2::TargetGroup", Port=8080, Protocol="HTTP", VpcId=ref("Vpc"), TargetType="ip", IpAddressType="ipv6",
            TargetGroupAttributes=[{"Key": f"stickiness.{key}", "Value": value} for key, value in sticky.items()],
        ),
    )  # fmt: skip


def test_the_type_of_addresses_changes_and_groups_are_sticky(region: Region) -> None:
    elb = client("elbv2")
    before, after = dual_stack("ipv4", "60"), dual_stack("dualstack", "90")
    come_and_go(region, before, after)
    assert elb.describe_load_balancers(Names=["dual"])["LoadBalancers"][0]["IpAddressType"] == "dualstack"
    attributes = elb.describe_target_group_attributes(TargetGroupArn=region.physical("Targets"))["Attributes"]
    shown = {one["Key"]: one["Value"] for one in attributes if one["Key"].startswith("stickiness.app_cookie")}
    assert shown == {"stickiness.app_cookie.cookie_name": "APP", "stickiness.app_cookie.duration_seconds": "90"}
    leave(region, before)


def test_a_listener_gets_another_certificate(region: Region) -> None:
    arns = [client("acm").import_certificate(**certificate_of(f"{letter}.example.com"))["CertificateArn"] for letter in "abc"]
    before, after = (secured(arns[0], further) for further in arns[1:])
    come_and_go(region, before, after)
    listed = client("elbv2").describe_listener_certificates(ListenerArn=region.physical("Web"))["Certificates"]
    assert listed == [{"CertificateArn": arns[0], "IsDefault": True}, {"CertificateArn": arns[2], "IsDefault": False}]
    assert region.outputs()["Id"] == region.physical("Further")
    assert region.delete() == "DELETE_COMPLETE", region.reasons()
    for arn in arns:
        client("acm").delete_certificate(CertificateArn=arn)
