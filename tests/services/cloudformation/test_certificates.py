"""Certificates in stacks, and the services, listeners and target groups that HTTPS needs."""

from __future__ import annotations

from typing import Any

from .region import Region, client
from .test_stacks import template
from .test_types import come_and_go, leave, of, ref

NAMES = ("shop.example.com", "*.shop.example.com")


def shop(auth: str, *, logged: bool, tag: str) -> dict[str, Any]:
    """A service with its own name, certificate and HTTPS listener, and a target group that speaks gRPC."""
    action = {"Forward": {"TargetGroups": [{"TargetGroupIdentifier": ref("Group"), "Weight": 10}]}}
    return template(
        {"Certificate": {"Value": ref("Certificate")}},
        Zone=of("Route53::HostedZone", Name="example.com"),
        Certificate=of(
            "CertificateManager::Certificate", DomainName=NAMES[0], SubjectAlternativeNames=[NAMES[1]], ValidationMethod="DNS",
            DomainValidationOptions=[{"DomainName": NAMES[0], "HostedZoneId": ref("Zone")}], Tags=[{"Key": "team", "Value": tag}],
            CertificateTransparencyLoggingPreference="ENABLED" if logged else "DISABLED",
        ),
        Vpc=of("EC2::VPC", CidrBlock="10.0.0.0/16"),
        Group=of("VpcLattice::TargetGroup", Type="IP", Config={"Port": 9090, "Protocol": "HTTP", "ProtocolVersion": "GRPC", "VpcIdentifier": ref("Vpc")}),
        Service=of("VpcLattice::Service", CustomDomainName=NAMES[0], CertificateArn=ref("Certificate"), AuthType=auth),
        Listener=of("VpcLattice::Listener", ServiceIdentifier=ref("Service"), Protocol="HTTPS", DefaultAction=action),
    )  # fmt: skip


def test_a_service_with_its_certificate(region: Region) -> None:
    before, after = shop("NONE", logged=True, tag="a"), shop("AWS_IAM", logged=False, tag="b")
    come_and_go(region, before, after)
    acm, arn = client("acm"), region.outputs()["Certificate"]
    found = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    assert (found["Status"], found["SubjectAlternativeNames"], len(found["InUseBy"])) == ("ISSUED", list(NAMES), 1)
    assert found["Options"]["CertificateTransparencyLoggingPreference"] == "DISABLED"
    assert {"Key": "team", "Value": "b"} in acm.list_tags_for_certificate(CertificateArn=arn)["Tags"]
    (listener,) = region.lattice.list_listeners(serviceIdentifier=region.physical("Service"))["items"]
    assert (listener["protocol"], listener["port"]) == ("HTTPS", 443)
    record = found["DomainValidationOptions"][0]["ResourceRecord"]
    change = {"Name": record["Name"], "Type": "CNAME", "TTL": 300, "ResourceRecords": [{"Value": record["Value"]}]}
    batch = {"Changes": [{"Action": "DELETE", "ResourceRecordSet": change}]}
    region.route53.change_resource_record_sets(HostedZoneId=region.physical("Zone"), ChangeBatch=batch)  # as in AWS, nobody else removes it
    leave(region, before)


def test_another_name_is_another_certificate(region: Region) -> None:
    zone = of("Route53::HostedZone", Name="example.com")

    def named(name: str) -> dict[str, Any]:
        options = [{"DomainName": name, "HostedZoneId": ref("Zone")}]
        return template({}, Zone=zone, Certificate=of("CertificateManager::Certificate", DomainName=name, DomainValidationOptions=options))

    assert region.deploy(named("a.example.com")) == "CREATE_COMPLETE", region.reasons()
    first = region.physical("Certificate")
    assert region.deploy(named("b.example.com")) == "UPDATE_COMPLETE", region.reasons()
    assert region.physical("Certificate") != first
    assert [one["DomainName"] for one in client("acm").list_certificates()["CertificateSummaryList"]] == ["b.example.com"]


def test_what_nobody_can_validate_fails_and_leaves_nothing(region: Region) -> None:
    assert region.deploy(template({}, Certificate=of("CertificateManager::Certificate", DomainName="a.example.com"))) == "ROLLBACK_COMPLETE"
    assert "HostedZoneId" in region.reasons()
    assert client("acm").list_certificates()["CertificateSummaryList"] == []
