"""The service network built in unusual orders: three VPCs of one CIDR, services by Host on one port, rules, weights, both layers of policies."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from bench.region import until
from botocore.exceptions import ClientError

from .lab import Lab, allow, server

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
CIDR = "192.168.16.0/20"
ORDERS, STOCK = 8443, 7001


@dataclass
class Site:
    network: str
    orders: str
    stock: str
    names: dict[str, str]
    listeners: dict[str, str]
    groups: dict[str, str]
    clients: dict[str, str]
    servers: dict[str, str]
    role: str


def _role(lab: Lab, name: str) -> str:
    iam = lab.client("iam")
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "vpc-lattice-svcs:Invoke", "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="invoke", PolicyDocument=json.dumps(allowed))
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    return str(arn)


def _active(get: Any, **identifier: str) -> Any:
    return until(lambda: (found := get(**identifier))["status"] == "ACTIVE" and found)


@pytest.fixture(scope="module")
def site(lab: Lab) -> Site:
    """Associations before listeners, listeners before target groups, targets before their instances run, policies before anything serves."""
    lattice = lab.client("vpc-lattice")
    network = lattice.create_service_network(name="branch", authType="NONE")["id"]
    orders = lattice.create_service(name="orders", authType="NONE")
    stock = lattice.create_service(name="stock", authType="NONE", customDomainName="stock.corp.internal")
    association = {
        name: lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=made["id"])["id"]
        for name, made in (("orders", orders), ("stock", stock))
    }
    vpcs = {name: lab.vpc(CIDR) for name in ("north", "south", "servers")}
    subnets = {name: lab.subnet(vpc, "192.168.18.0/24", "b") for name, vpc in vpcs.items()}
    gate = lab.group(vpcs["north"], "gate", allow("tcp", ORDERS, 8444, cidr="192.168.18.10/32"), allow("tcp", 80, cidr=CIDR))
    lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=vpcs["north"], securityGroupIds=[gate])
    lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=vpcs["south"])
    not_found = {"fixedResponse": {"statusCode": 404}}
    listeners = {
        "orders": lattice.create_listener(serviceIdentifier=orders["id"], name="main", protocol="HTTP", port=ORDERS, defaultAction=not_found)["id"],
        "stock": lattice.create_listener(serviceIdentifier=stock["id"], name="main", protocol="HTTP", port=ORDERS, defaultAction=not_found)["id"],
        "web": lattice.create_listener(serviceIdentifier=stock["id"], name="web", protocol="HTTP", defaultAction=not_found)["id"],
    }
    inward = lab.group(vpcs["servers"], "servers")
    lists = lab.ec2.describe_managed_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": [f"com.amazonaws.{lab.region.name}.vpc-lattice"]}])
    prefixes = lists["PrefixLists"][0]["PrefixListId"]
    lab.ec2.authorize_security_group_ingress(GroupId=inward, IpPermissions=[allow("tcp", 7000, 7100, prefix_list=prefixes)])
    servers = {
        name: lab.instance(name, subnets["servers"], address, [inward], server(name, [STOCK]))
        for name, address in (("one", "192.168.18.10"), ("two", "192.168.18.11"))
    }
    check = {"enabled": True, "protocol": "HTTP", "path": "/health", "healthCheckIntervalSeconds": 5, "healthyThresholdCount": 2}
    config = {"port": STOCK, "protocol": "HTTP", "vpcIdentifier": vpcs["servers"]}
    groups = {
        f"{service}-{kind}": lattice.create_target_group(name=f"{service}-{kind}", type=kind.upper(), config=config | {"healthCheck": health})["id"]
        for service in ("orders", "stock")
        for kind, health in (("instance", check), ("ip", {"enabled": False}))
    }
    for name, identifier in groups.items():
        _active(lattice.get_target_group, targetGroupIdentifier=identifier)
        target = {"id": "192.168.18.11", "port": STOCK} if name.endswith("ip") else {"id": servers["one"]}
        assert lattice.register_targets(targetGroupIdentifier=identifier, targets=[target])["unsuccessful"] == []
    role = _role(lab, "branch-client")
    clients = {
        "north": lab.instance("north", subnets["north"], "192.168.18.10", IamInstanceProfile={"Name": "branch-client"}),
        "north-other": lab.instance("north-other", subnets["north"], "192.168.18.99"),
        "south": lab.instance("south", subnets["south"], "192.168.18.10", IamInstanceProfile={"Name": "branch-client"}),
    }
    get = lattice.get_service_network_service_association
    names = {name: _active(get, serviceNetworkServiceAssociationIdentifier=made)["dnsEntry"]["domainName"] for name, made in association.items()}
    lab.running(*clients.values(), *servers.values())
    lab.settled()
    for made in servers.values():
        until(lambda made=made: lab.curl(made, f"http://127.0.0.1:{STOCK}/")[0] == 200)
    assert {lab.curl(clients["south"], f"http://{name}:{ORDERS}/")[0] for name in names.values()} == {404}
    for service, made, target in (("orders", orders, "orders-instance"), ("stock", stock, "stock-ip")):
        where = {"serviceIdentifier": made["id"], "listenerIdentifier": listeners[service]}
        lattice.update_listener(**where, defaultAction=_forward((groups[target], 100)))
    lab.settled()
    return Site(network, orders["id"], stock["id"], names, listeners, groups, clients, servers, role)


def _forward(*groups: tuple[str, int]) -> dict[str, Any]:
    return {"forward": {"targetGroups": [{"targetGroupIdentifier": group, "weight": weight} for group, weight in groups]}}


def test_requests_arrive_as_they_were_sent(lab: Lab, site: Site) -> None:
    lattice = lab.client("vpc-lattice")
    url = f"http://{site.names['orders']}:{ORDERS}/"
    answer = lab.get(site.clients["north"], url + "a/b?c=d%20e&c=f")
    assert (answer["name"], answer["path"]) == ("one", "/a/b?c=d%20e&c=f")
    assert answer["client"].startswith("169.254.171.")
    assert answer["headers"]["host"] == f"{site.names['orders']}:{ORDERS}"
    assert lab.get(site.clients["south"], url)["name"] == "one"
    targets = until(lambda: (found := lattice.list_targets(targetGroupIdentifier=site.groups["orders-instance"])["items"])[0]["status"] == "HEALTHY" and found)
    assert targets == [{"id": site.servers["one"], "port": STOCK, "status": "HEALTHY"}]
    unused = lattice.list_targets(targetGroupIdentifier=site.groups["orders-ip"])["items"][0]
    assert (unused["id"], unused["status"]) == ("192.168.18.11", "UNUSED")


def test_the_association_s_security_group_admits_by_port_and_address(lab: Lab, site: Site) -> None:
    url = f"http://{site.names['orders']}:{ORDERS}/"
    assert lab.curl(site.clients["north-other"], url, seconds=0.7)[0] == 0
    assert lab.curl(site.clients["north-other"], f"http://{site.names['stock']}/")[0] == 404
    assert lab.curl(site.clients["north"], f"http://{site.names['orders']}:9999/", seconds=0.7)[0] == 0


def test_two_services_share_a_port_by_host(lab: Lab, site: Site) -> None:
    names = {name: lab.get(site.clients["north"], f"http://{host}:{ORDERS}/")["name"] for name, host in site.names.items()}
    assert names == {"orders": "one", "stock": "two"}
    address = lab.run(site.clients["north"], "getent", "hosts", site.names["stock"]).stdout.split()[0]
    custom = f"http://stock.corp.internal:{ORDERS}/"
    assert lab.get(site.clients["north"], custom, "--resolve", f"stock.corp.internal:{ORDERS}:{address}")["name"] == "two"
    assert lab.curl(site.clients["north"], f"http://{address}:{ORDERS}/")[0] == 404


def test_rules_by_priority_path_method_and_header(lab: Lab, site: Site) -> None:
    lattice = lab.client("vpc-lattice")
    where = {"serviceIdentifier": site.stock, "listenerIdentifier": site.listeners["stock"]}

    def rule(name: str, priority: int, match: dict[str, Any], action: dict[str, Any]) -> None:
        lattice.create_rule(**where, name=name, priority=priority, match={"httpMatch": match}, action=action)

    rule("gone", 10, {"pathMatch": {"match": {"exact": "/old"}}}, {"fixedResponse": {"statusCode": 404}})
    rule("api", 20, {"pathMatch": {"match": {"prefix": "/api"}, "caseSensitive": False}, "method": "POST"}, _forward((site.groups["stock-instance"], 100)))
    header = [{"name": "X-Team", "match": {"contains": "blue"}, "caseSensitive": False}]
    rule("team", 30, {"headerMatches": header}, _forward((site.groups["stock-instance"], 100)))
    lab.settled()
    client, base = site.clients["north"], f"http://{site.names['stock']}:{ORDERS}"
    assert lab.curl(client, f"{base}/old")[0] == 404
    assert lab.get(client, f"{base}/older")["name"] == "two"
    assert lab.get(client, f"{base}/API/x", "-X", "POST")["name"] == "one"
    assert lab.get(client, f"{base}/api/x")["name"] == "two"
    assert lab.get(client, f"{base}/any", "-H", "x-team: the BLUE one")["name"] == "one"
    assert lab.get(client, f"{base}/any", "-H", "x-team: red")["name"] == "two"
    listed = lattice.list_rules(**where)["items"]
    assert sorted(item["name"] for item in listed if not item["isDefault"]) == ["api", "gone", "team"]
    assert len(listed) == 4
    with pytest.raises(ClientError, match="ConflictException"):
        rule("again", 10, {"method": "GET"}, {"fixedResponse": {"statusCode": 404}})


def test_weights(lab: Lab, site: Site) -> None:
    lattice = lab.client("vpc-lattice")
    where = {"serviceIdentifier": site.orders, "listenerIdentifier": site.listeners["orders"]}
    both = _forward((site.groups["orders-instance"], 3), (site.groups["orders-ip"], 1))
    lattice.create_rule(**where, name="split", priority=5, match={"httpMatch": {"pathMatch": {"match": {"prefix": "/split"}}}}, action=both)
    lab.settled()
    script = (
        "import collections,http.client,json,sys\nc=http.client.HTTPConnection(sys.argv[1],int(sys.argv[2]),5)\n"
        "def name():\n c.request('GET','/split');return json.loads(c.getresponse().read())['name']\n"
        "print(json.dumps(collections.Counter(name() for _ in range(400))))"
    )
    counts = Counter(json.loads(lab.run(site.clients["south"], "python3", "-c", script, site.names["orders"], str(ORDERS)).stdout))
    assert 240 < counts["one"] < 360
    assert counts["one"] + counts["two"] == 400


def test_both_layers_of_policies_must_allow(lab: Lab, site: Site) -> None:
    lattice = lab.client("vpc-lattice")
    url, client = f"http://{site.names['orders']}:{ORDERS}/", site.clients["north"]

    def policy(resource: str, **statement: Any) -> None:
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"} | statement]}
        assert lattice.put_auth_policy(resourceIdentifier=resource, policy=json.dumps(document))["state"] in ("Active", "Inactive")

    policy(site.orders, Principal={"AWS": site.role}, Action="vpc-lattice-svcs:Invoke", Condition={"StringEquals": {"vpc-lattice-svcs:RequestMethod": "GET"}})
    assert lattice.get_auth_policy(resourceIdentifier=site.orders)["state"] == "Inactive"
    lab.settled()
    assert lab.curl(client, url)[0] == 200
    lattice.update_service(serviceIdentifier=site.orders, authType="AWS_IAM")
    lab.settled()
    status, body = lab.curl(client, url)
    assert (status, body.count("\n")) == (403, 0)
    assert body.startswith("AccessDeniedException: User: anonymous is not authorized to perform: vpc-lattice-svcs:Invoke on resource: arn:aws:vpc-lattice:")
    assert lab.signed(client, url)[0] == 200
    assert lab.signed(client, url, "POST")[0] == 403
    assert lab.signed(client, f"http://{site.names['stock']}:{ORDERS}/")[0] == 200
    lattice.update_service_network(serviceNetworkIdentifier=site.network, authType="AWS_IAM")
    lab.settled()
    assert lab.signed(client, url)[0] == 403
    assert lab.curl(client, f"http://{site.names['stock']}:{ORDERS}/")[0] == 403
    policy(site.network, Condition={"StringEquals": {"aws:PrincipalType": "AssumedRole"}})
    lab.settled()
    assert lab.signed(client, url)[0] == 200
    assert lab.curl(client, url)[0] == 403
    assert lab.signed(client, f"http://{site.names['stock']}:{ORDERS}/")[0] == 200
    lattice.delete_auth_policy(resourceIdentifier=site.network)
    lattice.update_service_network(serviceNetworkIdentifier=site.network, authType="NONE")
    lattice.update_service(serviceIdentifier=site.orders, authType="NONE")
    lab.settled()
    assert lab.curl(client, url)[0] == 200


def test_what_is_in_use_stays(lab: Lab, site: Site) -> None:
    lattice = lab.client("vpc-lattice")
    with pytest.raises(ClientError, match="ConflictException"):
        lattice.delete_target_group(targetGroupIdentifier=site.groups["orders-ip"])
    with pytest.raises(ClientError, match="ConflictException"):
        lattice.delete_service_network(serviceNetworkIdentifier=site.network)
    with pytest.raises(ClientError, match="ConflictException"):
        lattice.delete_service(serviceIdentifier=site.orders)
    assert lab.curl(site.clients["north"], f"http://{site.names['orders']}:{ORDERS}/")[0] == 200


def test_everything_goes(lab: Lab, site: Site) -> None:
    lattice = lab.client("vpc-lattice")
    for item in lattice.list_service_network_vpc_associations(serviceNetworkIdentifier=site.network)["items"]:
        lattice.delete_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=item["arn"])
    for item in lattice.list_service_network_service_associations(serviceNetworkIdentifier=site.network)["items"]:
        lattice.delete_service_network_service_association(serviceNetworkServiceAssociationIdentifier=item["id"])
    until(lambda: not lattice.list_service_network_service_associations(serviceNetworkIdentifier=site.network)["items"])
    until(lambda: not lattice.list_service_network_vpc_associations(serviceNetworkIdentifier=site.network)["items"])
    lattice.delete_service_network(serviceNetworkIdentifier=site.network)
    for service in (site.orders, site.stock):
        assert lattice.delete_service(serviceIdentifier=service)["status"] == "DELETE_IN_PROGRESS"
    until(lambda: not {site.orders, site.stock} & {item["id"] for item in lattice.list_services()["items"]})
    for identifier in site.groups.values():
        targets = [{"id": item["id"], "port": item["port"]} for item in lattice.list_targets(targetGroupIdentifier=identifier)["items"]]
        assert len(lattice.deregister_targets(targetGroupIdentifier=identifier, targets=targets)["successful"]) == 1
        until(lambda identifier=identifier: not lattice.list_targets(targetGroupIdentifier=identifier)["items"])
        lattice.delete_target_group(targetGroupIdentifier=identifier)
    until(lambda: not {*site.groups.values()} & {one["id"] for one in lattice.list_target_groups()["items"]})
    instances = [*site.clients.values(), *site.servers.values()]
    lab.ec2.terminate_instances(InstanceIds=instances)
    lab.ec2.get_waiter("instance_terminated").wait(InstanceIds=instances, WaiterConfig={"Delay": 1})
