"""Resource types that the walkthrough does not use, or uses in one way only: made, changed in place, taken away."""

from __future__ import annotations

import json
from typing import Any

from .region import Region, needs_suricata
from .test_stacks import group, subnet, template, vpc

TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}


def allow(action: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}


def ref(name: str) -> dict[str, str]:
    return {"Ref": name}


def att(name: str, attribute: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [name, attribute]}


def of(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def come_and_go(region: Region, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Deploy, update (everything in place), go back to the first form, delete: nothing may be replaced, nothing may be left."""
    assert region.deploy(before) == "CREATE_COMPLETE", region.reasons()
    kept = {name: found["PhysicalResourceId"] for name, found in region.resources().items()}
    assert region.deploy(after) == "UPDATE_COMPLETE", region.reasons()
    replaced = [name for name, found in region.resources().items() if found["PhysicalResourceId"] != kept[name]]
    assert set(replaced) <= {"TableOfA"}, "route-table associations have a new id after every change"


def leave(region: Region, before: dict[str, Any]) -> None:
    assert region.deploy(before) == "UPDATE_COMPLETE", region.reasons()
    assert region.delete() == "DELETE_COMPLETE", region.reasons()
    assert not region.counts()


def network(port: int, cidr: str, table: str, *, hostnames: bool) -> dict[str, Any]:
    return template(
        {
            "Group": {"Value": att("Vpc", "DefaultSecurityGroup")}, "Zone": {"Value": att("A", "AvailabilityZone")},
            "Second": {"Value": {"Fn::Join": [",", att("Interface", "SecondaryPrivateIpAddresses")]}}, "List": {"Value": att("List", "Arn")},
        },
        Vpc=vpc(EnableDnsHostnames=hostnames),
        MoreAddresses=of("EC2::VPCCidrBlock", VpcId=ref("Vpc"), CidrBlock="10.200.0.0/16"),
        A=subnet("10.0.1.0/24"),
        One=of("EC2::RouteTable", VpcId=ref("Vpc")),
        Two=of("EC2::RouteTable", VpcId=ref("Vpc")),
        TableOfA=of("EC2::SubnetRouteTableAssociation", SubnetId=ref("A"), RouteTableId=ref(table)),
        Gateway=of("EC2::InternetGateway", Tags=[{"Key": "port", "Value": port}]),
        Attachment=of("EC2::VPCGatewayAttachment", VpcId=ref("Vpc"), InternetGatewayId=ref("Gateway")),
        Out={**of("EC2::Route", RouteTableId=ref("One"), DestinationCidrBlock="0.0.0.0/0", GatewayId=ref("Gateway")), "DependsOn": "Attachment"},
        Acl=of("EC2::NetworkAcl", VpcId=ref("Vpc")),
        AclOfA=of("EC2::SubnetNetworkAclAssociation", SubnetId=ref("A"), NetworkAclId=ref("Acl")),
        Entry=of(
            "EC2::NetworkAclEntry", NetworkAclId=ref("Acl"), RuleNumber=100, Protocol=6, RuleAction="allow", CidrBlock=cidr,
            PortRange={"From": port, "To": port},
        ),
        List=of("EC2::PrefixList", PrefixListName="all", AddressFamily="IPv4", Entries=[{"Cidr": cidr}, {"Cidr": "192.168.0.0/16"}]),
        Web=group(port, SecurityGroupEgress=[{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "DestinationPrefixListId": ref("List")}]),
        Other=group(),
        Into=of("EC2::SecurityGroupIngress", GroupId=ref("Web"), IpProtocol="tcp", FromPort=22, ToPort=22, SourceSecurityGroupId=ref("Other")),
        Outof=of("EC2::SecurityGroupEgress", GroupId=ref("Other"), IpProtocol="tcp", FromPort=22, ToPort=22, DestinationSecurityGroupId=ref("Web")),
        Interface=of(
            "EC2::NetworkInterface", SubnetId=ref("A"), GroupSet=[ref("Web")], Description=f"port {port}", SecondaryPrivateIpAddressCount="1",
            SourceDestCheck=hostnames,
        ),
    )  # fmt: skip


def test_networks(region: Region) -> None:
    before, after = network(80, "10.0.0.0/8", "One", hostnames=True), network(81, "172.16.0.0/12", "Two", hostnames=False)
    come_and_go(region, before, after)
    (web,) = region.ec2.describe_security_groups(GroupIds=[region.physical("Web")])["SecurityGroups"]
    assert sorted(rule["FromPort"] for rule in web["IpPermissions"]) == [22, 81]
    assert [rule["PrefixListIds"][0]["PrefixListId"] for rule in web["IpPermissionsEgress"]] == [region.physical("List")]
    (interface,) = region.ec2.describe_network_interfaces(NetworkInterfaceIds=[region.physical("Interface")])["NetworkInterfaces"]
    assert (interface["Description"], interface["SourceDestCheck"], len(interface["PrivateIpAddresses"])) == ("port 81", False, 2)
    assert region.outputs()["Second"] == interface["PrivateIpAddresses"][1]["PrivateIpAddress"]
    entries = region.ec2.get_managed_prefix_list_entries(PrefixListId=region.physical("List"))["Entries"]
    assert {entry["Cidr"] for entry in entries} == {"172.16.0.0/12", "192.168.0.0/16"}
    (acl,) = region.ec2.describe_network_acls(NetworkAclIds=[region.physical("Acl")])["NetworkAcls"]
    (entry,) = [entry for entry in acl["Entries"] if entry["RuleNumber"] == 100]
    assert (entry["CidrBlock"], entry["PortRange"], len(acl["Associations"])) == ("172.16.0.0/12", {"From": 81, "To": 81}, 1)
    leave(region, before)


def transit(mode: str, description: str, *, second: bool) -> dict[str, Any]:
    subnets = [ref("A"), *([ref("B")] if second else [])]
    return template(
        Vpc=vpc(), A=of("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.1.0/24", AvailabilityZone={"Fn::Select": [0, {"Fn::GetAZs": ""}]}),
        B=of("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.2.0/24", AvailabilityZone={"Fn::Select": [1, {"Fn::GetAZs": ""}]}),
        Gateway=of("EC2::TransitGateway", Description=description, AmazonSideAsn="64513", **({} if second else {"AutoAcceptSharedAttachments": "enable"})),
        Attachment=of(
            "EC2::TransitGatewayVpcAttachment", TransitGatewayId=ref("Gateway"), VpcId=ref("Vpc"), SubnetIds=subnets,
            **({"Options": {"ApplianceModeSupport": mode}} if mode else {}),
        ),
        Table=of("EC2::TransitGatewayRouteTable", TransitGatewayId=ref("Gateway")),
        Hole=of("EC2::TransitGatewayRoute", TransitGatewayRouteTableId=ref("Table"), DestinationCidrBlock="10.9.0.0/16", Blackhole="true"),
    )  # fmt: skip


def test_transit_gateways(region: Region) -> None:
    before, after = transit("enable", "first", second=False), transit("", "second", second=True)
    come_and_go(region, before, after)
    (attachment,) = region.ec2.describe_transit_gateway_vpc_attachments()["TransitGatewayVpcAttachments"]
    assert (len(attachment["SubnetIds"]), attachment["Options"]["ApplianceModeSupport"]) == (2, "disable")
    (gateway,) = region.ec2.describe_transit_gateways()["TransitGateways"]
    assert (gateway["Description"], gateway["Options"]["AmazonSideAsn"]) == ("second", 64513)
    assert gateway["Options"]["AutoAcceptSharedAttachments"] == "disable"
    leave(region, before)


def identity(action: str, *, both: bool) -> dict[str, Any]:
    holders: dict[str, Any] = {"Roles": [ref("Role")], **({"Users": [ref("User")]} if both else {})}
    return template(
        {"Key": {"Value": ref("Key")}, "Secret": {"Value": att("Key", "SecretAccessKey")}, "RoleId": {"Value": att("Role", "RoleId")}},
        Role=of(
            "IAM::Role", AssumeRolePolicyDocument=TRUST, Description=action, ManagedPolicyArns=["arn:aws:iam::aws:policy/AdministratorAccess"] if both else [],
            Policies=[{"PolicyName": "own", "PolicyDocument": allow(action)}], MaxSessionDuration="3600" if both else "7200",
            **({"PermissionsBoundary": ref("Managed2")} if both else {}),
        ),
        User=of("IAM::User", UserName="ann", Policies=[{"PolicyName": f"own-{action[:3]}", "PolicyDocument": allow(action)}]),
        Key=of("IAM::AccessKey", UserName=ref("User"), Status="Active" if both else "Inactive"),
        Managed=of("IAM::ManagedPolicy", PolicyDocument=allow(action), **holders),
        Managed2=of("IAM::ManagedPolicy", ManagedPolicyName="boundary", PolicyDocument=allow("*"), Tags=[{"Key": "a", "Value": "b"}]),
        Inline=of("IAM::Policy", PolicyName="shared", PolicyDocument=allow(action), **holders),
        Profile=of("IAM::InstanceProfile", Roles=[ref("Role")]),
    )  # fmt: skip


def test_identities(region: Region) -> None:
    before, after = identity("ec2:*", both=True), identity("logs:*", both=False)
    come_and_go(region, before, after)
    role = region.physical("Role")
    assert region.iam.get_role_policy(RoleName=role, PolicyName="own")["PolicyDocument"] == allow("logs:*")
    assert region.iam.get_role_policy(RoleName=role, PolicyName="shared")["PolicyDocument"] == allow("logs:*")
    attached = region.iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [region.physical("Managed")]
    assert region.iam.list_user_policies(UserName="ann")["PolicyNames"] == ["own-log"]
    assert not region.iam.list_attached_user_policies(UserName="ann")["AttachedPolicies"]
    found = region.iam.get_role(RoleName=role)["Role"]
    assert (found["MaxSessionDuration"], "PermissionsBoundary" in found, found["Description"]) == (7200, False, "logs:*")
    assert [key["Status"] for key in region.iam.list_access_keys(UserName="ann")["AccessKeyMetadata"]] == ["Inactive"]
    assert len(region.outputs()["Secret"]) == 40
    assert region.deploy(before) == "UPDATE_COMPLETE", region.reasons()
    assert region.delete() == "DELETE_COMPLETE", region.reasons()
    assert set(region.counts()) <= {"iam:Policy"}, "AWS's own policy stays"


def records(address: str, second: str) -> dict[str, Any]:
    return template(
        Vpc=vpc(), More=vpc("10.1.0.0/16"),
        Zone=of(
            "Route53::HostedZone", Name="corp.internal", HostedZoneConfig={"Comment": address}, HostedZoneTags=[{"Key": "a", "Value": address}],
            VPCs=[{"VPCId": ref("Vpc"), "VPCRegion": ref("AWS::Region")}, *([{"VPCId": ref("More"), "VPCRegion": ref("AWS::Region")}] if second else [])],
        ),
        Web={
            **of("Route53::RecordSet", HostedZoneName="corp.internal.", Name="web.corp.internal.", Type="A", TTL="60", ResourceRecords=[address]),
            "DependsOn": "Zone",
        },
        Others=of(
            "Route53::RecordSetGroup", HostedZoneId=ref("Zone"),
            RecordSets=[
                {"Name": "a.corp.internal", "Type": "A", "TTL": 5, "ResourceRecords": [address, "10.0.0.9"]},
                {"Name": f"{second or 'b'}.corp.internal", "Type": "CNAME", "TTL": "5", "ResourceRecords": ["web.corp.internal"]},
            ],
        ),
        Parameter=of("SSM::Parameter", Name="/web/address", Type="String", Value=address, Description="where", Tags={"address": address}),
        Logs=of("Logs::LogGroup", **({"RetentionInDays": 7} if second else {}), Tags=[{"Key": "a", "Value": address}]),
        Stream=of("Logs::LogStream", LogGroupName=ref("Logs"), LogStreamName="main"),
    )  # fmt: skip


def test_names_logs_and_parameters(region: Region) -> None:
    before, after = records("10.0.0.1", ""), records("10.0.0.2", "c")
    come_and_go(region, before, after)
    zone = region.physical("Zone")
    found = {
        record["Name"]: [value["Value"] for value in record["ResourceRecords"]]
        for record in region.route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"] if record["Type"] in ("A", "CNAME")
    }  # fmt: skip
    assert found == {"web.corp.internal.": ["10.0.0.2"], "a.corp.internal.": ["10.0.0.2", "10.0.0.9"], "c.corp.internal.": ["web.corp.internal"]}
    assert len(region.route53.get_hosted_zone(Id=zone)["VPCs"]) == 2
    assert region.ssm.get_parameter(Name="/web/address")["Parameter"]["Value"] == "10.0.0.2"
    tagged = region.ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/web/address")["TagList"]
    assert {"Key": "address", "Value": "10.0.0.2"} in tagged
    (logs,) = region.logs.describe_log_groups()["logGroups"]
    assert (logs["retentionInDays"], logs["logGroupName"]) == (7, region.physical("Logs"))
    leave(region, before)


def mesh(port: int, weight: int, auth: str) -> dict[str, Any]:
    target = {"TargetGroups": [{"TargetGroupIdentifier": ref("Group"), "Weight": weight}]}
    return template(
        {"Name": {"Value": att("Service", "DnsEntry.DomainName")}, "State": {"Value": att("Policy", "State")}, "Svc": {"Value": att("Listener", "ServiceId")}},
        Vpc=vpc(), A=subnet("10.0.1.0/24"), Clients=group(80), MoreClients=group(81),
        Network=of("VpcLattice::ServiceNetwork", AuthType=auth),
        Service=of("VpcLattice::Service", **({"AuthType": auth} if auth != "NONE" else {})),
        Policy=of("VpcLattice::AuthPolicy", ResourceIdentifier=att("Service", "Arn"), Policy={
            "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Condition":
            {"NumericEquals": {"vpc-lattice-svcs:Port": port}}}]}),
        Group=of(
            "VpcLattice::TargetGroup", Type="IP", Config={"Port": 80, "Protocol": "HTTP", "VpcIdentifier": ref("Vpc"), "HealthCheck": {
                "Enabled": "true", "HealthyThresholdCount": weight + 2, "Matcher": {"HttpCode": "200-299"}}},
            Targets=[{"Id": "10.0.1.9", "Port": port}, {"Id": "10.0.1.10"}],
        ),
        Listener=of("VpcLattice::Listener", ServiceIdentifier=ref("Service"), Protocol="HTTP", Port=80, DefaultAction={"Forward": target}),
        Rule=of(
            "VpcLattice::Rule", ServiceIdentifier=ref("Service"), ListenerIdentifier=ref("Listener"), Priority=weight,
            Match={"HttpMatch": {"Method": "GET", "PathMatch": {"Match": {"Prefix": f"/{port}"}}}}, Action={"FixedResponse": {"StatusCode": 404}},
        ),
        Joins=of("VpcLattice::ServiceNetworkServiceAssociation", ServiceNetworkIdentifier=ref("Network"), ServiceIdentifier=ref("Service")),
        Home=of(
            "VpcLattice::ServiceNetworkVpcAssociation", ServiceNetworkIdentifier=ref("Network"), VpcIdentifier=ref("Vpc"),
            SecurityGroupIds=[ref("Clients" if weight == 1 else "MoreClients")],
        ),
        Gate=of("VpcLattice::ResourceGateway", Name="gate", VpcIdentifier=ref("Vpc"), SubnetIds=[ref("A")], SecurityGroupIds=[ref("Clients")]),
        Cache=of(
            "VpcLattice::ResourceConfiguration", Name="cache", ResourceConfigurationType="SINGLE", ResourceGatewayId=att("Gate", "Id"),
            **({"PortRanges": [port]} if weight == 1 else {"PortRanges": [port, "90-99"]}),
            ResourceConfigurationDefinition={"DnsResource": {"DomainName": "cache.example.com", "IpAddressType": "IPV4"}},
        ),
        Cached=of("VpcLattice::ServiceNetworkResourceAssociation", ServiceNetworkId=ref("Network"), ResourceConfigurationId=ref("Cache")),
        Logs=of("Logs::LogGroup"), Logs2=of("Logs::LogGroup"),
        Log=of("VpcLattice::AccessLogSubscription", ResourceIdentifier=ref("Service"), DestinationArn=att("Logs" if weight == 1 else "Logs2", "Arn")),
    )  # fmt: skip


def test_service_networks(region: Region) -> None:
    before, after = mesh(8080, 1, "NONE"), mesh(9090, 2, "AWS_IAM")
    come_and_go(region, before, after)
    service = region.outputs()["Svc"]
    assert region.lattice.get_service(serviceIdentifier=service)["authType"] == "AWS_IAM"
    assert region.outputs()["State"] == "Active"
    assert '"vpc-lattice-svcs:Port":9090' in region.lattice.get_auth_policy(resourceIdentifier=service)["policy"]
    targets = region.lattice.list_targets(targetGroupIdentifier=region.physical("Group"))["items"]
    assert {(target["id"], target["port"]) for target in targets if target["status"] != "DRAINING"} == {("10.0.1.9", 9090), ("10.0.1.10", 80)}
    rules = region.lattice.list_rules(serviceIdentifier=service, listenerIdentifier=region.physical("Listener"))["items"]
    assert [rule["priority"] for rule in rules if not rule["isDefault"]] == [2]
    (home,) = region.lattice.list_service_network_vpc_associations(vpcIdentifier=region.physical("Vpc"))["items"]
    shown = region.lattice.get_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=home["id"])
    assert (shown["securityGroupIds"], shown["status"]) == ([region.physical("MoreClients")], "ACTIVE")
    (cache,) = region.lattice.list_resource_configurations()["items"]
    assert region.lattice.get_resource_configuration(resourceConfigurationIdentifier=cache["id"])["portRanges"] == ["9090", "90-99"]
    leave(region, before)


def unset(*, given: bool) -> dict[str, Any]:
    """The same with much, and with little, said."""
    check = {"HealthCheck": {"Enabled": False, "Path": "/health", "Port": 81, "HealthyThresholdCount": 3, "HealthCheckIntervalSeconds": 7}}
    return template(
        {"Service": {"Value": att("Service", "Id")}, "Group": {"Value": att("Group", "Id")}, "Gate": {"Value": att("Gate", "Id")}},
        Vpc=vpc(), A=subnet("10.0.1.0/24"), Clients=group(80),
        Service=of("VpcLattice::Service", **({"IdleTimeoutSeconds": 120, "AuthType": "AWS_IAM"} if given else {})),
        Group=of("VpcLattice::TargetGroup", Type="IP", Config={"Port": 443, "Protocol": "HTTPS", "VpcIdentifier": ref("Vpc"), **(check if given else {})}),
        Gate=of(
            "VpcLattice::ResourceGateway", Name="gate", VpcIdentifier=ref("Vpc"), SubnetIds=[ref("A")],
            **({"SecurityGroupIds": [ref("Clients")]} if given else {}),
        ),
        Network=of("VpcLattice::ServiceNetwork"),
        Home=of("VpcLattice::ServiceNetworkVpcAssociation", ServiceNetworkIdentifier=ref("Network"), VpcIdentifier=ref("Vpc")),
    )  # fmt: skip


def test_what_is_no_longer_said_is_the_default_again(region: Region) -> None:
    little, much = unset(given=False), unset(given=True)
    assert region.deploy(little) == "CREATE_COMPLETE", region.reasons()
    found = region.outputs()

    def shown() -> tuple[Any, ...]:
        service = region.lattice.get_service(serviceIdentifier=found["Service"])
        check = region.lattice.get_target_group(targetGroupIdentifier=found["Group"])["config"]["healthCheck"]
        gate = region.lattice.get_resource_gateway(resourceGatewayIdentifier=found["Gate"])
        return service["authType"], service.get("idleTimeoutSeconds", 60), check, gate["securityGroupIds"]

    first = shown()
    assert region.deploy(much) == "UPDATE_COMPLETE", region.reasons()
    assert all(now != before for now, before in zip(shown(), first, strict=True))
    assert region.deploy(little) == "UPDATE_COMPLETE", region.reasons()
    assert shown() == first


def test_what_cannot_be_taken_away_is_said(region: Region) -> None:
    """An association keeps a security group: an update that would let everybody in fails, and nothing of it stays."""
    open_, closed = unset(given=False), unset(given=False)
    closed["Resources"]["Home"]["Properties"]["SecurityGroupIds"] = [ref("Clients")]
    assert region.deploy(closed) == "CREATE_COMPLETE", region.reasons()
    assert region.deploy(open_) == "UPDATE_ROLLBACK_COMPLETE"
    assert "SecurityGroupIds of AWS::VpcLattice::ServiceNetworkVpcAssociation cannot be taken away" in region.reasons()


def doors(*, second: bool, team: str, network: str = "One") -> dict[str, Any]:
    blocks = {"Fn::Cidr": [{"Fn::Select": [0, att("Vpc", "Ipv6CidrBlocks")]}, 3, 64]}
    zones = {name: {"DependsOn": "Six", **of("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock=cidr, AvailabilityZone={"Fn::Select": [number, {"Fn::GetAZs": ""}]},
                                             Ipv6CidrBlock={"Fn::Select": [number, blocks]})}
             for name, cidr, number in (("A", "10.0.1.0/24", 0), ("B", "10.0.2.0/24", 1))}  # fmt: skip
    return template(
        {"Names": {"Value": {"Fn::Join": [" ", att("Vault", "DnsEntries")]}}, "Made": {"Value": att("Mesh", "CreationTimestamp")},
         "Interfaces": {"Value": {"Fn::Join": [" ", att("Mesh", "NetworkInterfaceIds")]}}, "Id": {"Value": att("Mesh", "Id")}},
        Vpc=vpc(EnableDnsHostnames=True), Six=of("EC2::VPCCidrBlock", VpcId=ref("Vpc"), AmazonProvidedIpv6CidrBlock=True), **zones, Own=group(80),
        One=of("VpcLattice::ServiceNetwork"), Two=of("VpcLattice::ServiceNetwork"),
        Gate=of("VpcLattice::ResourceGateway", Name="gate", VpcIdentifier=ref("Vpc"), SubnetIds=[ref("A")]),
        Alone={"DependsOn": "Six", **of("EC2::Subnet", VpcId=ref("Vpc"), Ipv6Native=True, Ipv6CidrBlock={"Fn::Select": [2, blocks]},
                                          PrivateDnsNameOptionsOnLaunch={"EnableResourceNameDnsAAAARecord": second})},
        Way=of("VpcLattice::ResourceGateway", Name="way", VpcIdentifier=ref("Vpc"), SubnetIds=[ref("Alone")], IpAddressType="IPV6"),
        Cache=of(
            "VpcLattice::ResourceConfiguration", Name="cache", ResourceConfigurationType="SINGLE", ResourceGatewayId=att("Gate", "Id"), PortRanges=["6379"],
            ResourceConfigurationDefinition={"IpResource": "10.0.1.9"}, CustomDomainName="cache.example.com",
        ),
        Mesh=of(
            "EC2::VPCEndpoint", VpcEndpointType="ServiceNetwork", VpcId=ref("Vpc"), ServiceNetworkArn=att(network, "Arn"),
            SubnetIds=[ref("A"), *([ref("B")] if second else [])], Tags=[{"Key": "team", "Value": team}],
            **({"SecurityGroupIds": [ref("Own")], "IpAddressType": "dualstack", "DnsOptions": {"DnsRecordIpType": "service-defined"}} if second else {}),
        ),
        Vault=of(
            "EC2::VPCEndpoint", VpcEndpointType="Resource", VpcId=ref("Vpc"), ResourceConfigurationArn=att("Cache", "Arn"), SubnetIds=[ref("A")],
            IpAddressType="dualstack" if second else "ipv6",
            **({"PrivateDnsEnabled": True, "DnsOptions": {"PrivateDnsPreference": "ALL_DOMAINS"}} if second else {}),
        ),
    )  # fmt: skip


def test_endpoints(region: Region) -> None:
    before, after = doors(second=False, team="blue"), doors(second=True, team="red")
    come_and_go(region, before, after)
    found = region.outputs()
    (alone,) = region.ec2.describe_subnets(SubnetIds=[region.physical("Alone")])["Subnets"]
    assert (alone["Ipv6Native"], alone["AssignIpv6AddressOnCreation"], "CidrBlock" in alone) == (True, True, False)
    assert alone["PrivateDnsNameOptionsOnLaunch"] == {
        "HostnameType": "resource-name", "EnableResourceNameDnsARecord": False, "EnableResourceNameDnsAAAARecord": True
    }
    mesh, vault = region.physical("Mesh"), region.physical("Vault")
    (shown,) = region.ec2.describe_vpc_endpoints(VpcEndpointIds=[mesh])["VpcEndpoints"]
    assert (shown["State"], len(shown["SubnetIds"]), [one["GroupId"] for one in shown["Groups"]]) == ("available", 2, [region.physical("Own")])
    assert (shown["IpAddressType"], shown["DnsOptions"], len(shown["Ipv6Prefixes"])) == ("dualstack", {"DnsRecordIpType": "service-defined"}, 2)
    assert region.ec2.describe_vpc_endpoints(VpcEndpointIds=[vault])["VpcEndpoints"][0]["DnsOptions"]["DnsRecordIpType"] == "ipv6"
    assert {"Key": "team", "Value": "red"} in shown["Tags"]
    assert (found["Id"], found["Interfaces"].split()) == (mesh, shown["NetworkInterfaceIds"])
    (entry,) = region.ec2.describe_vpc_endpoint_associations(VpcEndpointIds=[vault])["VpcEndpointAssociations"]
    assert found["Names"] == f"{entry['DnsEntry']['HostedZoneId']}:{entry['DnsEntry']['DnsName']}"
    assert entry["PrivateDnsEntry"] == {"DnsName": "cache.example.com"}
    assert region.deploy(doors(second=True, team="red", network="Two")) == "UPDATE_COMPLETE", region.reasons()
    assert region.physical("Mesh") != mesh
    leave(region, before)


def firewall(port: int, *, both: bool) -> dict[str, Any]:
    rules = f'pass tcp any any -> any {port} (msg:"one port"; flow:to_server; sid:{port}; rev:1;)'
    alert = {"LogType": "ALERT", "LogDestinationType": "CloudWatchLogs", "LogDestination": {"logGroup": ref("Alerts")}}
    flow = {"LogType": "FLOW", "LogDestinationType": "CloudWatchLogs", "LogDestination": {"logGroup": ref("Flows")}}
    return template(
        {"Endpoints": {"Value": {"Fn::Join": [" ", att("Wall", "EndpointIds")]}}},
        Vpc=vpc(), A=of("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.1.0/24", AvailabilityZone={"Fn::Select": [0, {"Fn::GetAZs": ""}]}),
        B=of("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.2.0/24", AvailabilityZone={"Fn::Select": [1, {"Fn::GetAZs": ""}]}),
        Rules=of("NetworkFirewall::RuleGroup", RuleGroupName="rules", Type="STATEFUL", Capacity="10", Description=f"port {port}", RuleGroup={
            "RulesSource": {"RulesString": rules}, "StatefulRuleOptions": {"RuleOrder": "STRICT_ORDER"}}),
        Policy=of("NetworkFirewall::FirewallPolicy", FirewallPolicyName="policy", FirewallPolicy={
            "StatelessDefaultActions": ["aws:forward_to_sfe"], "StatelessFragmentDefaultActions": ["aws:drop" if both else "aws:forward_to_sfe"],
            "StatefulEngineOptions": {"RuleOrder": "STRICT_ORDER"}, "StatefulDefaultActions": ["aws:drop_established"],
            "StatefulRuleGroupReferences": [{"Priority": "1", "ResourceArn": ref("Rules")}]}),
        Wall=of("NetworkFirewall::Firewall", FirewallName="wall", FirewallPolicyArn=ref("Policy"), VpcId=ref("Vpc"), SubnetChangeProtection=not both,
                SubnetMappings=[{"SubnetId": ref("A")}, *([{"SubnetId": ref("B")}] if both else [])], Tags=[{"Key": "port", "Value": str(port)}]),
        Alerts=of("Logs::LogGroup"), Flows=of("Logs::LogGroup"),
        Logging=of("NetworkFirewall::LoggingConfiguration", FirewallArn=ref("Wall"), LoggingConfiguration={
            "LogDestinationConfigs": [alert, flow] if both else [flow]}),
    )  # fmt: skip


@needs_suricata
def test_firewalls(region: Region) -> None:
    before, after = firewall(80, both=False), firewall(443, both=True)
    come_and_go(region, before, after)
    assert len(region.outputs()["Endpoints"].split()) == 2
    rules = region.firewall.describe_rule_group(RuleGroupName="rules", Type="STATEFUL")
    assert "sid:443" in rules["RuleGroup"]["RulesSource"]["RulesString"]
    assert rules["RuleGroupResponse"]["Description"] == "port 443"
    logging = region.firewall.describe_logging_configuration(FirewallName="wall")["LoggingConfiguration"]["LogDestinationConfigs"]
    assert {item["LogType"] for item in logging} == {"ALERT", "FLOW"}
    leave(region, before)


@needs_suricata
def test_the_words_of_the_engine_reach_the_events(region: Region) -> None:
    body = json.loads(json.dumps(firewall(80, both=False)).replace("flow:to_server", "flow:sideways"))
    assert region.deploy(body) == "ROLLBACK_COMPLETE"
    assert "Rules CREATE_FAILED: stateful rule is invalid" in region.reasons()
    assert "sideways" in region.reasons()
    assert not region.counts()
