"""Types of Amazon RDS ("AWS::RDS resource type reference"). Ref is the name.

A DB instance without a DeletionPolicy is deleted with its data: AWS would take a snapshot first, and there are none here.
"""

from __future__ import annotations

from latticewall.services.cloudformation.resource_types.row import Made, Properties, ResourceType, Work


def _change_instance(work: Work, made: Made, properties: Properties) -> None:
    """Everything at once, as a stack's update does; the port has another name in a change."""
    changed = {name: value for name, value in properties.items() if made.properties.get(name) != value and name != "Tags"}
    if "VPCSecurityGroups" in made.properties and "VPCSecurityGroups" not in properties:
        vpc = work.call("rds:DescribeDBInstances", {"DBInstanceIdentifier": made.physical_id})["DBInstances"][0]["DBSubnetGroup"]["VpcId"]
        filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
        changed["VPCSecurityGroups"] = [work.call("ec2:DescribeSecurityGroups", {"Filters": filters})["SecurityGroups"][0]["GroupId"]]
    changed |= {name: value for name, value in DEFAULTS.items() if name in made.properties and name not in properties}
    if changed:
        given = work.input("rds:ModifyDBInstance", changed, {**RENAMES, "Port": "DBPortNumber"})
        work.call("rds:ModifyDBInstance", {"DBInstanceIdentifier": made.physical_id, "ApplyImmediately": True, **given})


def _delete_instance(work: Work, made: Made) -> None:
    work.call("rds:DeleteDBInstance", {"DBInstanceIdentifier": made.physical_id, "SkipFinalSnapshot": True})


RENAMES = {"VPCSecurityGroups": "VpcSecurityGroupIds"}
DEFAULTS = {"DeletionProtection": False, "Port": 5432, "StorageType": "gp2", "AutoMinorVersionUpgrade": True, "CopyTagsToSnapshot": False}
"""What a property that was taken away comes to."""
TYPES = (
    ResourceType(
        "AWS::RDS::DBSubnetGroup", "DBSubnetGroupName= DBSubnetGroupDescription! SubnetIds!", kind="rds:DBSubnetGroup", create="rds:CreateDBSubnetGroup",
        made="DBSubnetGroup.DBSubnetGroupArn", ref="name", key="DBSubnetGroupName=name", update="rds:ModifyDBSubnetGroup", delete="rds:DeleteDBSubnetGroup",
        name="DBSubnetGroupName:255:lower", tagging="rds", attributes={"DBSubnetGroupArn": "@arn"},
    ),
    ResourceType(
        "AWS::RDS::DBInstance",
        "DBInstanceIdentifier= Engine= EngineVersion DBInstanceClass AllocatedStorage StorageType MasterUsername= MasterUserPassword DBName= Port "
        "DBSubnetGroupName= AvailabilityZone= VPCSecurityGroups DeletionProtection PubliclyAccessible MultiAZ StorageEncrypted= BackupRetentionPeriod "
        "PreferredMaintenanceWindow AutoMinorVersionUpgrade CopyTagsToSnapshot LicenseModel EngineLifecycleSupport DBParameterGroupName OptionGroupName "
        "CACertificateIdentifier MonitoringInterval NetworkType EnableIAMDatabaseAuthentication EnablePerformanceInsights",
        kind="rds:DBInstance", create="rds:CreateDBInstance", made="DBInstance.DBInstanceArn", ref="name", key="DBInstanceIdentifier=name",
        changing=_change_instance, delete="rds:DeleteDBInstance", removing=_delete_instance, name="DBInstanceIdentifier:63:lower", tagging="rds",
        renames=RENAMES,
        attributes={
            "Endpoint.Address": "Endpoint.Address", "Endpoint.Port": "Endpoint.Port", "Endpoint.HostedZoneId": "Endpoint.HostedZoneId",
            "DbiResourceId": "@id", "DBInstanceArn": "@arn", "DBInstanceStatus": "DBInstanceStatus", "InstanceCreateTime": "InstanceCreateTime",
        },
    ),
)  # fmt: skip
