"""Clients that create, change and delete the same things at the same time: each gets an answer of AWS's, and what is left over is what was acknowledged."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from bench.region import Region, until
from botocore.exceptions import ClientError

pytestmark = pytest.mark.scenario
Call = Callable[[], dict[str, Any] | None]
ROUNDS = 8
TEMPLATE = {
    "Resources": {"Network": {"Type": "AWS::VpcLattice::ServiceNetwork"}},
    "Outputs": {"Id": {"Value": {"Ref": "Network"}, "Export": {"Name": "concurrent-network"}}},
}


class Clients:
    """Calls of many threads. refused: the codes of refusals; what is no refusal (a status of 500 and above, no answer) is raised."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.refused: set[str] = set()
        self._local = threading.local()
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:
        """A thread's own."""
        if not hasattr(self._local, service.replace("-", "_")):
            with self._lock:
                setattr(self._local, service.replace("-", "_"), self.region.client(service))
        return getattr(self._local, service.replace("-", "_"))

    def try_to(self, operation: str, **params: Any) -> dict[str, Any] | None:
        """The answer of `service.method`; None if it was refused."""
        service, method = operation.split(".")
        try:
            answer: dict[str, Any] = getattr(self.client(service), method)(**params)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                raise
            self.refused.add(error.response["Error"]["Code"])
            return None
        return answer

    def call(self, operation: str, **params: Any) -> Call:
        """The same, later."""
        return partial(self.try_to, operation, **params)

    def is_gone(self, delete: str, get: str, **named: Any) -> bool:
        """Whether it is, now that it has perhaps been deleted once more."""
        return self.try_to(delete, **named) is not None or self.try_to(get, **named) is None

    def together(self, *calls: Call) -> list[dict[str, Any]]:
        """The answers of those that were not refused, all asked at once."""
        barrier = threading.Barrier(len(calls))

        def run(call: Call) -> dict[str, Any] | None:
            barrier.wait(10)
            return call()

        with ThreadPoolExecutor(len(calls)) as threads:
            return [answer for answer in threads.map(run, calls) if answer is not None]


@pytest.fixture
def clients(region: Region) -> Clients:
    return Clients(region)


@pytest.fixture(scope="module")
def vpc(region: Region) -> Iterator[str]:
    made = str(region.client("ec2").create_vpc(CidrBlock="10.200.0.0/16")["Vpc"]["VpcId"])
    yield made
    until(lambda: Clients(region).try_to("ec2.delete_vpc", VpcId=made) is not None)


def test_one_token_makes_one_thing(clients: Clients, vpc: str) -> None:
    """However many ask at once, all of them are told of the same."""
    ec2 = clients.client("ec2")
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.200.1.0/24")["Subnet"]["SubnetId"]
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    token = {"clientToken": "concurrent-network-0001"}
    networks = clients.together(*[clients.call("vpc-lattice.create_service_network", name="one-token", **token)] * 6)
    launch = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "SubnetId": subnet, "ClientToken": "one-launch"}
    launches = clients.together(*[clients.call("ec2.run_instances", **launch)] * 6)
    where = {"VpcId": vpc, "ServiceNetworkArn": networks[0]["arn"], "SubnetIds": [subnet], "VpcEndpointType": "ServiceNetwork"}
    endpoints = clients.together(*[clients.call("ec2.create_vpc_endpoint", ClientToken="one-endpoint", **where)] * 6)
    assert [len(found) for found in (networks, launches, endpoints)] == [6, 6, 6]
    made = {answer["Instances"][0]["InstanceId"] for answer in launches}
    doors = {answer["VpcEndpoint"]["VpcEndpointId"] for answer in endpoints}
    assert [len(ids) for ids in ({answer["id"] for answer in networks}, made, doors)] == [1, 1, 1]
    assert [one["name"] for one in clients.client("vpc-lattice").list_service_networks()["items"]].count("one-token") == 1
    clients.together(*[clients.call("ec2.terminate_instances", InstanceIds=list(made))] * 3)
    clients.together(*[clients.call("ec2.delete_vpc_endpoints", VpcEndpointIds=list(doors))] * 3)
    network = networks[0]["id"]
    until(lambda: clients.try_to("vpc-lattice.delete_service_network", serviceNetworkIdentifier=network) is not None)
    until(lambda: not made & clients.region.processes().keys())
    until(lambda: clients.try_to("ec2.delete_subnet", SubnetId=subnet) is not None)


def test_rules_of_a_listener(clients: Clients) -> None:
    """No two rules ever have one priority, whoever changes them, one by one or all in one call."""
    lattice = clients.client("vpc-lattice")
    service = lattice.create_service(name="concurrent")["id"]
    until(lambda: lattice.get_service(serviceIdentifier=service)["status"] == "ACTIVE")
    action = {"fixedResponse": {"statusCode": 404}}
    listener = lattice.create_listener(serviceIdentifier=service, name="web", protocol="HTTP", port=80, defaultAction=action)["id"]
    where = {"serviceIdentifier": service, "listenerIdentifier": listener}
    chance, numbers = random.Random(7), count(10)

    def make() -> dict[str, Any] | None:
        number = next(numbers)
        match = {"httpMatch": {"pathMatch": {"match": {"prefix": f"/{number}"}}}}
        return clients.try_to("vpc-lattice.create_rule", **where, name=f"path-{number}", priority=chance.randrange(1, 40), match=match, action=action)

    assert sum(make() is not None for _ in range(3 * ROUNDS)) > ROUNDS
    for _ in range(ROUNDS):
        rules = [rule["id"] for rule in lattice.list_rules(**where)["items"] if not rule["isDefault"]]
        order = chance.sample(range(1, 40), len(rules))
        wanted = [{"ruleIdentifier": rule, "priority": priority} for rule, priority in zip(rules, order, strict=True)]
        one, gone, priority = chance.choice(rules), chance.choice(rules), chance.randrange(1, 40)
        clients.together(
            clients.call("vpc-lattice.batch_update_rule", **where, rules=wanted),
            clients.call("vpc-lattice.update_rule", **where, ruleIdentifier=one, priority=priority),
            clients.call("vpc-lattice.delete_rule", **where, ruleIdentifier=gone),
            make,
        )
        priorities = [rule["priority"] for rule in lattice.list_rules(**where)["items"] if not rule["isDefault"]]
        assert len(set(priorities)) == len(priorities)
    clients.region.settle()
    clients.together(
        clients.call("vpc-lattice.delete_service", serviceIdentifier=service), make,
        clients.call("vpc-lattice.delete_listener", **where), clients.call("vpc-lattice.delete_service", serviceIdentifier=service),
    )  # fmt: skip
    until(lambda: clients.try_to("vpc-lattice.get_service", serviceIdentifier=service) is None)


def test_who_is_joined_is_not_deleted(clients: Clients, vpc: str) -> None:
    """A network is deleted while it is joined by a VPC and a service: either it is gone and they never joined, or it is there with them."""
    lattice = clients.client("vpc-lattice")
    service = lattice.create_service(name="joining")["id"]
    until(lambda: lattice.get_service(serviceIdentifier=service)["status"] == "ACTIVE")
    for number in range(ROUNDS):
        network = lattice.create_service_network(name=f"joined-{number}")["id"]
        named = {"serviceNetworkIdentifier": network}
        clients.together(
            clients.call("vpc-lattice.create_service_network_vpc_association", vpcIdentifier=vpc, **named),
            clients.call("vpc-lattice.create_service_network_service_association", serviceIdentifier=service, **named),
            clients.call("vpc-lattice.delete_service_network", **named),
        )
        vpcs = lattice.list_service_network_vpc_associations(**named)["items"]
        services = lattice.list_service_network_service_associations(**named)["items"]
        there = clients.try_to("vpc-lattice.get_service_network", **named) is not None
        assert there or not vpcs + services
        for one in vpcs:
            given = {"serviceNetworkVpcAssociationIdentifier": one["id"]}
            clients.together(*[clients.call("vpc-lattice.delete_service_network_vpc_association", **given)] * 2)
        for one in services:
            given = {"serviceNetworkServiceAssociationIdentifier": one["id"]}
            clients.together(*[clients.call("vpc-lattice.delete_service_network_service_association", **given)] * 2)
        until(partial(clients.is_gone, "vpc-lattice.delete_service_network", "vpc-lattice.get_service_network", **named))
    lattice.delete_service(serviceIdentifier=service)
    assert clients.refused <= {"ConflictException", "ResourceNotFoundException"}


def test_a_vpc_that_is_filled_while_it_is_deleted(clients: Clients) -> None:
    """It stays, with what was put into it; or it goes, and nothing was. Nothing of it is left in the kernel in the end."""
    ec2 = clients.client("ec2")
    for _ in range(ROUNDS):
        vpc = ec2.create_vpc(CidrBlock="10.201.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.201.1.0/24")["Subnet"]["SubnetId"]
        group = {"GroupName": "filling", "Description": "filling", "VpcId": vpc}
        clients.together(
            clients.call("ec2.create_network_interface", SubnetId=subnet),
            clients.call("ec2.create_security_group", **group),
            clients.call("ec2.create_subnet", VpcId=vpc, CidrBlock="10.201.2.0/24"),
            clients.call("ec2.delete_subnet", SubnetId=subnet),
            clients.call("ec2.delete_vpc", VpcId=vpc),
        )
        own = [{"Name": "vpc-id", "Values": [vpc]}]
        interfaces, subnets = ec2.describe_network_interfaces(Filters=own)["NetworkInterfaces"], ec2.describe_subnets(Filters=own)["Subnets"]
        assert {one["SubnetId"] for one in interfaces} <= {one["SubnetId"] for one in subnets}
        groups = [one for one in ec2.describe_security_groups(Filters=own)["SecurityGroups"] if one["GroupName"] != "default"]
        if not clients.try_to("ec2.describe_vpcs", VpcIds=[vpc]):
            assert (interfaces, subnets, groups) == ([], [], [])
            continue
        for one in interfaces:
            ec2.delete_network_interface(NetworkInterfaceId=one["NetworkInterfaceId"])
        for one in groups:
            ec2.delete_security_group(GroupId=one["GroupId"])
        for one in subnets:
            ec2.delete_subnet(SubnetId=one["SubnetId"])
        ec2.delete_vpc(VpcId=vpc)
    clients.region.settle()
    planned = {one["name"] for one in clients.region.session.ask("plan")["namespaces"]}
    assert namespaces(clients.region) == planned


def namespaces(region: Region) -> set[str]:
    """Those that the kernel has."""
    return {file.name for file in Path(f"/proc/{region.holder}/root/run/latticewall/netns").iterdir()}


def test_stacks_that_export_one_name(clients: Clients) -> None:
    """One of them does; the others fail, and leave nothing."""
    stacks = [f"exporting-{number}" for number in range(3)]
    template = {"TemplateBody": json.dumps(TEMPLATE)}
    clients.together(*[clients.call("cloudformation.create_stack", StackName=name, **template) for name in (*stacks, stacks[0])])
    assert clients.refused == {"AlreadyExistsException"}
    cloudformation = clients.client("cloudformation")

    def statuses() -> list[str]:
        found = {stack["StackName"]: stack["StackStatus"] for stack in cloudformation.describe_stacks()["Stacks"]}
        return sorted(found[name] for name in stacks if name in found)

    until(lambda: not any(status.endswith("PROGRESS") for status in statuses()), 30)
    assert statuses() == ["CREATE_COMPLETE", "ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE"]
    assert [one["Name"] for one in cloudformation.list_exports()["Exports"]].count("concurrent-network") == 1
    clients.together(*[clients.call("cloudformation.delete_stack", StackName=name) for name in stacks * 2])
    until(lambda: not statuses(), 30)
