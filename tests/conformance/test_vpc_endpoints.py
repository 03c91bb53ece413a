"""VPC endpoints of service networks and resources: from the same VPC and from another over a Transit Gateway, behind their security groups."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from bench.region import until
from botocore.exceptions import ClientError

from .lab import Lab, allow, server

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
NEAR, FAR, HOME = "10.61.1.10", "10.62.1.10", "172.22.4.44"
LOGS = "/lattice/endpoints"


@dataclass
class Site:
    """near: a client in the VPC of the endpoints. far: one in a VPC behind a Transit Gateway. names: of what is reached through `mesh` and `vault`."""

    clients: str
    doors: dict[str, str]
    near: str
    far: str
    group: str
    network: str
    service: str
    configuration: str
    mesh: str
    vault: str
    names: dict[str, str] = field(default_factory=dict)


def endpoint(lab: Lab, **params: Any) -> str:
    made = str(lab.ec2.create_vpc_endpoint(**params)["VpcEndpoint"]["VpcEndpointId"])
    until(lambda: lab.ec2.describe_vpc_endpoints(VpcEndpointIds=[made])["VpcEndpoints"][0]["State"] == "available")
    return made


def associations(lab: Lab, identifier: str) -> dict[str, dict[str, Any]]:
    """An endpoint's associations by the noun of what they lead to."""
    found = lab.ec2.describe_vpc_endpoint_associations(VpcEndpointIds=[identifier])["VpcEndpointAssociations"]
    return {one["AssociatedResourceArn"].split(":")[5].split("/")[0]: one for one in found}


@pytest.fixture(scope="module")
def site(lab: Lab) -> Site:
    lattice, logs = lab.client("vpc-lattice"), lab.client("logs")
    clients, others, home = lab.vpc("10.61.0.0/16"), lab.vpc("10.62.0.0/16"), lab.vpc("172.22.0.0/16")
    lab.ec2.modify_vpc_attribute(VpcId=clients, EnableDnsHostnames={"Value": True})
    near, far, inside = lab.subnet(clients, "10.61.1.0/24"), lab.subnet(others, "10.62.1.0/24"), lab.subnet(home, "172.22.4.0/24")
    doors = {letter: lab.subnet(clients, cidr, letter) for letter, cidr in (("a", "10.61.9.0/24"), ("b", "10.61.10.0/24"))}
    gateway = lab.transit_gateway()
    attached = [lab.attach(gateway, clients, [near]), lab.attach(gateway, others, [far])]
    lab.attached(*attached)
    lab.route_table(clients, [near, *doors.values()], routes={"10.62.0.0/16": {"TransitGatewayId": gateway}})
    lab.route_table(others, [far], routes={"10.61.0.0/16": {"TransitGatewayId": gateway}})
    serving = lab.group(home, "serving", allow("tcp", 1, 65535, cidr="0.0.0.0/0"))
    group = lab.group(clients, "doors", allow("tcp", 1, 65535, cidr=f"{NEAR}/32"))
    instances = [lab.instance("near", near, NEAR), lab.instance("far", far, FAR),
                 lab.instance("serving", inside, HOME, [serving], server("serving", [8080], [7777]))]  # fmt: skip

    network = lattice.create_service_network(name="doors")
    targets = lattice.create_target_group(name="doors", type="IP", config={"port": 8080, "protocol": "HTTP", "vpcIdentifier": home})["id"]
    service = lattice.create_service(name="shop-doors")
    rgw = lattice.create_resource_gateway(name="doors", vpcIdentifier=home, subnetIds=[inside])["id"]
    configuration = lattice.create_resource_configuration(
        name="doors-cache", type="SINGLE", resourceGatewayIdentifier=rgw, portRanges=["7777"], customDomainName="cache.doors.example.com",
        resourceConfigurationDefinition={"ipResource": {"ipAddress": HOME}},
    )  # fmt: skip
    lab.settled()
    lattice.register_targets(targetGroupIdentifier=targets, targets=[{"id": HOME}])
    action = {"forward": {"targetGroups": [{"targetGroupIdentifier": targets}]}}
    for name, protocol, port in (("web", "HTTP", 80), ("secure", "HTTPS", 443)):
        lattice.create_listener(serviceIdentifier=service["id"], name=name, protocol=protocol, port=port, defaultAction=action)
    lattice.create_service_network_service_association(serviceNetworkIdentifier=network["id"], serviceIdentifier=service["id"])
    join = lattice.create_service_network_resource_association
    join(serviceNetworkIdentifier=network["id"], resourceConfigurationIdentifier=configuration["id"], privateDnsEnabled=True)
    logs.create_log_group(logGroupName=LOGS)
    arn = f"arn:aws:logs:{lab.region.name}:{service['arn'].split(':')[4]}:log-group:{LOGS}"
    lattice.create_access_log_subscription(resourceIdentifier=configuration["id"], destinationArn=arn)
    mesh = endpoint(
        lab, VpcEndpointType="ServiceNetwork", VpcId=clients, ServiceNetworkArn=network["arn"], SubnetIds=list(doors.values()), SecurityGroupIds=[group]
    )
    vault = endpoint(
        lab, VpcEndpointType="Resource", VpcId=clients, ResourceConfigurationArn=configuration["arn"], SubnetIds=[doors["a"]], SecurityGroupIds=[group],
        PrivateDnsEnabled=True, DnsOptions={"PrivateDnsPreference": "ALL_DOMAINS"},
    )  # fmt: skip
    lab.running(*instances)
    lab.settled()
    found = Site(clients, doors, *instances[:2], group, network["id"], service["id"], configuration["id"], mesh, vault)
    through = associations(lab, mesh)
    found.names = {"service": through["service"]["DnsEntry"]["DnsName"], "resource": through["resourceconfiguration"]["DnsEntry"]["DnsName"],
                   "alone": associations(lab, vault)["resourceconfiguration"]["DnsEntry"]["DnsName"]}  # fmt: skip
    until(lambda: lab.talk(instances[2], "127.0.0.1", 7777))
    return found


def test_a_service_through_an_endpoint(lab: Lab, site: Site) -> None:
    """The client is who it is, and its VPC is the endpoint's."""
    answer = lab.get(site.near, f"http://{site.names['service']}/")
    assert (answer["name"], answer["client"]) == ("serving", "169.254.171.2")
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    assert (headers["x-forwarded-for"], headers["x-amzn-source-vpc"]) == (NEAR, site.clients)
    assert lab.curl(site.near, f"http://{site.names['service']}:81/")[0] == 0
    secured = lab.get(site.near, f"https://{site.names['service']}/")
    assert secured["client"] == "169.254.171.2"
    for made in (answer, secured):
        told = explained(lab, request_id={name.lower(): value for name, value in made["headers"].items()}["x-amzn-requestid"])
        assert (told["verdict"], told["gates"][0]["name"], told["gates"][0]["decided_by"]) == ("allowed", "vpc-endpoint", site.mesh)
    for scheme in ("http", "https"):
        told = explained(lab, url=f"{scheme}://{site.names['service']}/", source=site.near)
        assert told["verdict"] == "allowed", told["summary"]


def test_resources_through_endpoints(lab: Lab, site: Site) -> None:
    """By the name through the network's endpoint, by that of the resource's own, and by the custom name that it gives the VPC."""
    for name in (site.names["resource"], site.names["alone"], "cache.doors.example.com"):
        assert lab.talk(site.near, name, 7777).split(" ")[:2][0] == "serving"
        assert lab.talk(site.near, name, 7778, seconds=0.5) == ""
    record = until(lambda: next((one for one in logged(lab) if one["vpcEndpointId"] == site.vault), None))
    assert (record["serviceNetworkArn"], record["serviceNetworkResourceAssociationId"], record["sourceIpPort"].split(":")[0]) == ("-", "-", NEAR)
    told = explained(lab, request_id=record["recordId"])
    assert (told["verdict"], told["gates"][0]["decided_by"], told["request"]["port"]) == ("allowed", site.vault, 7777), told
    assert told["gates"][-1]["detail"].endswith(record["resourceIpPort"])
    record = until(lambda: next((one for one in logged(lab) if one["vpcEndpointId"] == site.mesh), None))
    assert record["serviceNetworkArn"].endswith(site.network)
    assert record["serviceNetworkResourceAssociationId"].startswith("snra-")


def explained(lab: Lab, **question: str) -> dict[str, Any]:
    answer: dict[str, Any] = lab.region.session.ask("explain", question)
    return answer


def logged(lab: Lab) -> list[dict[str, Any]]:
    return [json.loads(event["message"]) for event in lab.client("logs").filter_log_events(logGroupName=LOGS)["events"]]


def test_behind_its_security_group_and_over_a_transit_gateway(lab: Lab, site: Site) -> None:
    """Names resolve everywhere in the region; the endpoint's group decides, as for any interface; the source VPC is the endpoint's."""
    url, cache = f"http://{site.names['service']}/", site.names["alone"]
    assert (lab.curl(site.far, url, seconds=1)[0], lab.talk(site.far, cache, 7777, seconds=0.5)) == (0, "")
    far = allow("tcp", 1, 65535, cidr=f"{FAR}/32")
    lab.ec2.authorize_security_group_ingress(GroupId=site.group, IpPermissions=[far])
    lab.settled()
    headers = {name.lower(): value for name, value in lab.get(site.far, url)["headers"].items()}
    assert (headers["x-forwarded-for"], headers["x-amzn-source-vpc"]) == (FAR, site.clients)
    assert lab.talk(site.far, cache, 7777).startswith("serving ")
    own = lab.group(site.clients, "from-web", allow("tcp", 80, cidr="10.62.0.0/16"))
    lab.ec2.modify_vpc_endpoint(VpcEndpointId=site.mesh, AddSecurityGroupIds=[own], RemoveSecurityGroupIds=[site.group])
    lab.settled()
    assert (lab.curl(site.far, url)[0], lab.curl(site.near, url, seconds=1)[0]) == (200, 0)
    lab.ec2.modify_vpc_endpoint(VpcEndpointId=site.mesh, AddSecurityGroupIds=[site.group], RemoveSecurityGroupIds=[own])
    lab.ec2.revoke_security_group_ingress(GroupId=site.group, IpPermissions=[far])
    lab.settled()
    assert (lab.curl(site.far, url, seconds=1)[0], lab.curl(site.near, url)[0]) == (0, 200)


def test_network_acls_of_its_subnets(lab: Lab, site: Site) -> None:
    acl = lab.ec2.create_network_acl(VpcId=site.clients)["NetworkAcl"]["NetworkAclId"]
    (default,) = lab.ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [site.doors["a"]]}])["NetworkAcls"]
    association = next(one["NetworkAclAssociationId"] for one in default["Associations"] if one["SubnetId"] == site.doors["a"])
    moved = lab.ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=acl)["NewAssociationId"]
    lab.settled()
    assert lab.talk(site.near, site.names["alone"], 7777, seconds=0.5) == ""
    everything: dict[str, Any] = {"RuleNumber": 100, "Protocol": "-1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"}
    for egress in (True, False):
        lab.ec2.create_network_acl_entry(NetworkAclId=acl, Egress=egress, **everything)
    lab.settled()
    assert lab.talk(site.near, site.names["alone"], 7777).startswith("serving ")
    lab.ec2.replace_network_acl_association(AssociationId=moved, NetworkAclId=default["NetworkAclId"])
    lab.ec2.delete_network_acl(NetworkAclId=acl)
    lab.settled()


def policy(vpc: str) -> str:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "vpc-lattice-svcs:Invoke", "Resource": "*",
                 "Condition": {"StringEquals": {"vpc-lattice-svcs:SourceVpc": vpc}}}  # fmt: skip
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_auth_policies_decide_as_they_do_behind_an_association(lab: Lab, site: Site) -> None:
    lattice, url = lab.client("vpc-lattice"), f"http://{site.names['service']}/"
    lattice.update_service_network(serviceNetworkIdentifier=site.network, authType="AWS_IAM")
    lab.settled()
    assert lab.curl(site.near, url)[0] == 403
    for vpc, status in ((site.clients, 200), ("vpc-0123456789abcdef0", 403)):
        lattice.put_auth_policy(resourceIdentifier=site.network, policy=policy(vpc))
        lab.settled()
        assert lab.curl(site.near, url)[0] == status
    lattice.update_service_network(serviceNetworkIdentifier=site.network, authType="NONE")
    lattice.delete_auth_policy(resourceIdentifier=site.network)
    lab.settled()


def test_beside_an_association(lab: Lab, site: Site) -> None:
    """Each has its own names; the service's own leads to the association."""
    lattice = lab.client("vpc-lattice")
    name = lattice.get_service(serviceIdentifier=site.service)["dnsEntry"]["domainName"]
    assert lab.curl(site.near, f"http://{name}/")[0] == 0
    made = lattice.create_service_network_vpc_association(serviceNetworkIdentifier=site.network, vpcIdentifier=site.clients)["id"]
    lab.settled()
    resolved = {one: lab.run(site.near, "getent", "ahostsv4", one).stdout.split()[0] for one in (name, site.names["service"])}
    assert resolved[name] == "169.254.171.32"
    assert resolved[site.names["service"]].startswith(("10.61.9.", "10.61.10."))
    assert {lab.curl(site.near, f"http://{one}/")[0] for one in resolved} == {200}
    lattice.delete_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=made)
    lab.settled()


def test_two_networks_in_one_vpc(lab: Lab, site: Site) -> None:
    """A second endpoint leads to another network, and outlives the control plane like everything that carries traffic."""
    lattice = lab.client("vpc-lattice")
    network, service = lattice.create_service_network(name="doors-two"), lattice.create_service(name="fixed-doors")["id"]
    lab.settled()
    answer = {"fixedResponse": {"statusCode": 500}}
    lattice.create_listener(serviceIdentifier=service, name="web", protocol="HTTP", port=80, defaultAction=answer)
    pair = {"serviceNetworkIdentifier": network["id"], "serviceIdentifier": service}
    joined = lattice.create_service_network_service_association(**pair)["id"]
    place = {"VpcId": site.clients, "SubnetIds": [site.doors["a"]], "SecurityGroupIds": [site.group]}
    second = endpoint(lab, VpcEndpointType="ServiceNetwork", ServiceNetworkArn=network["arn"], **place)
    lab.settled()
    name = associations(lab, second)["service"]["DnsEntry"]["DnsName"]
    both = [f"http://{name}/", f"http://{site.names['service']}/"]
    assert [lab.curl(site.near, url)[0] for url in both] == [500, 200]
    lab.region.kill("control-plane")
    assert [lab.curl(site.near, url)[0] for url in both] == [500, 200]
    until(lambda: lab.region.processes()["control-plane"]["state"] == "running")
    until(lambda: lab.region.status()["revision"])
    lab.ec2.delete_vpc_endpoints(VpcEndpointIds=[second])
    lattice.delete_service_network_service_association(serviceNetworkServiceAssociationIdentifier=joined)
    lab.settled()
    lattice.delete_service_network(serviceNetworkIdentifier=network["id"])
    assert [lab.curl(site.near, url, seconds=1)[0] for url in both] == [0, 200]


def test_what_comes_later_is_reached_too(lab: Lab, site: Site) -> None:
    """A second resource of the network gets addresses of its own, and a subnet that goes takes its addresses along."""
    lattice, ec2 = lab.client("vpc-lattice"), lab.ec2
    before = lattice.get_resource_configuration(resourceConfigurationIdentifier=site.configuration)
    more = lattice.create_resource_configuration(
        name="doors-all", type="SINGLE", resourceGatewayIdentifier=before["resourceGatewayId"],
        resourceConfigurationDefinition=before["resourceConfigurationDefinition"],
    )  # fmt: skip
    lab.settled()
    joined = lattice.create_service_network_resource_association(serviceNetworkIdentifier=site.network, resourceConfigurationIdentifier=more["id"])["id"]

    def entry() -> dict[str, Any] | None:
        asked = [{"Name": "associated-resource-id", "Values": [more["id"]]}, {"Name": "associated-resource-accessibility", "Values": ["AVAILABLE"]}]
        return next(iter(ec2.describe_vpc_endpoint_associations(Filters=asked)["VpcEndpointAssociations"]), None)

    name = until(entry)["DnsEntry"]["DnsName"]
    assert lab.talk(site.near, name, 8080, "GET / HTTP/1.0\r\n\r\n").startswith("HTTP/1.1 200")
    assert addresses(lab, site, name) == {"9", "10"}
    ec2.modify_vpc_endpoint(VpcEndpointId=site.mesh, RemoveSubnetIds=[site.doors["b"]])
    lab.settled()
    assert addresses(lab, site, name) == {"9"}
    assert lab.curl(site.near, f"http://{site.names['service']}/")[0] == 200
    lattice.delete_service_network_resource_association(serviceNetworkResourceAssociationIdentifier=joined)
    lab.settled()
    assert addresses(lab, site, name) == set()


def addresses(lab: Lab, site: Site, name: str) -> set[str]:
    """The third numbers of a name's addresses."""
    return {line.split()[0].split(".")[2] for line in lab.run(site.near, "getent", "ahostsv4", name).stdout.splitlines()}


def test_a_group_through_one_endpoint(lab: Lab, site: Site) -> None:
    """Each child has a name and an address; a child that comes later, too."""
    lattice = lab.client("vpc-lattice")
    gateway = lattice.get_resource_configuration(resourceConfigurationIdentifier=site.configuration)["resourceGatewayId"]
    group = lattice.create_resource_configuration(name="doors-group", type="GROUP", resourceGatewayIdentifier=gateway)

    def child(name: str, port: int) -> str:
        return str(lattice.create_resource_configuration(
            name=name, type="CHILD", resourceConfigurationGroupIdentifier=group["id"], portRanges=[str(port)],
            resourceConfigurationDefinition={"ipResource": {"ipAddress": HOME}},
        )["id"])  # fmt: skip

    first = child("doors-first", 7777)
    lab.settled()
    made = endpoint(
        lab, VpcEndpointType="Resource", VpcId=site.clients, ResourceConfigurationArn=group["arn"], SubnetIds=[site.doors["a"]], SecurityGroupIds=[site.group]
    )
    second = child("doors-second", 8080)

    def names() -> dict[str, str] | None:
        found = lab.ec2.describe_vpc_endpoint_associations(VpcEndpointIds=[made])["VpcEndpointAssociations"]
        assert {one["ResourceConfigurationGroupArn"] for one in found} == {group["arn"]}
        ready = [one for one in found if one["AssociatedResourceAccessibility"] == "Accessible"]
        return {one["AssociatedResourceArn"].rpartition("/")[2]: one["DnsEntry"]["DnsName"] for one in ready} if len(ready) == 2 else None

    found = until(names)
    assert lab.talk(site.near, found[first], 7777).startswith("serving ")
    assert lab.curl(site.near, f"http://{found[second]}:8080/")[0] == 200
    assert lab.talk(site.near, found[second], 7777, seconds=0.5) == ""
    lab.ec2.delete_vpc_endpoints(VpcEndpointIds=[made])
    for identifier in (first, second, group["id"]):
        until(lambda identifier=identifier: gone_from(lattice, identifier))


def gone_from(lattice: Any, identifier: str) -> bool:
    """Deleted, as soon as nothing leads there any more."""
    try:
        lattice.delete_resource_configuration(resourceConfigurationIdentifier=identifier)
    except ClientError as refusal:
        return bool(refusal.response["Error"]["Code"] == "ResourceNotFoundException")
    return False


def test_the_end_of_an_endpoint(lab: Lab, site: Site) -> None:
    lattice = lab.client("vpc-lattice")
    (shown,) = lattice.list_service_network_vpc_endpoint_associations(serviceNetworkIdentifier=site.network)["items"]
    assert (shown["vpcEndpointId"], shown["vpcId"], shown["state"]) == (site.mesh, site.clients, "ACTIVE")
    (resource,) = lattice.list_resource_endpoint_associations(resourceConfigurationIdentifier=site.configuration)["items"]
    lattice.delete_resource_endpoint_association(resourceEndpointAssociationIdentifier=resource["arn"])
    lab.settled()
    assert lab.talk(site.near, "cache.doors.example.com", 7777, seconds=0.5) == ""
    (left,) = lab.ec2.describe_vpc_endpoints(VpcEndpointIds=[site.vault])["VpcEndpoints"]
    assert left["State"] == "failed"
    assert lab.ec2.delete_vpc_endpoints(VpcEndpointIds=[site.mesh, site.vault])["Unsuccessful"] == []

    def gone() -> bool:
        try:
            return lab.ec2.describe_vpc_endpoints(VpcEndpointIds=[site.mesh, site.vault]) is None
        except ClientError as refusal:
            return bool(refusal.response["Error"]["Code"] == "InvalidVpcEndpointId.NotFound")

    until(gone)
    lab.settled()
    assert lab.curl(site.near, f"http://{site.names['service']}/", seconds=1)[0] == 0
    assert lab.run(site.near, "getent", "ahostsv4", site.names["service"]).stdout == ""
    assert lab.ec2.describe_network_interfaces(Filters=[{"Name": "subnet-id", "Values": list(site.doors.values())}])["NetworkInterfaces"] == []
