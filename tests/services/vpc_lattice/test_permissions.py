"""What IAM is asked before an operation ("Actions, resources, and condition keys for Amazon VPC Lattice"): each key can let a call pass, and stop it."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from tests.region import ACCOUNT, NAME, Region

from .things import NOT_FOUND, Things, call


class Asking(Region):
    """A region that asks IAM, with what Things needs."""

    def service(self, name: str) -> str:
        return str(self.lattice.create_service(name=name)["id"])

    def log_group(self, name: str) -> str:
        self.logs.create_log_group(logGroupName=name)
        return f"arn:aws:logs:{NAME}:{ACCOUNT}:log-group:{name}"


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Asking:
    return Asking(tmp_path_factory.mktemp("region"))


@pytest.fixture(scope="module")
def things(asking: Asking) -> Things:
    return Things(cast("Any", asking))


def allow(action: str, **condition: Any) -> str:
    statement = {"Effect": "Allow", "Action": f"vpc-lattice:{action}", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | ({"Condition": condition} if condition else {})]})


KEYS = [
    ("CreateServiceNetwork", "AuthType", "AWS_IAM", {"name": "another", "authType": "AWS_IAM"}),
    ("CreateService", "AuthType", "NONE", {"name": "another"}),
    ("UpdateService", "AuthType", "NONE", {"serviceIdentifier": "Service", "authType": "NONE"}),
    ("UpdateServiceNetwork", "AuthType", "NONE", {"serviceNetworkIdentifier": "ServiceNetwork", "authType": "NONE"}),
    ("CreateListener", "Protocol", "HTTP", {"serviceIdentifier": "Service", "name": "more", "protocol": "HTTP", "port": 99, "defaultAction": NOT_FOUND}),
    ("CreateTargetGroup", "VpcId", "vpc", {"name": "another", "type": "IP", "config": {"port": 80, "protocol": "HTTP", "vpcIdentifier": "vpc"}}),
    ("UpdateTargetGroup", "VpcId", "vpc", {"targetGroupIdentifier": "TargetGroup", "healthCheck": {"path": "/x"}}),
    ("GetTargetGroup", "VpcId", "vpc", {"targetGroupIdentifier": "TargetGroup"}),
    ("GetResourceGateway", "VpcId", "vpc", {"resourceGatewayIdentifier": "ResourceGateway"}),
    ("GetDomainVerification", "DomainName", "d0.example.com", {"domainVerificationIdentifier": "DomainVerification"}),
    ("StartDomainVerification", "DomainName", "d5.example.com", {"domainName": "d5.example.com"}),
    ("GetServiceNetworkVpcAssociation", "VpcId", "vpc", {"serviceNetworkVpcAssociationIdentifier": "ServiceNetworkVpcAssociation"}),
    ("GetServiceNetworkServiceAssociation", "ServiceArn", "Service", {"serviceNetworkServiceAssociationIdentifier": "ServiceNetworkServiceAssociation"}),
    (
        "GetServiceNetworkResourceAssociation", "ResourceConfigurationArn", "ResourceConfiguration",
        {"serviceNetworkResourceAssociationIdentifier": "ServiceNetworkResourceAssociation"},
    ),
    ("ListServiceNetworkServiceAssociations", "ServiceNetworkArn", "ServiceNetwork", {"serviceNetworkIdentifier": "ServiceNetwork"}),
    ("ListServiceNetworkVpcAssociations", "VpcId", "vpc", {"vpcIdentifier": "vpc"}),
    ("ListResourceEndpointAssociations", "ResourceConfigurationArn", "ResourceConfiguration", {"resourceConfigurationIdentifier": "ResourceConfiguration"}),
    ("DeleteResourceEndpointAssociation", "VpcEndpointId", "vpce", {"resourceEndpointAssociationIdentifier": "ResourceEndpointAssociation"}),
]  # fmt: skip
"""Operation, key, the value it has (a noun: its ARN), parameters (a noun: its id)."""


@pytest.mark.parametrize(("operation", "key", "value", "params"), KEYS, ids=[f"{one[0]}-{one[1]}" for one in KEYS])
def test_a_key_lets_pass_and_stops(asking: Asking, things: Things, operation: str, key: str, value: str, params: dict[str, Any]) -> None:
    (endpoint,) = asking.ec2.describe_vpc_endpoints()["VpcEndpoints"]
    words = {**things.ids, "vpc": things.vpc}
    sent = json.loads(
        json.dumps(params), object_hook=lambda item: {name: words.get(text, text) if isinstance(text, str) else text for name, text in item.items()}
    )
    meant = {**things.arns, "vpc": things.vpc, "vpce": endpoint["VpcEndpointId"]}.get(value, value)
    for wanted in ("something-else", meant):
        alice = asking.as_user("vpc-lattice", allow(operation, StringEquals={f"vpc-lattice:{key}": wanted}))
        if wanted == meant:
            call(alice, operation, **sent)
        else:
            with asking.refused("AccessDeniedException", f"vpc-lattice:{operation}"):
                call(alice, operation, **sent)


def test_a_batch_of_rules_takes_the_permission_for_one(asking: Asking, things: Things) -> None:
    where = {"serviceIdentifier": things.ids["Service"], "listenerIdentifier": things.ids["Listener"]}
    rules = [{"ruleIdentifier": things.ids["Rule"], "priority": 5}]
    alice = asking.as_user("vpc-lattice", allow("BatchUpdateRule"))
    with asking.refused("AccessDeniedException", "vpc-lattice:UpdateRule"):
        alice.batch_update_rule(**where, rules=rules)
    alice = asking.as_user("vpc-lattice", allow("UpdateRule"))
    assert alice.batch_update_rule(**where, rules=rules)["successful"][0]["priority"] == 5


def test_tags_at_creation_take_the_permission_to_tag(asking: Asking) -> None:
    alice = asking.as_user("vpc-lattice", allow("CreateService"))
    with asking.refused("AccessDeniedException", "vpc-lattice:TagResource"):
        alice.create_service(name="tagged", tags={"team": "core"})
    both = json.loads(allow("CreateService"))
    both["Statement"] += json.loads(allow("TagResource", StringEquals={"vpc-lattice:CreateAction": "CreateService", "aws:RequestTag/team": "core"}))[
        "Statement"
    ]
    alice = asking.as_user("vpc-lattice", json.dumps(both))
    made = alice.create_service(name="tagged", tags={"team": "core"})
    with asking.refused("AccessDeniedException", "vpc-lattice:TagResource"):
        alice.tag_resource(resourceArn=made["arn"], tags={"team": "core"})
