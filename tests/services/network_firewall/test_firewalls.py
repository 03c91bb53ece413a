"""Firewalls through boto3: endpoints, statuses as Terraform waits for them, protections, tokens, logging."""

from __future__ import annotations

from typing import Any

from tests.region import ACCOUNT, NAME, Region

from .test_policies import BODY, group, policy, strict
from .test_rule_groups import ARN, PASS, STRICT, strings


def firewall(region: Region, name: str = "gate", subnets: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """A firewall, with VPC, subnet and policy when they are not given."""
    if not subnets:
        subnets = (region.subnet(region.vpc()),)
    if "FirewallPolicyArn" not in more:
        more["FirewallPolicyArn"] = policy(region, f"{name}-policy")["FirewallPolicyResponse"]["FirewallPolicyArn"]
    vpc = region.ec2.describe_subnets(SubnetIds=[subnets[0]])["Subnets"][0]["VpcId"]
    mappings = [{"SubnetId": subnet} for subnet in subnets]
    return dict(region.firewall.create_firewall(FirewallName=name, VpcId=vpc, SubnetMappings=mappings, **more))


def described(region: Region, name: str = "gate") -> dict[str, Any]:
    return dict(region.firewall.describe_firewall(FirewallName=name))


def test_a_firewall_becomes_ready_with_an_endpoint_per_zone(region: Region) -> None:
    vpc = region.vpc()
    subnets = (region.subnet(vpc), region.subnet(vpc, "10.0.2.0/24", "b"))
    arn = group(region)
    rules = policy(region, body=strict(arn))
    created = firewall(region, subnets=subnets, FirewallPolicyArn=rules["FirewallPolicyResponse"]["FirewallPolicyArn"], Tags=[{"Key": "a", "Value": "1"}])
    assert "UpdateToken" not in created
    assert created["Firewall"]["FirewallArn"] == f"{ARN}:firewall/gate"
    status = created["FirewallStatus"]
    assert (status["Status"], status["ConfigurationSyncStateSummary"]) == ("PROVISIONING", "PENDING")
    region.settle()
    ready = described(region)
    status = ready["FirewallStatus"]
    assert (status["Status"], status["ConfigurationSyncStateSummary"]) == ("READY", "IN_SYNC")
    assert sorted(status["SyncStates"]) == [NAME + "a", NAME + "b"]
    attachment, config = status["SyncStates"][NAME + "a"]["Attachment"], status["SyncStates"][NAME + "a"]["Config"]
    assert (attachment["SubnetId"], attachment["Status"]) == (subnets[0], "READY")
    assert {key: value["SyncStatus"] for key, value in config.items()} == {arn: "IN_SYNC", rules["FirewallPolicyResponse"]["FirewallPolicyArn"]: "IN_SYNC"}
    assert config[rules["FirewallPolicyResponse"]["FirewallPolicyArn"]]["UpdateToken"] == rules["UpdateToken"]
    shown = ready["Firewall"]
    assert [mapping["SubnetId"] for mapping in shown["SubnetMappings"]] == list(subnets)
    assert (shown["DeleteProtection"], shown["SubnetChangeProtection"], shown["FirewallPolicyChangeProtection"]) == (False, False, False)
    assert shown["EncryptionConfiguration"] == {"Type": "AWS_OWNED_KMS_KEY", "KeyId": "AWS_OWNED_KMS_KEY"}
    assert shown["Tags"] == [{"Key": "a", "Value": "1"}]
    (endpoint,) = region.ec2.describe_vpc_endpoints(VpcEndpointIds=[attachment["EndpointId"]])["VpcEndpoints"]
    assert (endpoint["VpcEndpointType"], endpoint["SubnetIds"], endpoint["State"]) == ("GatewayLoadBalancer", [subnets[0]], "available")
    assert {tag["Key"]: tag["Value"] for tag in endpoint["Tags"]} == {"AWSNetworkFirewallManaged": "true", "Firewall": f"{ARN}:firewall/gate"}
    assert region.firewall.describe_firewall_policy(FirewallPolicyName="edge")["FirewallPolicyResponse"]["NumberOfAssociations"] == 1
    assert region.firewall.list_firewalls(VpcIds=[vpc])["Firewalls"] == [{"FirewallName": "gate", "FirewallArn": f"{ARN}:firewall/gate"}]
    assert region.firewall.list_firewalls(VpcIds=["vpc-00"])["Firewalls"] == []


def test_where_a_firewall_cannot_be(region: Region) -> None:
    vpc, other = region.vpc(), region.vpc("10.9.0.0/16")
    subnet, twin, far = region.subnet(vpc), region.subnet(vpc, "10.0.2.0/24"), region.subnet(other, "10.9.1.0/24")
    rules = policy(region)["FirewallPolicyResponse"]["FirewallPolicyArn"]
    right = {"FirewallName": "gate", "VpcId": vpc, "SubnetMappings": [{"SubnetId": subnet}], "FirewallPolicyArn": rules}
    six, _ = region.ipv6_only(vpc)
    for subnets, word in (((subnet, twin), twin), ((subnet, far), far), (("subnet-0none", subnet), "subnet-0none"), ((subnet, six), "IPv6-only")):
        with region.refused("InvalidRequestException", word):
            region.firewall.create_firewall(**{**right, "SubnetMappings": [{"SubnetId": item} for item in subnets]})
    gone = {"VpcId": "vpc-00", "FirewallPolicyArn": f"{ARN}:firewall-policy/none", "SubnetMappings": [], "TransitGatewayId": "tgw-0123456789abcdef0"}
    for member, value in gone.items():
        with region.refused("InvalidRequestException"):
            region.firewall.create_firewall(**{**right, member: value})
    assert region.ec2.describe_vpc_endpoints()["VpcEndpoints"] == []
    firewall(region, subnets=(subnet,), FirewallPolicyArn=rules)
    with region.refused("InvalidRequestException", "gate"):
        firewall(region, subnets=(far,), FirewallPolicyArn=rules)


def test_what_a_firewall_uses_stays_while_it_is_there(region: Region) -> None:
    vpc = region.vpc()
    subnet = region.subnet(vpc)
    firewall(region, subnets=(subnet,))
    region.settle()
    with region.refused("InvalidOperationException") as held:
        region.firewall.delete_firewall_policy(FirewallPolicyName="gate-policy")
    assert held["Error"]["Message"] == "Unable to delete the object because it is still in use"
    with region.refused("DependencyViolation"):
        region.ec2.delete_subnet(SubnetId=subnet)
    region.firewall.delete_firewall(FirewallName="gate")
    region.settle()
    with region.refused("ResourceNotFoundException"):
        described(region)
    region.firewall.delete_firewall_policy(FirewallPolicyName="gate-policy")
    assert [item for item in region.ec2.describe_vpc_endpoints()["VpcEndpoints"] if item["State"] != "deleted"] == []
    region.ec2.delete_subnet(SubnetId=subnet)
    region.ec2.delete_vpc(VpcId=vpc)


def test_a_change_of_rules_is_in_sync_when_the_data_plane_has_it(region: Region) -> None:
    arn = group(region)
    rules = policy(region, body=strict(arn))["FirewallPolicyResponse"]["FirewallPolicyArn"]
    firewall(region, FirewallPolicyArn=rules)
    region.settle()
    token = region.firewall.describe_rule_group(RuleGroupArn=arn)["UpdateToken"]
    newer = region.firewall.update_rule_group(RuleGroupArn=arn, RuleGroup=strings(PASS.replace("pass", "drop"), **STRICT), UpdateToken=token)["UpdateToken"]
    status = described(region)["FirewallStatus"]
    assert status["ConfigurationSyncStateSummary"] == "PENDING"
    region.settle()
    status = described(region)["FirewallStatus"]
    assert (status["ConfigurationSyncStateSummary"], status["SyncStates"][NAME + "a"]["Config"][arn]["UpdateToken"]) == ("IN_SYNC", newer)


def test_what_the_data_plane_cannot_have_is_not_called_in_sync(region: Region) -> None:
    first = firewall(region)["Firewall"]
    region.settle({first["FirewallId"]: "suricata ended with 1"})
    status = described(region)["FirewallStatus"]
    attachment = status["SyncStates"][NAME + "a"]["Attachment"]
    assert (status["Status"], status["ConfigurationSyncStateSummary"]) == ("PROVISIONING", "PENDING")
    assert (attachment["Status"], attachment["StatusMessage"]) == ("FAILED", "suricata ended with 1")
    second = firewall(region, "other")["Firewall"]
    region.settle()
    region.firewall.update_firewall_policy(
        FirewallPolicyName="other-policy", FirewallPolicy={**BODY, "StatelessDefaultActions": ["aws:drop"]},
        UpdateToken=region.firewall.describe_firewall_policy(FirewallPolicyName="other-policy")["UpdateToken"],
    )  # fmt: skip
    region.settle({second["FirewallId"]: "no room"})
    status = described(region, "other")["FirewallStatus"]
    assert (status["Status"], status["ConfigurationSyncStateSummary"]) == ("READY", "PENDING")
    assert status["SyncStates"][NAME + "a"]["Attachment"]["StatusMessage"] == "no room"


def test_protections(region: Region) -> None:
    vpc = region.vpc()
    first, second = region.subnet(vpc), region.subnet(vpc, "10.0.2.0/24", "b")
    other = policy(region, "other")["FirewallPolicyResponse"]["FirewallPolicyArn"]
    firewall(region, subnets=(first,), DeleteProtection=True, SubnetChangeProtection=True, FirewallPolicyChangeProtection=True)
    region.settle()
    with region.refused("InvalidOperationException", "Delete protection"):
        region.firewall.delete_firewall(FirewallName="gate")
    with region.refused("InvalidOperationException", "Subnet change protection"):
        region.firewall.associate_subnets(FirewallName="gate", SubnetMappings=[{"SubnetId": second}])
    with region.refused("InvalidOperationException", "Subnet change protection"):
        region.firewall.disassociate_subnets(FirewallName="gate", SubnetIds=[first])
    with region.refused("InvalidOperationException", "policy change protection"):
        region.firewall.associate_firewall_policy(FirewallName="gate", FirewallPolicyArn=other)
    region.firewall.update_subnet_change_protection(FirewallName="gate", SubnetChangeProtection=False)
    region.firewall.update_firewall_policy_change_protection(FirewallName="gate", FirewallPolicyChangeProtection=False)
    assert region.firewall.update_firewall_delete_protection(FirewallName="gate", DeleteProtection=False)["DeleteProtection"] is False
    region.firewall.associate_subnets(FirewallName="gate", SubnetMappings=[{"SubnetId": second}])
    region.firewall.associate_firewall_policy(FirewallName="gate", FirewallPolicyArn=other)
    assert described(region)["Firewall"]["FirewallPolicyArn"] == other
    region.firewall.delete_firewall_policy(FirewallPolicyName="gate-policy")
    region.firewall.delete_firewall(FirewallName="gate")


def test_subnets_come_and_go(region: Region) -> None:
    vpc = region.vpc()
    first, second = region.subnet(vpc), region.subnet(vpc, "10.0.2.0/24", "b")
    firewall(region, subnets=(first,))
    region.settle()
    region.firewall.associate_subnets(FirewallName="gate", SubnetMappings=[{"SubnetId": second}])
    assert described(region)["FirewallStatus"]["Status"] == "PROVISIONING"
    region.settle()
    assert len(described(region)["FirewallStatus"]["SyncStates"]) == 2
    with region.refused("InvalidRequestException", "inaccessible"):
        region.firewall.disassociate_subnets(FirewallName="gate", SubnetIds=["subnet-0123456789abcdef0"])
    region.firewall.disassociate_subnets(FirewallName="gate", SubnetIds=[first])
    region.settle()
    assert list(described(region)["FirewallStatus"]["SyncStates"]) == [NAME + "b"]
    region.ec2.delete_subnet(SubnetId=first)
    with region.refused("InvalidRequestException", "last subnet"):
        region.firewall.disassociate_subnets(FirewallName="gate", SubnetIds=[second])


def test_tokens_are_optional_for_firewalls_but_checked_when_given(region: Region) -> None:
    firewall(region)
    token = described(region)["UpdateToken"]
    newer = region.firewall.update_firewall_description(FirewallName="gate", Description="one", UpdateToken=token)["UpdateToken"]
    with region.refused("InvalidTokenException"):
        region.firewall.update_firewall_description(FirewallName="gate", Description="two", UpdateToken=token)
    newest = region.firewall.update_firewall_delete_protection(FirewallName="gate", DeleteProtection=False, UpdateToken=newer)["UpdateToken"]
    region.firewall.update_firewall_description(FirewallName="gate", UpdateToken=newest)
    assert "Description" not in described(region)["Firewall"]


def destination(kind: str, group: str) -> dict[str, Any]:
    return {"LogType": kind, "LogDestinationType": "CloudWatchLogs", "LogDestination": {"logGroup": group}}


def test_logging_changes_one_destination_per_call(region: Region) -> None:
    arn = firewall(region)["Firewall"]["FirewallArn"]
    assert "LoggingConfiguration" not in region.firewall.describe_logging_configuration(FirewallArn=arn)
    for name in ("/alert", "/flow", "/new"):
        region.logs.create_log_group(logGroupName=name)

    def update(*wanted: dict[str, Any]) -> Any:
        return region.firewall.update_logging_configuration(FirewallArn=arn, LoggingConfiguration={"LogDestinationConfigs": list(wanted)})

    alert, flow = destination("ALERT", "/alert"), destination("FLOW", "/flow")
    with region.refused("InvalidRequestException", "only one change"):
        update(alert, flow)
    with region.refused("LogDestinationPermissionException", "/none"):
        update(destination("ALERT", "/none"))
    for refused in ({**alert, "LogDestinationType": "S3", "LogDestination": {"bucketName": "logs"}}, destination("TLS", "/alert")):
        with region.refused("InvalidRequestException", "not supported by latticewall" if refused["LogType"] == "TLS" else "CloudWatchLogs"):
            update(refused)
    update(alert)
    update(alert, flow)
    with region.refused("InvalidRequestException", "only one destination"):
        update(alert, flow, destination("FLOW", "/new"))
    update(alert, destination("FLOW", "/new"))
    shown = region.firewall.describe_logging_configuration(FirewallArn=arn)["LoggingConfiguration"]["LogDestinationConfigs"]
    assert [item["LogDestination"]["logGroup"] for item in shown] == ["/alert", "/new"]
    with region.refused("InvalidRequestException", "only one change"):
        region.firewall.update_logging_configuration(FirewallArn=arn)
    update(alert)
    region.firewall.update_logging_configuration(FirewallArn=arn)
    assert "LoggingConfiguration" not in region.firewall.describe_logging_configuration(FirewallArn=arn)


def test_other_accounts_do_not_see_or_touch_it(region: Region) -> None:
    arn = firewall(region)["Firewall"]["FirewallArn"]
    stranger = region.of("999988887777", "network-firewall")
    for call, more in ((stranger.describe_firewall, {}), (stranger.delete_firewall, {}), (stranger.update_firewall_description, {"Description": "x"})):
        with region.refused("ResourceNotFoundException"):
            call(FirewallArn=arn, **more)
    assert region.firewall.describe_firewall_metadata(FirewallArn=f"{ARN}:firewall/gate")["Status"] == "PROVISIONING"
    assert arn.split(":")[4] == ACCOUNT


def test_encryption_is_with_aws_own_key(region: Region) -> None:
    firewall(region)
    given = {"Type": "AWS_OWNED_KMS_KEY", "KeyId": "AWS_OWNED_KMS_KEY"}
    assert region.firewall.update_firewall_encryption_configuration(FirewallName="gate", EncryptionConfiguration=given)["EncryptionConfiguration"] == given
    with region.refused("InvalidRequestException", "no KMS"):
        region.firewall.update_firewall_encryption_configuration(FirewallName="gate", EncryptionConfiguration={"Type": "CUSTOMER_KMS", "KeyId": "k"})
