"""The walkthrough's templates: made, changed and taken away again, whole, with the real services."""

from __future__ import annotations

import pytest

from .region import Region, needs_suricata, walkthrough

SCENARIOS = [pytest.param("centralized", marks=needs_suricata), "service-network", pytest.param("combined", marks=needs_suricata)]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_comes_and_goes(region: Region, scenario: str) -> None:
    assert region.deploy(walkthrough(scenario), scenario) == "CREATE_COMPLETE", region.reasons(scenario)
    assert {found["ResourceStatus"] for found in region.resources(scenario).values()} == {"CREATE_COMPLETE"}
    outputs = region.outputs(scenario)
    web = region.ec2.describe_instances(InstanceIds=[outputs["WebInstanceId"]])["Reservations"][0]["Instances"][0]
    assert (web["State"]["Name"], web["PrivateIpAddress"], outputs["WebAddress"]) == ("running", "10.1.0.10", "10.1.0.10")
    tags = {tag["Key"]: tag["Value"] for tag in web["Tags"]}
    assert (tags["Name"], tags["aws:cloudformation:logical-id"], tags["aws:cloudformation:stack-name"]) == ("web", "Web", scenario)
    with region.refused("ValidationError", "No updates are to be performed."):
        region.stacks.update_stack(StackName=scenario, UsePreviousTemplate=True, Capabilities=["CAPABILITY_IAM"])
    assert region.delete(scenario) == "DELETE_COMPLETE", region.reasons(scenario)
    assert not region.counts()


@needs_suricata
def test_the_firewall_stands_in_the_way_of_its_zone(region: Region) -> None:
    region.deploy(walkthrough("centralized"), "centralized")
    firewall = region.firewall.describe_firewall(FirewallName="centralized-firewall")
    endpoints = {zone: state["Attachment"]["EndpointId"] for zone, state in firewall["FirewallStatus"]["SyncStates"].items()}
    for letter in "AB":
        table = region.physical(f"InspectionTransitRouteTable{letter}", "centralized")
        routes = region.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
        default = next(route for route in routes if route["DestinationCidrBlock"] == "0.0.0.0/0")
        assert (default["GatewayId"], default["State"]) == (endpoints[f"{region.caller.region}{letter.lower()}"], "active")
    destinations = region.firewall.describe_logging_configuration(FirewallName="centralized-firewall")["LoggingConfiguration"]["LogDestinationConfigs"]
    assert {item["LogType"] for item in destinations} == {"ALERT", "FLOW"}


def test_the_policy_is_restricted_by_an_update_of_one_parameter(region: Region) -> None:
    region.deploy(walkthrough("service-network"), "mesh")
    network = region.outputs("mesh")["ServiceNetworkId"]
    assert "Condition" not in region.lattice.get_auth_policy(resourceIdentifier=network)["policy"]
    before = {name: found["PhysicalResourceId"] for name, found in region.resources("mesh").items()}
    parameters = {"RestrictToOrganization": "yes", "OrganizationId": "o-abcdefghij"}
    assert region.deploy(walkthrough("service-network"), "mesh", parameters=parameters) == "UPDATE_COMPLETE"
    assert '"aws:PrincipalOrgID":"o-abcdefghij"' in region.lattice.get_auth_policy(resourceIdentifier=network)["policy"]
    assert {name: found["PhysicalResourceId"] for name, found in region.resources("mesh").items()} == before
    updated = [logical for logical, status, _ in region.events("mesh") if status == "UPDATE_IN_PROGRESS"]
    assert updated == ["mesh", "ServiceNetworkPolicy"]


def test_the_target_group_has_its_target(region: Region) -> None:
    region.deploy(walkthrough("service-network"), "mesh")
    outputs = region.outputs("mesh")
    (target,) = region.lattice.list_targets(targetGroupIdentifier=outputs["LoggingTargetGroupId"])["items"]
    assert (target["id"], target["port"]) == (outputs["LoggingInstanceId"], 5044)
    (zone,) = region.route53.list_hosted_zones()["HostedZones"]
    records = region.route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
    (logging,) = [record for record in records if record["Name"] == "logging.example.com."]
    assert logging["ResourceRecords"] == [{"Value": outputs["LoggingDomainName"]}]
