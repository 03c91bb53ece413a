"""What IAM is asked before an operation ("Actions, resources, and condition keys for Amazon VPC Lattice"): each key can let a call pass, and stop it."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any, cast

import pytest
from tests.region import ACCOUNT, NAME, Region, client

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
    return policy(statement | ({"Condition": condition} if condition else {}), {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"})


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


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


FULL_ACCESS = "arn:aws:iam::aws:policy/VPCLatticeFullAccess"
ADDRESS = {"ipResource": {"ipAddress": "10.0.1.9"}}
ADDITIONAL = [
    ("CreateTargetGroup", {"name": "asks", "type": "IP", "config": {"port": 80, "protocol": "HTTP", "vpcIdentifier": "vpc"}}, ["ec2:DescribeVpcs"]),
    ("CreateTargetGroup", {"name": "asks-too", "type": "LAMBDA"}, ["ec2:DescribeVpcs"]),
    ("RegisterTargets", {"targetGroupIdentifier": "ip", "targets": [{"id": "10.0.1.9"}]}, ["ec2:DescribeSubnets", "ec2:DescribeVpcs"]),
    (
        "RegisterTargets", {"targetGroupIdentifier": "instances", "targets": [{"id": "instance"}]},
        ["ec2:DescribeInstances", "ec2:DescribeSubnets", "ec2:DescribeVpcs"],
    ),
    ("DeregisterTargets", {"targetGroupIdentifier": "ip", "targets": [{"id": "10.0.1.9"}]}, []),
    ("CreateServiceNetworkVpcAssociation", {"serviceNetworkIdentifier": "ServiceNetwork", "vpcIdentifier": "other"}, ["ec2:DescribeVpcs"]),
    (
        "UpdateServiceNetworkVpcAssociation", {"serviceNetworkVpcAssociationIdentifier": "ServiceNetworkVpcAssociation", "securityGroupIds": ["group"]},
        ["ec2:DescribeSecurityGroups"],
    ),
    ("CreateResourceGateway", {"name": "asks", "vpcIdentifier": "vpc", "subnetIds": ["subnet"]}, ["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets"]),
    (
        "UpdateResourceGateway", {"resourceGatewayIdentifier": "ResourceGateway", "securityGroupIds": ["group"]},
        ["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets"],
    ),
    (
        "CreateResourceConfiguration",
        {"name": "asks", "type": "SINGLE", "resourceGatewayIdentifier": "ResourceGateway", "resourceConfigurationDefinition": ADDRESS},
        ["ec2:DescribeSubnets"],
    ),
    (
        "CreateAccessLogSubscription", {"resourceIdentifier": "Service", "destinationArn": "arn:aws:s3:::access-logs"},
        ["logs:CreateLogDelivery", "logs:GetLogDelivery", "s3:GetBucketPolicy", "s3:PutBucketPolicy"],
    ),
    ("UpdateAccessLogSubscription", {"accessLogSubscriptionIdentifier": "AccessLogSubscription", "destinationArn": "log-group"}, ["logs:UpdateLogDelivery"]),
    ("DeleteAccessLogSubscription", {"accessLogSubscriptionIdentifier": "AccessLogSubscription"}, ["logs:DeleteLogDelivery"]),
]  # fmt: skip
"""Operation, its parameters, and the actions of other services that it takes ("Amazon VPC Lattice API permissions"); in an order in which they can be made."""


@pytest.fixture(scope="module")
def words(asking: Asking, things: Things) -> dict[str, str]:
    """What the parameters of ADDITIONAL name."""
    config = {"config": {"port": 80, "protocol": "HTTP", "vpcIdentifier": things.vpc}}
    groups = {"ip": ("IP", config), "instances": ("INSTANCE", config)}
    found = {name: asking.lattice.create_target_group(name=f"for-{name}", type=kind, **more)["id"] for name, (kind, more) in groups.items()}
    asking.settle()
    image = asking.ec2.describe_images()["Images"][0]["ImageId"]
    made = asking.ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, SubnetId=things.subnet)
    client("s3").create_bucket(Bucket="access-logs", CreateBucketConfiguration={"LocationConstraint": NAME})
    group = asking.ec2.create_security_group(GroupName="g", Description="g", VpcId=things.vpc)["GroupId"]
    asking.iam.create_user(UserName="bob")
    asking.settle()
    return {
        **things.ids, **found, "vpc": things.vpc, "subnet": things.subnet, "other": asking.vpc(), "instance": made["Instances"][0]["InstanceId"],
        "group": group, "log-group": asking.log_group("other"),
    }  # fmt: skip


def filled(value: Any, words: dict[str, str]) -> Any:
    """Parameters with what they name."""
    if isinstance(value, dict):
        return {name: filled(item, words) for name, item in value.items()}
    return [filled(item, words) for item in value] if isinstance(value, list) else words.get(value, value)


@pytest.mark.parametrize(("operation", "params", "needed"), ADDITIONAL, ids=[f"{one[0]}-{at}" for at, one in enumerate(ADDITIONAL)])
def test_actions_of_other_services(asking: Asking, words: dict[str, str], operation: str, params: dict[str, Any], needed: list[str]) -> None:
    """Each is asked for, in the caller's name and by way of VPC Lattice, and with all of them the call succeeds."""
    own = {"Effect": "Allow", "Action": f"vpc-lattice:{operation}", "Resource": "*"}
    via = {"ForAnyValue:StringEquals": {"aws:CalledVia": "vpc-lattice.amazonaws.com"}}
    for missing in needed:
        others = {"Effect": "Allow", "NotAction": [missing, "vpc-lattice:*"], "Resource": "*", "Condition": via}
        alice = asking.as_user("vpc-lattice", policy(own, others))
        with asking.refused("AccessDeniedException", missing):
            call(alice, operation, **filled(params, words))
    all_needed = {"Effect": "Allow", "Action": needed or "s3:Nothing", "Resource": "*", "Condition": via}
    answer = call(asking.as_user("vpc-lattice", policy(own, all_needed)), operation, **filled(params, words))
    assert not answer.get("unsuccessful")
    asking.settle()


def test_full_access_is_enough_but_for_what_it_says(asking: Asking, words: dict[str, str]) -> None:
    """VPCLatticeFullAccess lacks what could make VPC Lattice a confused deputy: a bucket's policy, a function's, a stream's tags."""
    asking.as_user("vpc-lattice", policy({"Effect": "Deny", "Action": "iam:*", "Resource": "*"}), name="full")
    asking.iam.attach_user_policy(UserName="full", PolicyArn=FULL_ACCESS)
    full = client("vpc-lattice", asking.keys["full"])
    gateway = full.create_resource_gateway(name="full", vpcIdentifier=words["vpc"], subnetIds=[words["subnet"]])["id"]
    asking.settle()
    full.create_resource_configuration(
        name="full", type="SINGLE", resourceGatewayIdentifier=gateway, resourceConfigurationDefinition=ADDRESS
    )
    network = full.create_service_network(name="full")["id"]
    full.create_access_log_subscription(resourceIdentifier=network, destinationArn=words["log-group"])
    with asking.refused("AccessDeniedException", "s3:GetBucketPolicy"):
        full.create_access_log_subscription(resourceIdentifier=network, destinationArn="arn:aws:s3:::access-logs")
    statement = {"Effect": "Allow", "Principal": {"Service": "delivery.logs.amazonaws.com"}, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::access-logs/*"}
    client("s3").put_bucket_policy(Bucket="access-logs", Policy=policy(statement))
    full.create_access_log_subscription(resourceIdentifier=network, destinationArn="arn:aws:s3:::access-logs")


def test_a_function_that_lets_the_group_in_needs_no_permission_more(asking: Asking) -> None:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as file:
        file.writestr("app.py", "def handler(event, context): return {}")
    trust = policy({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"})
    role, functions = asking.iam.create_role(RoleName="function", AssumeRolePolicyDocument=trust)["Role"]["Arn"], client("lambda")
    made = functions.create_function(FunctionName="f", Runtime="python3.12", Role=role, Handler="app.handler", Code={"ZipFile": package.getvalue()})
    group = asking.lattice.create_target_group(name="functions", type="LAMBDA")
    asking.settle()
    target = {"targetGroupIdentifier": group["id"], "targets": [{"id": made["FunctionArn"]}]}
    alice = asking.as_user("vpc-lattice", policy({"Effect": "Allow", "Action": ["vpc-lattice:RegisterTargets", "lambda:GetFunction"], "Resource": "*"}))
    with asking.refused("AccessDeniedException", "lambda:AddPermission"):
        alice.register_targets(**target)
    functions.add_permission(
        FunctionName="f", StatementId="mine", Action="lambda:InvokeFunction", Principal="vpc-lattice.amazonaws.com", SourceArn=group["arn"]
    )
    assert alice.register_targets(**target)["successful"]
