"""Four accounts in one region: a service of production, reached from dev's VPC and an invited account's through a service network of a third account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from bench.region import Region, running, until
from botocore.exceptions import ClientError

from .lab import Lab, allow, server
from .test_services import _role as invoking_role

pytestmark = [pytest.mark.netns, pytest.mark.scenario, pytest.mark.timeout(180)]
CIDR = "10.0.0.0/16"


class Account(Lab):
    """One account of the region, as the role that every account of an organization has."""

    def __init__(self, region: Region, number: str) -> None:
        role = f"arn:aws:iam::{number}:role/OrganizationAccountAccessRole"
        self.number = number
        self.credentials = region.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        self.region = region
        super().__init__(region)
        self.ec2 = self.client("ec2")
        self.lattice, self.ram, self.logs = (self.client(service) for service in ("vpc-lattice", "ram", "logs"))

    def client(self, service: str) -> Any:
        return boto3.client(
            service, region_name=self.region.name, endpoint_url=self.region.session.endpoint, aws_access_key_id=self.credentials["AccessKeyId"],
            aws_secret_access_key=self.credentials["SecretAccessKey"], aws_session_token=self.credentials["SessionToken"],
        )  # fmt: skip

    def place(self) -> tuple[str, str]:
        """A VPC and a subnet; those of all accounts have the same addresses."""
        vpc = self.vpc(CIDR)
        return vpc, self.subnet(vpc, "10.0.1.0/24")

    def records(self, group: str) -> list[dict[str, Any]]:
        """The access log in a log group of the account."""
        return [json.loads(event["message"]) for event in self.logs.filter_log_events(logGroupName=group)["events"]]

    def follow(self, resource: str, group: str) -> None:
        """An access log subscription."""
        self.logs.create_log_group(logGroupName=group)
        arn = f"arn:aws:logs:{self.region.name}:{self.number}:log-group:{group}"
        self.lattice.create_access_log_subscription(resourceIdentifier=resource, destinationArn=arn)


@dataclass
class Site:
    """shared: owns the network `mesh`. production: owns the service. dev: a VPC in the organization; stranger: one outside of it. url: of the service."""

    region: Region
    management: Any
    organization: str = ""
    accounts: dict[str, Account] = field(default_factory=dict)
    network: str = ""
    url: str = ""
    clients: dict[str, str] = field(default_factory=dict)
    associations: dict[str, str] = field(default_factory=dict)
    shares: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> Account:
        return self.accounts[name]


def policy(**condition: Any) -> str:
    allowed = {"Effect": "Allow", "Principal": "*", "Action": "vpc-lattice-svcs:Invoke", "Resource": "*", "Condition": condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [allowed]})


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running("mx-north-5") as region:
        made = Site(region, region.client("organizations"))
        organize(made)
        build(made)
        yield made


def organize(site: Site) -> None:
    """Accounts, dev in a unit of its own, the stranger outside, and sharing within the organization enabled."""
    organizations = site.management
    site.organization = organizations.create_organization(FeatureSet="ALL")["Organization"]["Id"]
    for name in ("shared", "production", "dev", "stranger"):
        number = organizations.create_account(AccountName=name, Email=f"{name}@example.com")["CreateAccountStatus"]["AccountId"]
        site.accounts[name] = Account(site.region, number)
    root = organizations.list_roots()["Roots"][0]["Id"]
    unit = organizations.create_organizational_unit(ParentId=root, Name="apps")["OrganizationalUnit"]
    organizations.move_account(AccountId=site["dev"].number, SourceParentId=root, DestinationParentId=unit["Id"])
    organizations.remove_account_from_organization(AccountId=site["stranger"].number)
    site.region.client("ram").enable_sharing_with_aws_organization()
    shared = site["shared"]
    network = shared.lattice.create_service_network(name="mesh", authType="AWS_IAM")
    site.network = network["arn"]
    shared.lattice.put_auth_policy(resourceIdentifier=network["id"], policy=policy(StringEquals={"aws:PrincipalOrgID": site.organization}))
    shared.follow(network["id"], "/mesh")
    for name, principal in (("apps", unit["Arn"]), ("production", site["production"].number), ("stranger", site["stranger"].number)):
        made = shared.ram.create_resource_share(name=name, resourceArns=[site.network], principals=[principal])["resourceShare"]
        site.shares.append(made["resourceShareArn"])


def build(site: Site) -> None:
    """The service in production, joined to the network that is shared; clients with roles in the VPCs of dev, the stranger and production."""
    production, stranger = site["production"], site["stranger"]
    vpc, subnet = production.place()
    target = production.instance("payments", subnet, "10.0.1.10", script=server("payments", [7001]))
    inward = production.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"][0]["GroupId"]
    open_ = [{"IpProtocol": "tcp", "FromPort": 7001, "ToPort": 7001, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    production.ec2.authorize_security_group_ingress(GroupId=inward, IpPermissions=open_)
    config = {"port": 7001, "protocol": "HTTP", "vpcIdentifier": vpc, "healthCheck": {"enabled": False}}
    group = production.lattice.create_target_group(name="payments", type="INSTANCE", config=config)["id"]
    site.region.settle()
    production.lattice.register_targets(targetGroupIdentifier=group, targets=[{"id": target}])
    service = production.lattice.create_service(name="payments", authType="AWS_IAM")
    owners = [site[name].number for name in ("dev", "stranger", "production")]
    production.lattice.put_auth_policy(
        resourceIdentifier=service["id"], policy=policy(StringEquals={"vpc-lattice-svcs:SourceVpcOwnerAccount": owners})
    )
    production.follow(service["id"], "/payments")
    forward = {"forward": {"targetGroups": [{"targetGroupIdentifier": group}]}}
    production.lattice.create_listener(serviceIdentifier=service["id"], name="web", protocol="HTTP", defaultAction=forward)
    production.lattice.create_service_network_service_association(serviceNetworkIdentifier=site.network, serviceIdentifier=service["id"])
    own = production.lattice.create_service_network(name="own")["id"]
    production.lattice.create_service_network_service_association(serviceNetworkIdentifier=own, serviceIdentifier=service["id"])
    site.url = f"http://{service['dnsEntry']['domainName']}/"
    (invitation,) = stranger.ram.get_resource_share_invitations()["resourceShareInvitations"]
    stranger.ram.accept_resource_share_invitation(resourceShareInvitationArn=invitation["resourceShareInvitationArn"])
    for name, network in (("dev", site.network), ("stranger", site.network), ("production", own)):
        account = site[name]
        vpc_of_client, subnet_of_client = (vpc, subnet) if name == "production" else account.place()
        invoking_role(account, f"{name}-client")
        site.clients[name] = account.instance(f"{name}-client", subnet_of_client, "10.0.1.20", IamInstanceProfile={"Name": f"{name}-client"})
        made = account.lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=vpc_of_client)
        site.associations[name] = made["id"]
    site.region.settle()
    until(lambda: production.curl(target, "http://127.0.0.1:7001/")[0] == 200)


def test_a_service_of_another_account_answers_who_is_of_the_organization(site: Site) -> None:
    dev = site["dev"]
    status, body = dev.signed(site.clients["dev"], site.url + "orders")
    assert status == 200, body
    headers = {name.lower(): value for name, value in json.loads(body)["headers"].items()}
    assert f"PrincipalOrgID={site.organization}" in headers["x-amzn-lattice-identity"]
    assert f":{dev.number}:vpc/" in headers["x-amzn-lattice-network"]
    assert dev.curl(site.clients["dev"], site.url)[0] == 403
    status, body = site["stranger"].signed(site.clients["stranger"], site.url)
    assert (status, "because no network-based policy allows" in body) == (403, True), body


def test_each_owner_has_the_log_of_what_is_his(site: Site) -> None:
    status, body = site["production"].signed(site.clients["production"], site.url + "inside")
    assert status == 200, body
    assert site["dev"].signed(site.clients["dev"], site.url + "log")[0] == 200

    def networks(records: list[dict[str, Any]]) -> set[str]:
        return {record["serviceNetworkArn"].split(":")[4] for record in records}

    shared, production = site["shared"], site["production"]
    of_service = until(lambda: len(networks(found := production.records("/payments"))) == 2 and found)
    assert networks(of_service) == {shared.number, production.number}
    last = until(lambda: next((record for record in shared.records("/mesh") if record["requestPath"] == "/log"), None))
    of_network = shared.records("/mesh")
    assert networks(of_network) == {shared.number}
    assert "/inside" not in {record["requestPath"] for record in of_network}
    assert last["sourceVpcArn"].split(":")[4] == site["dev"].number
    assert last["serviceArn"].split(":")[4] == production.number
    assert last["callerPrincipalOrgID"] == site.organization
    with pytest.raises(ClientError, match="AccessDenied"):
        site["dev"].follow(site.network, "/mesh")


def test_a_consumers_stack_joins_the_shared_network(site: Site) -> None:
    dev = site["dev"]
    joined = {"ServiceNetworkIdentifier": site.network, "ServiceIdentifier": {"Ref": "Service"}}
    resources = {
        "Service": {"Type": "AWS::VpcLattice::Service", "Properties": {"Name": "stacked"}},
        "Joined": {"Type": "AWS::VpcLattice::ServiceNetworkServiceAssociation", "Properties": joined},
    }
    outputs = {name: {"Value": {"Fn::GetAtt": ["Joined", name]}} for name in ("Arn", "ServiceNetworkArn")}
    stacks = dev.client("cloudformation")
    stacks.create_stack(StackName="joined", TemplateBody=json.dumps({"Resources": resources, "Outputs": outputs}))
    stack = until(lambda: (found := stacks.describe_stacks(StackName="joined")["Stacks"][0])["StackStatus"] == "CREATE_COMPLETE" and found)
    shown = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    assert (shown["Arn"].split(":")[4], shown["ServiceNetworkArn"]) == (dev.number, site.network)
    seen = site["shared"].lattice.list_service_network_service_associations(serviceNetworkIdentifier=site.network)["items"]
    assert sorted(one["createdBy"] for one in seen) == sorted((dev.number, site["production"].number))
    stacks.delete_stack(StackName="joined")
    until(lambda: "stacked" not in [one["name"] for one in dev.lattice.list_services()["items"]])


def test_a_transit_gateway_of_another_account_carries_packets_once_its_owner_accepts(site: Site) -> None:
    shared, ends = site["shared"], {"dev": "10.61", "production": "10.62"}
    gateway = shared.transit_gateway()
    arn = shared.ec2.describe_transit_gateways(TransitGatewayIds=[gateway])["TransitGateways"][0]["TransitGatewayArn"]
    shared.ram.create_resource_share(name="hub", resourceArns=[arn], principals=[site[name].number for name in ends])
    attachments, instances, tables = {}, {}, {}
    for name, block in ends.items():
        account, vpc = site[name], site[name].vpc(f"{block}.0.0/16")
        subnet = account.subnet(vpc, f"{block}.1.0/24")
        group = account.group(vpc, "open", allow("tcp", 7777, cidr="10.0.0.0/8"))
        instances[name] = account.instance(f"{name}-hub", subnet, f"{block}.1.10", [group], server(name, tcp=[7777]))
        attachments[name] = account.attach(gateway, vpc, [subnet])
        tables[name] = account.route_table(vpc, [subnet])
    site.region.settle()
    until(lambda: site["production"].talk(instances["production"], "127.0.0.1", 7777))
    assert {one["State"] for one in shared.ec2.describe_transit_gateway_attachments()["TransitGatewayAttachments"]} == {"pendingAcceptance"}
    for name in ends:
        shared.ec2.accept_transit_gateway_vpc_attachment(TransitGatewayAttachmentId=attachments[name])
        site[name].attached(attachments[name])
        site[name].ec2.create_route(RouteTableId=tables[name], DestinationCidrBlock="10.0.0.0/8", TransitGatewayId=gateway)
    site.region.settle()
    dev = site["dev"]
    assert dev.talk(instances["dev"], "10.62.1.10", 7777) == "production 10.61.1.10 hello"
    shared.ec2.delete_transit_gateway_vpc_attachment(TransitGatewayAttachmentId=attachments["dev"])
    site.region.settle()
    assert dev.talk(instances["dev"], "10.62.1.10", 7777) == ""


def test_a_firewall_follows_the_policy_of_another_account(site: Site) -> None:
    shared, dev = site["shared"], site["dev"]
    owner, consumer = shared.client("network-firewall"), dev.client("network-firewall")
    match = {"Protocols": [6], "DestinationPorts": [{"FromPort": 7778, "ToPort": 7778}]}
    rules = [{"RuleDefinition": {"MatchAttributes": match, "Actions": ["aws:drop"]}, "Priority": 1}]
    content = {"RulesSource": {"StatelessRulesAndCustomActions": {"StatelessRules": rules}}}
    group = owner.create_rule_group(RuleGroupName="closed", Type="STATELESS", Capacity=10, RuleGroup=content)["RuleGroupResponse"]["RuleGroupArn"]
    body = {"StatelessDefaultActions": ["aws:pass"], "StatelessFragmentDefaultActions": ["aws:drop"]}
    closed = {**body, "StatelessRuleGroupReferences": [{"ResourceArn": group, "Priority": 1}]}
    policy = owner.create_firewall_policy(FirewallPolicyName="wall", FirewallPolicy=closed)["FirewallPolicyResponse"]["FirewallPolicyArn"]
    shared.ram.create_resource_share(name="wall", resourceArns=[policy, group], principals=[dev.number])
    vpc = dev.vpc("10.63.0.0/16")
    subnets = {name: dev.subnet(vpc, f"10.63.{number}.0/24") for number, name in enumerate(("left", "right", "wall"))}
    group_of_all = dev.group(vpc, "open", allow("tcp", 7777, 7778, cidr="10.63.0.0/16"))
    left = dev.instance("left", subnets["left"], "10.63.0.10", [group_of_all])
    right = dev.instance("right", subnets["right"], "10.63.1.10", [group_of_all], server("right", tcp=[7777, 7778]))
    consumer.create_firewall(FirewallName="wall", FirewallPolicyArn=policy, VpcId=vpc, SubnetMappings=[{"SubnetId": subnets["wall"]}])
    site.region.settle()
    states = until(lambda: consumer.describe_firewall(FirewallName="wall")["FirewallStatus"].get("SyncStates"))
    (endpoint,) = (state["Attachment"]["EndpointId"] for state in states.values())
    for here, there in (("left", "10.63.1.0/24"), ("right", "10.63.0.0/24")):
        dev.route_table(vpc, [subnets[here]], routes={there: {"VpcEndpointId": endpoint}})
    site.region.settle()
    until(lambda: dev.talk(right, "127.0.0.1", 7778))
    assert (dev.talk(left, "10.63.1.10", 7777), dev.talk(left, "10.63.1.10", 7778)) == ("right 10.63.0.10 hello", "")
    token = owner.describe_firewall_policy(FirewallPolicyArn=policy)["UpdateToken"]
    owner.update_firewall_policy(FirewallPolicyArn=policy, FirewallPolicy=body, UpdateToken=token)
    site.region.settle()
    assert dev.talk(left, "10.63.1.10", 7778) == "right 10.63.0.10 hello"
    with pytest.raises(ClientError, match=r"ResourceNotFound|AccessDenied"):
        consumer.update_firewall_policy(FirewallPolicyArn=policy, FirewallPolicy=closed, UpdateToken=token)


def test_what_is_joined_stays_when_it_is_no_longer_shared_until_either_side_ends_it(site: Site) -> None:
    shared, dev = site["shared"], site["dev"]
    for share in site.shares:
        shared.ram.delete_resource_share(resourceShareArn=share)
    site.region.settle()
    with pytest.raises(ClientError, match="AccessDenied"):
        dev.lattice.get_service_network(serviceNetworkIdentifier=site.network)
    assert dev.signed(site.clients["dev"], site.url)[0] == 200
    shared.lattice.delete_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=site.associations["dev"])
    site.region.settle()
    with pytest.raises(ClientError, match="ResourceNotFound"):
        dev.lattice.get_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=site.associations["dev"])
    assert dev.curl(site.clients["dev"], site.url)[0] == 0
