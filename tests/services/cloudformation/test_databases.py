"""DB instances in stacks, and one behind a service network."""

from __future__ import annotations

from typing import Any

import pytest

from .region import NAME, Region, client
from .test_stacks import template, vpc
from .test_types import att, come_and_go, leave, of, ref


def _subnet(number: int, zone: str) -> dict[str, Any]:
    return of("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=NAME + zone)


def shop(size: str, port: int, second: str, groups: list[Any], shareable: bool, **more: Any) -> dict[str, Any]:
    return template(
        {
            "Address": {"Value": att("Database", "Endpoint.Address")}, "Port": {"Value": att("Database", "Endpoint.Port")},
            "Id": {"Value": att("Database", "DbiResourceId")}, "Group": {"Value": att("Group", "DBSubnetGroupArn")},
        },
        Vpc=vpc(), A=_subnet(1, "a"), B=_subnet(2, "b"), C=_subnet(3, "c"),
        Guard=of("EC2::SecurityGroup", GroupDescription="data", VpcId=ref("Vpc")),
        Group=of("RDS::DBSubnetGroup", DBSubnetGroupDescription=size, SubnetIds=[ref("A"), ref(second)], Tags=[{"Key": "size", "Value": size}]),
        Database=of(
            "RDS::DBInstance", Engine="postgres", DBInstanceClass=size, AllocatedStorage="20", MasterUsername="clerk", MasterUserPassword="not-a-secret",
            DBSubnetGroupName=ref("Group"), Port=str(port), Tags=[{"Key": "size", "Value": size}], **({"VPCSecurityGroups": groups} if groups else {}), **more,
        ),
        Gate=of("VpcLattice::ResourceGateway", Name="gate", VpcIdentifier=ref("Vpc"), SubnetIds=[ref("A")]),
        Resource=of(
            "VpcLattice::ResourceConfiguration", Name="orders", ResourceConfigurationType="ARN", ResourceGatewayId=ref("Gate"),
            ResourceConfigurationDefinition={"ArnResource": att("Database", "DBInstanceArn")}, AllowAssociationToSharableServiceNetwork=shareable,
        ),
    )  # fmt: skip


def test_a_db_instance_and_its_configuration_come_change_and_go(region: Region) -> None:
    rds, groups = client("rds"), [att("Guard", "GroupId")]
    before, after = shop("db.t3.micro", 5432, "B", groups, shareable=False), shop("db.t3.small", 6000, "C", [], shareable=True)
    come_and_go(region, before, after)
    outputs = region.outputs()
    (database,) = rds.describe_db_instances(DBInstanceIdentifier=region.physical("Database"))["DBInstances"]
    assert (outputs["Address"], outputs["Port"], outputs["Id"]) == (database["Endpoint"]["Address"], "6000", database["DbiResourceId"])
    assert (database["DBInstanceClass"], database["DBSubnetGroup"]["DBSubnetGroupArn"]) == ("db.t3.small", outputs["Group"])
    assert [item["SubnetIdentifier"] for item in database["DBSubnetGroup"]["Subnets"]] == [region.physical("A"), region.physical("C")]
    assert region.physical("Guard") not in str(database["VpcSecurityGroups"])
    assert {"Key": "size", "Value": "db.t3.small"} in database["TagList"]
    shown = region.lattice.get_resource_configuration(resourceConfigurationIdentifier=region.physical("Resource"))
    assert shown["resourceConfigurationDefinition"] == {"arnResource": {"arn": database["DBInstanceArn"]}}
    assert (shown["allowAssociationToShareableServiceNetwork"], shown["portRanges"]) == (True, [])
    leave(region, before)


@pytest.mark.parametrize(("more", "words"), [({"MultiAZ": "true"}, "Multi-AZ"), ({"DBName": "a b"}, "DBName")], ids=["not there", "wrong"])
def test_what_rds_refuses_fails_the_stack(region: Region, more: dict[str, Any], words: str) -> None:
    assert region.deploy(shop("db.t3.micro", 5432, "B", [], shareable=False, **more)) == "ROLLBACK_COMPLETE"
    assert words in str(region.reasons())
