"""RDS's resource kinds. A DB instance's id is its `DbiResourceId`, which stays its own; its name is what calls identify it by."""

from __future__ import annotations

from latticewall.resources.kind import Kind, Lifecycle, Ref
from latticewall.services.rds import nouns, view

ARN = "arn:aws:rds:{region}:{account}:"
STATUSES = {"ready": "available", "updating": "modifying", "failing": "failed", "impaired": "failed"}
"""All others are called alike by RDS ("Viewing Amazon RDS DB instance status"). A server that has failed is tried again, and available when it is back."""

KINDS = (
    Kind(
        nouns.DB_INSTANCE, id_member="DbiResourceId", id_prefix="db-", arn_member="DBInstanceArn", name_member="DBInstanceIdentifier", unique="region",
        by_name=True, arn=ARN + "db:{name}", tag_member="TagList", view=view.db_instance, removing=view.release,
        lifecycle=Lifecycle("DBInstanceStatus", STATUSES, settles=True, heals=True, awaited="starting"), cloudformation="AWS::RDS::DBInstance",
        refs={
            "DBSubnetGroupName": Ref(nouns.DB_SUBNET_GROUP), "VpcSecurityGroupIds": Ref(nouns.SECURITY_GROUP), "Vpc": Ref(nouns.VPC),
            "Subnet": Ref(nouns.SUBNET), "Interface": Ref(nouns.NETWORK_INTERFACE),
        },
        not_found_text="DBInstance {id} not found.",
    ),
    Kind(
        nouns.DB_SUBNET_GROUP, arn_member="DBSubnetGroupArn", name_member="DBSubnetGroupName", unique="region", by_name=True, arn=ARN + "subgrp:{name}",
        view=view.db_subnet_group, refs={"Vpc": Ref(nouns.VPC), "SubnetIds": Ref(nouns.SUBNET)}, cloudformation="AWS::RDS::DBSubnetGroup",
        not_found_text="DB subnet group '{id}' does not exist.",
    ),
)  # fmt: skip
