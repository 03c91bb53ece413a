"""What each call asks the policies: actions, resources and condition keys, held against AWS's published facts."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest
from tests.region import ACCOUNT, CATALOG, NAME, Region, client

from latticewall.control_plane.access.resource_types import ALIASES, type_of_arn, type_of_kind
from latticewall.control_plane.services import registry

from .asking import asked, subjects
from .organized import document
from .published_facts import published, resource_types, spelled

EC2 = f"arn:aws:ec2:{NAME}:{ACCOUNT}"


def test_the_facts_are_the_published_ones() -> None:
    kept = json.loads(resources.files("latticewall.control_plane.access").joinpath("resource_types.json").read_text())
    assert kept == resource_types()


def test_every_kind_with_an_arn_is_a_type_that_aws_knows() -> None:
    known = {(name, spelled(type_)) for name in registry().services for type_ in published()[CATALOG.service(name).action_prefix]["Resources"]}
    unknown = []
    for kind in registry().kinds.values():
        types = {type_of_kind(kind, {"Type": "STATEFUL"})} if kind.name in ALIASES else {type_of_kind(kind, {})}
        unknown += [kind.name for type_ in types if kind.arn and (kind.service, type_) not in known]
    assert unknown == []


@pytest.mark.parametrize(
    ("arn", "type_"),
    [
        ("arn:aws:vpc-lattice:r:1:service/svc-1/listener/listener-1/rule/rule-1", "rule"),
        ("arn:aws:vpc-lattice:r:1:service/svc-1/listener/listener-1", "listener"),
        ("arn:aws:vpc-lattice:r:1:service/svc-1", "service"),
        ("arn:aws:iam::1:role/a/b/name", "role"),
        ("arn:aws:organizations::1:ou/o-1/ou-1", "organizationalunit"),
        ("arn:aws:logs:r:1:log-group:/a/b", "loggroup"),
        ("arn:aws:ec2:r:1:transit-gateway-route-table/tgw-rtb-1", "transitgatewayroutetable"),
    ],
)
def test_an_arn_shows_its_type(arn: str, type_: str) -> None:
    assert type_of_arn(arn) == type_


def test_what_launching_an_instance_asks(region: Region) -> None:
    vpc = region.vpc()
    subnet = region.subnet(vpc)
    group = region.ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    region.ssm.put_parameter(Name="/images/one", Value="ami-0123", Type="String")
    tagged = [{"ResourceType": "instance", "Tags": [{"Key": "team", "Value": "red"}]}]
    found = asked(
        region, "ec2:RunInstances", ImageId="resolve:ssm:/images/one", InstanceType="t3.micro", MinCount=1, MaxCount=1, TagSpecifications=tagged,
        NetworkInterfaces=[{"SubnetId": subnet, "Groups": [group], "DeviceIndex": 0}], MetadataOptions={"HttpTokens": "required"},
    )  # fmt: skip
    by_arn = {(one.action, one.resource.arn): one.keys for one in found}
    assert set(by_arn) == {
        ("ec2:RunInstances", f"arn:aws:ec2:{NAME}::image/ami-0123"), ("ec2:RunInstances", f"{EC2}:instance/*"),
        ("ec2:RunInstances", f"{EC2}:subnet/{subnet}"), ("ec2:RunInstances", f"{EC2}:security-group/{group}"),
        ("ec2:RunInstances", f"{EC2}:network-interface/*"),
        ("ec2:CreateTags", f"{EC2}:instance/*"), ("ssm:GetParameters", f"arn:aws:ssm:{NAME}:{ACCOUNT}:parameter/images/one"),
    }  # fmt: skip
    instance = by_arn["ec2:RunInstances", f"{EC2}:instance/*"]
    assert (instance["ec2:InstanceType"], instance["ec2:MetadataHttpTokens"], instance["ec2:Region"]) == ("t3.micro", "required", NAME)
    assert (instance["aws:RequestTag/team"], instance["aws:TagKeys"], instance["ec2:AvailabilityZone"]) == ("red", ("team",), NAME + "a")
    interface = by_arn["ec2:RunInstances", f"{EC2}:network-interface/*"]
    assert (interface["ec2:Vpc"], interface["ec2:Subnet"]) == (f"{EC2}:vpc/{vpc}", f"{EC2}:subnet/{subnet}")
    assert "aws:RequestTag/team" not in interface
    assert by_arn["ec2:RunInstances", f"{EC2}:security-group/{group}"]["ec2:SecurityGroupID"] == group
    assert by_arn["ec2:CreateTags", f"{EC2}:instance/*"]["ec2:CreateAction"] == "RunInstances"


@pytest.mark.parametrize(("more", "instance", "interface"), [
    ({}, {"ec2:EbsOptimized": "false", "ec2:InstanceMarketType": "on-demand"}, {}),
    ({"EbsOptimized": True, "InstanceMarketOptions": {"MarketType": "spot"}}, {"ec2:EbsOptimized": "true", "ec2:InstanceMarketType": "spot"}, {}),
    ({"public": [True]}, {}, {"ec2:AssociatePublicIpAddress": "true"}),
    ({"public": [False, False]}, {}, {"ec2:AssociatePublicIpAddress": "false"}),
    ({"public": [False, True]}, {}, {"ec2:AssociatePublicIpAddress": "true"}),
])  # fmt: skip
def test_keys_of_a_launch(region: Region, more: dict[str, Any], instance: dict[str, str], interface: dict[str, str]) -> None:
    """What is asked for and is not there (a public address, spot instances) is a question all the same: whoever may not, learns that."""
    subnet = region.subnet(region.vpc())
    launch: dict[str, Any] = {"ImageId": "ami-0123", "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, **more}
    public = launch.pop("public", ())
    interfaces = [{"SubnetId": subnet, "DeviceIndex": at, "AssociatePublicIpAddress": one} for at, one in enumerate(public)]
    found = asked(region, "ec2:RunInstances", **launch, **({"NetworkInterfaces": interfaces} if interfaces else {"SubnetId": subnet}))
    keys = {one.resource.type: one.keys for one in found}
    zone = region.ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["AvailabilityZoneId"]
    assert keys["instance"].items() >= {"ec2:AvailabilityZoneId": zone, **instance}.items()
    assert keys["subnet"]["ec2:AvailabilityZoneId"] == zone
    assert {key: value for key, value in keys["networkinterface"].items() if key == "ec2:AssociatePublicIpAddress"} == interface
    assert "ec2:AvailabilityZoneId" not in keys["networkinterface"]


def test_keys_of_a_subnet_by_the_id_of_its_zone(region: Region) -> None:
    vpc = region.vpc()
    found = asked(region, "ec2:CreateSubnet", VpcId=vpc, CidrBlock="10.0.9.0/24", AvailabilityZoneId="eun7-az1")
    assert {one.resource.type: one.keys.get("ec2:AvailabilityZoneId") for one in found} == {"subnet": "eun7-az1", "vpc": None}


def test_groups_that_rules_refer_to_are_not_worked_on(region: Region) -> None:
    vpc = region.vpc()
    one, other = (region.ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"] for name in ("one", "other"))
    permission = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": other}]}
    found = asked(region, "ec2:AuthorizeSecurityGroupIngress", GroupId=one, IpPermissions=[permission])
    assert [question.resource.arn for question in found] == [f"{EC2}:security-group/{one}"]
    assert found[0].keys["ec2:Vpc"] == f"{EC2}:vpc/{vpc}"


def test_only_types_that_the_action_knows_are_asked_about(region: Region) -> None:
    vpc = region.vpc()
    table = region.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    gateway = region.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    assert subjects(region, "ec2:CreateRoute", RouteTableId=table, GatewayId=gateway, DestinationCidrBlock="0.0.0.0/0") == [
        ("ec2:CreateRoute", f"route-table/{table}")
    ]
    attach = [("ec2:AttachInternetGateway", f"internet-gateway/{gateway}"), ("ec2:AttachInternetGateway", f"vpc/{vpc}")]
    assert sorted(subjects(region, "ec2:AttachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)) == attach
    assert subjects(region, "ec2:DescribeVpcs", VpcIds=[vpc]) == [("ec2:DescribeVpcs", "*")]
    assert subjects(region, "ec2:DescribeVpcAttribute", VpcId=vpc, Attribute="enableDnsSupport") == [("ec2:DescribeVpcAttribute", f"vpc/{vpc}")]
    (changed,) = asked(region, "ec2:ModifyVpcAttribute", VpcId=vpc, EnableDnsSupport={"Value": False})
    assert (changed.keys["ec2:Attribute"], changed.keys["ec2:Attribute/EnableDnsSupport"]) == (("EnableDnsSupport",), "false")


def test_keys_of_lattice(region: Region) -> None:
    vpc = region.vpc()
    lattice = region.lattice
    network, service = lattice.create_service_network(name="mesh"), lattice.create_service(name="orders")
    group = lattice.create_target_group(name="targets", type="IP", config={"port": 80, "protocol": "HTTP", "vpcIdentifier": vpc})
    made, described = asked(region, "vpc-lattice:CreateTargetGroup", name="more", type="IP", config={"port": 80, "protocol": "HTTP", "vpcIdentifier": vpc})
    assert made.keys["vpc-lattice:VpcId"] == vpc
    assert (described.action, described.keys["aws:CalledVia"]) == ("ec2:DescribeVpcs", ("vpc-lattice.amazonaws.com",))
    assert asked(region, "vpc-lattice:CreateService", name="x")[0].keys["vpc-lattice:AuthType"] == "NONE"
    assert asked(region, "vpc-lattice:UpdateService", serviceIdentifier=service["id"], authType="AWS_IAM")[0].keys["vpc-lattice:AuthType"] == "AWS_IAM"
    forward = {"forward": {"targetGroups": [{"targetGroupIdentifier": group["id"]}]}}
    (listener,) = asked(
        region, "vpc-lattice:CreateListener", serviceIdentifier=service["id"], name="web", protocol="HTTP", port=80, defaultAction=forward
    )  # fmt: skip
    assert listener.resource.arn == f"{service['arn']}/listener/*"
    assert (listener.keys["vpc-lattice:Protocol"], listener.keys["vpc-lattice:TargetGroupArns"]) == ("HTTP", (group["arn"],))
    joined = asked(
        region, "vpc-lattice:CreateServiceNetworkServiceAssociation", serviceIdentifier=service["arn"], serviceNetworkIdentifier=network["id"], tags={"a": "1"}
    )  # fmt: skip
    tails = {one.resource.arn.rsplit(":", 1)[1] for one in joined if one.action == "vpc-lattice:CreateServiceNetworkServiceAssociation"}
    assert tails == {f"service/{service['id']}", f"servicenetwork/{network['id']}", "servicenetworkserviceassociation/*"}
    assert {one.keys.get("vpc-lattice:ServiceArn", service["arn"]) for one in joined} == {service["arn"]}
    tagging = joined[-1]
    assert (tagging.action, tagging.resource.arn.rsplit(":", 1)[1]) == ("vpc-lattice:TagResource", "servicenetworkserviceassociation/*")
    assert (tagging.keys["vpc-lattice:CreateAction"], tagging.keys["aws:RequestTag/a"]) == ("CreateServiceNetworkServiceAssociation", "1")
    association = lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network["id"], vpcIdentifier=vpc)
    (ended,) = asked(region, "vpc-lattice:DeleteServiceNetworkVpcAssociation", serviceNetworkVpcAssociationIdentifier=association["id"])
    assert (ended.keys["vpc-lattice:VpcId"], ended.keys["vpc-lattice:ServiceNetworkArn"]) == (vpc, network["arn"])


def test_several_rules_are_updated_with_the_permission_for_one(region: Region) -> None:
    service = region.lattice.create_service(name="orders")
    action = {"fixedResponse": {"statusCode": 404}}
    listener = region.lattice.create_listener(serviceIdentifier=service["id"], name="web", protocol="HTTP", port=80, defaultAction=action)
    where = {"serviceIdentifier": service["id"], "listenerIdentifier": listener["id"]}
    rule = region.lattice.create_rule(**where, name="get", priority=1, match={"httpMatch": {"method": "GET"}}, action=action)
    found = asked(region, "vpc-lattice:BatchUpdateRule", **where, rules=[{"ruleIdentifier": rule["id"], "priority": 2}])
    assert ("vpc-lattice:UpdateRule", rule["arn"]) in {(one.action, one.resource.arn) for one in found}


def test_keys_of_iam(region: Region) -> None:
    trust = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ]})  # fmt: skip
    document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    boundary = region.iam.create_policy(PolicyName="edge", PolicyDocument=document)["Policy"]["Arn"]
    region.iam.create_role(RoleName="web", AssumeRolePolicyDocument=trust, PermissionsBoundary=boundary, Tags=[{"Key": "team", "Value": "red"}])
    (attached,) = asked(region, "iam:AttachRolePolicy", RoleName="web", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    assert attached.resource.arn == f"arn:aws:iam::{ACCOUNT}:role/web"
    assert attached.keys["iam:PolicyARN"] == "arn:aws:iam::aws:policy/AdministratorAccess"
    assert (attached.keys["iam:PermissionsBoundary"], attached.keys["iam:ResourceTag/team"]) == (boundary, "red")
    created, tagging = asked(region, "iam:CreateUser", UserName="bob", PermissionsBoundary=boundary, Tags=[{"Key": "team", "Value": "red"}])
    assert (created.action, created.keys["iam:PermissionsBoundary"]) == ("iam:CreateUser", boundary)
    assert (tagging.action, tagging.resource.arn) == ("iam:TagUser", f"arn:aws:iam::{ACCOUNT}:user/bob")


def test_keys_of_the_others(region: Region) -> None:
    (zone,) = asked(region, "route53:ChangeResourceRecordSets", HostedZoneId="Z1", ChangeBatch={"Changes": [
        {"Action": "UPSERT", "ResourceRecordSet": {"Name": "WWW.Example.com.", "Type": "A"}}
    ]})  # fmt: skip
    assert zone.keys["route53:ChangeResourceRecordSetsNormalizedRecordNames"] == ("www.example.com",)
    region.organizations.create_organization()
    root = region.organizations.list_roots()["Roots"][0]
    found = asked(region, "organizations:AttachPolicy", PolicyId="p-FullAWSAccess", TargetId=root["Id"])
    assert {one.resource.arn for one in found} == {root["Arn"], "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"}
    assert {one.keys["organizations:PolicyType"] for one in found} == {"SERVICE_CONTROL_POLICY"}
    assert subjects(region, "organizations:CreateOrganizationalUnit", ParentId=root["Id"], Name="x") == [
        ("organizations:CreateOrganizationalUnit", root["Arn"].split(":", 5)[-1])
    ]
    assert subjects(region, "logs:PutLogEvents", logGroupName="/app", logStreamName="one", logEvents=[]) == [
        ("logs:PutLogEvents", "log-group:/app:log-stream:one")
    ]
    assert subjects(region, "network-firewall:ListFirewalls") == [("network-firewall:ListFirewalls", "firewall/*")]
    assert subjects(region, "sts:GetFederationToken", Name="bob") == [("sts:GetFederationToken", "federated-user/bob")]


@pytest.mark.parametrize(("policy", "service", "suffix"), [
    ("VPCLatticeFullAccess", "vpc-lattice.amazonaws.com", "AWSServiceRoleForVpcLattice"),
    ("AWSNetworkFirewallFullAccess", "network-firewall.amazonaws.com", "AWSServiceRoleForNetworkFirewall"),
])  # fmt: skip
def test_a_service_linked_role_is_asked_about_by_its_whole_name(region: Region, policy: str, service: str, suffix: str) -> None:
    """AWS's own policies for a service name the one role that they let its administrators create."""
    assert subjects(region, "iam:CreateServiceLinkedRole", AWSServiceName=service) == [
        ("iam:CreateServiceLinkedRole", f"role/aws-service-role/{service}/{suffix}")
    ]
    alice = region.as_user("iam", document({"Effect": "Allow", "Action": "s3:None", "Resource": "*"}))
    with region.refused("AccessDenied"):
        alice.create_service_linked_role(AWSServiceName=service)
    region.iam.attach_user_policy(UserName="alice", PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
    assert alice.create_service_linked_role(AWSServiceName=service)["Role"]["RoleName"] == suffix
    with region.refused("AccessDenied"):
        alice.create_service_linked_role(AWSServiceName="transitgateway.amazonaws.com")


def test_a_role_of_a_service_unknown_here_has_any_name(region: Region) -> None:
    assert subjects(region, "iam:CreateServiceLinkedRole", AWSServiceName="lex.amazonaws.com") == [
        ("iam:CreateServiceLinkedRole", "role/aws-service-role/lex.amazonaws.com/*")
    ]


def test_a_part_is_asked_about_as_its_whole(region: Region) -> None:
    """Whoever names an association, an attachment or a rule works on what it joins or belongs to."""
    vpc = region.vpc()
    subnet = region.subnet(vpc)
    ec2 = region.ec2
    table, other = (ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in range(2))
    joined = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    of_table = {f"route-table/{table}", f"subnet/{subnet}"}
    assert {arn for _, arn in subjects(region, "ec2:DisassociateRouteTable", AssociationId=joined)} == of_table
    replaced = subjects(region, "ec2:ReplaceRouteTableAssociation", AssociationId=joined, RouteTableId=other)
    assert {arn for _, arn in replaced} == {*of_table, f"route-table/{other}"}
    old = next(acl for acl in ec2.describe_network_acls()["NetworkAcls"] if acl["VpcId"] == vpc)
    new = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    association = next(one["NetworkAclAssociationId"] for one in old["Associations"] if one["SubnetId"] == subnet)
    found = subjects(region, "ec2:ReplaceNetworkAclAssociation", AssociationId=association, NetworkAclId=new)
    assert {arn for _, arn in found} == {f"network-acl/{old['NetworkAclId']}", f"network-acl/{new}", f"subnet/{subnet}"}
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    permission = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    rule = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    assert subjects(region, "ec2:RevokeSecurityGroupIngress", SecurityGroupRuleIds=[rule]) == [("ec2:RevokeSecurityGroupIngress", f"security-group/{group}")]
    assert subjects(region, "ec2:CreateTags", Resources=[rule], Tags=[]) == [("ec2:CreateTags", f"security-group-rule/{rule}")]
    extra = ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.1.0.0/16")["CidrBlockAssociation"]["AssociationId"]
    assert subjects(region, "ec2:DisassociateVpcCidrBlock", AssociationId=extra) == [("ec2:DisassociateVpcCidrBlock", f"vpc/{vpc}")]
    stacks = client("cloudformation")
    template = json.dumps({"Resources": {"Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.9.0.0/16"}}}})
    made = stacks.create_change_set(StackName="prod", ChangeSetName="one", ChangeSetType="CREATE", TemplateBody=template)
    ((action, arn),) = subjects(region, "cloudformation:ExecuteChangeSet", ChangeSetName=made["Id"])
    assert (action, arn.startswith("stack/prod/")) == ("cloudformation:ExecuteChangeSet", True)
    region.iam.create_user(UserName="bob")
    key = region.iam.create_access_key(UserName="bob")["AccessKey"]["AccessKeyId"]
    assert subjects(region, "iam:GetAccessKeyLastUsed", AccessKeyId=key) == [("iam:GetAccessKeyLastUsed", "user/bob")]


@pytest.mark.parametrize("given", ["myfunction:prod", "myfunction:$LATEST", "myfunction", f"{ACCOUNT}:function:myfunction:1", "function:myfunction"])
def test_a_function_is_the_one_that_its_name_says(region: Region, given: str) -> None:
    """However it is called: `function:` in the middle of a name begins nothing."""
    for name in (given, f"arn:aws:lambda:{NAME}:{ACCOUNT}:function:myfunction:prod"):
        assert subjects(region, "lambda:Invoke", FunctionName=name) == [("lambda:InvokeFunction", "function:myfunction")]


def test_the_source_of_a_copy_is_read_as_it_is_written(region: Region) -> None:
    found = subjects(region, "s3:CopyObject", Bucket="to", Key="k", CopySource="from/a%3Fb?c%20d?versionId=null")
    assert found == [("s3:PutObject", "to/k"), ("s3:GetObjectVersion", "from/a?b?c d")]


def test_another_name_or_path_is_asked_about_too(region: Region) -> None:
    region.iam.create_user(UserName="ann", Path="/dev/")
    region.iam.create_group(GroupName="crew")
    assert subjects(region, "iam:UpdateUser", UserName="ann", NewPath="/admin/") == [("iam:UpdateUser", "user/dev/ann"), ("iam:UpdateUser", "user/admin/ann")]
    assert subjects(region, "iam:UpdateUser", UserName="ann", NewUserName="root") == [("iam:UpdateUser", "user/dev/ann"), ("iam:UpdateUser", "user/dev/root")]
    assert subjects(region, "iam:UpdateUser", UserName="ann", NewPath="/dev/") == [("iam:UpdateUser", "user/dev/ann")]
    renamed = subjects(region, "iam:UpdateGroup", GroupName="crew", NewGroupName="boss", NewPath="/x/")
    assert renamed == [("iam:UpdateGroup", "group/crew"), ("iam:UpdateGroup", "group/x/boss")]


@pytest.mark.parametrize(("operation", "more", "action"), [
    ("GetObject", {}, "GetObjectVersion"),
    ("HeadObject", {}, "GetObjectVersion"),
    ("DeleteObject", {}, "DeleteObjectVersion"),
    ("GetObjectTagging", {}, "GetObjectVersionTagging"),
    ("PutObjectTagging", {"Tagging": {"TagSet": []}}, "PutObjectVersionTagging"),
    ("DeleteObjectTagging", {}, "DeleteObjectVersionTagging"),
])  # fmt: skip
def test_a_version_of_an_object_takes_another_permission(region: Region, operation: str, more: dict[str, Any], action: str) -> None:
    """With the version that every object has where versions are not kept, too; without one the current version is meant."""
    (plain,) = asked(region, f"s3:{operation}", Bucket="b", Key="k", **more)
    (version,) = asked(region, f"s3:{operation}", Bucket="b", Key="k", VersionId="null", **more)
    assert plain.action == "s3:" + action.replace("Version", "")
    assert (version.action, version.resource.arn, version.keys["s3:VersionId"]) == (f"s3:{action}", "arn:aws:s3:::b/k", "null")
    assert "s3:VersionId" not in plain.keys


def test_versions_that_are_deleted_together_or_copied(region: Region) -> None:
    objects = [{"Key": "one"}, {"Key": "two", "VersionId": "null"}, {"Key": "two"}]
    assert subjects(region, "s3:DeleteObjects", Bucket="b", Delete={"Objects": objects}) == [
        ("s3:DeleteObject", "b/one"), ("s3:DeleteObjectVersion", "b/two"), ("s3:DeleteObject", "b/two"),
    ]  # fmt: skip
    copied = asked(region, "s3:CopyObject", Bucket="to", Key="k", CopySource="from/k?versionId=null")
    assert [(one.action, one.keys.get("s3:VersionId")) for one in copied] == [("s3:PutObject", None), ("s3:GetObjectVersion", "null")]
