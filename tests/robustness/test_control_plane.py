"""The control plane is killed, stopped and started: nothing acknowledged is lost, ids stay, and what flows goes on flowing."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Collection
from typing import Any

import pytest
from bench.architecture import Architecture
from bench.region import Region, until
from botocore.exceptions import BotoCoreError, ClientError

from .flows import Flows, wait_for_servers

pytestmark = pytest.mark.scenario
KILLS = 4
CREATORS = 4
"""Their creations share transactions now and then."""


class Creator(threading.Thread):
    """A client that creates security groups, one after the other, and notes what was acknowledged. Failures of the connection are its to survive."""

    def __init__(self, region: Region, vpc: str, name: str) -> None:
        super().__init__(name=name)
        self._ec2 = region.client("ec2")
        self._vpc = vpc
        self._stopped = threading.Event()
        self.acknowledged: dict[str, str] = {}
        self.refused: list[str] = []

    def run(self) -> None:
        number = 0
        while not self._stopped.is_set():
            number += 1
            name = f"{self.name}-{number}"
            try:
                self.acknowledged[self._ec2.create_security_group(GroupName=name, Description=name, VpcId=self._vpc)["GroupId"]] = name
            except ClientError as error:
                self.refused.append(str(error))
            except BotoCoreError:
                time.sleep(0.01)

    def stop(self) -> None:
        self._stopped.set()
        self.join(30)


def test_kill_at_any_moment(region: Region, built: Architecture) -> None:
    ec2 = region.client("ec2", retries=5)
    before = _inventory(region)
    moments = random.Random(20240607)
    with Flows(region, built) as flows:
        creators = [Creator(region, built.vpcs["clients"], f"made-{number}") for number in range(CREATORS)]
        for creator in creators:
            creator.start()
        try:
            for _ in range(KILLS):
                enough = [len(creator.acknowledged) + 5 for creator in creators]
                until(lambda: all(len(creator.acknowledged) >= least for creator, least in zip(creators, enough, strict=True)))  # noqa: B023 - as below
                time.sleep(moments.uniform(0, 0.05))
                killed = region.kill("control-plane")
                until(lambda: region.pid("control-plane") not in (0, killed))  # noqa: B023 - awaited within the round
        finally:
            for creator in creators:
                creator.stop()
        assert [creator.refused for creator in creators] == [[]] * CREATORS
        acknowledged = {group: name for creator in creators for group, name in creator.acknowledged.items()}
        flows.still_move()
        region.settle()
        groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [built.vpcs["clients"]]}])["SecurityGroups"]
        found = {group["GroupId"]: group["GroupName"] for group in groups}
        assert acknowledged.items() <= found.items()
        assert len(acknowledged) >= KILLS * CREATORS * 5
        assert _inventory(region, without=set(found)) == {kind: ids - set(found) for kind, ids in before.items()}
        for group in acknowledged:
            ec2.delete_security_group(GroupId=group)
        flows.still_move()


def test_kill_in_the_middle_of_applying(region: Region, built: Architecture) -> None:
    """An instance acknowledged just before the kill comes to run, with the id it was given."""
    ec2 = region.client("ec2", retries=5)
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    with Flows(region, built) as flows:
        made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=built.subnets["clients-inspected"])["Instances"][0]["InstanceId"]
        region.kill("control-plane")
        ec2.get_waiter("instance_running").wait(InstanceIds=[made], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        assert region.run(made, "hostname").returncode == 0
        ec2.terminate_instances(InstanceIds=[made])
        region.kill("control-plane")
        ec2.get_waiter("instance_terminated").wait(InstanceIds=[made], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        until(lambda: made not in region.processes())
        flows.still_move()


def test_a_stopped_control_plane_stops_no_traffic(region: Region, built: Architecture) -> None:
    """Policies stay in force and new connections are decided while nobody answers the API."""
    with Flows(region, built) as flows:
        pid = region.pid("control-plane")
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_for_servers(region, built)
            flows.still_move()
        finally:
            os.kill(pid, signal.SIGCONT)
        region.settle()
        flows.still_move()


def test_down_and_up(region: Region, built: Architecture) -> None:
    """Without --purge everything is there again, under the same ids, and instances boot again."""
    before, booted = _inventory(region), region.pid(built.instances["server"])
    region.down()
    assert region.session.find() is None
    region.up()
    region.settle()
    assert _inventory(region) == before
    assert region.pid(built.instances["server"]) not in (0, booted)
    states = region.client("ec2").describe_instances(InstanceIds=list(built.instances.values()))["Reservations"]
    assert {instance["State"]["Name"] for reservation in states for instance in reservation["Instances"]} == {"running"}


def _inventory(region: Region, without: Collection[str] = ()) -> dict[str, set[str]]:
    """Ids of everything, by kind."""
    ec2, lattice, firewalls = (region.client(name, retries=5) for name in ("ec2", "vpc-lattice", "network-firewall"))
    reservations = ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}])["Reservations"]
    found: dict[str, list[Any]] = {
        "VpcId": ec2.describe_vpcs()["Vpcs"],
        "SubnetId": ec2.describe_subnets()["Subnets"],
        "GroupId": ec2.describe_security_groups()["SecurityGroups"],
        "RouteTableId": ec2.describe_route_tables()["RouteTables"],
        "NetworkInterfaceId": ec2.describe_network_interfaces()["NetworkInterfaces"],
        "TransitGatewayAttachmentId": ec2.describe_transit_gateway_attachments()["TransitGatewayAttachments"],
        "InstanceId": [instance for reservation in reservations for instance in reservation["Instances"]],
        "FirewallArn": firewalls.list_firewalls()["Firewalls"],
        "id": lattice.list_services()["items"] + lattice.list_service_networks()["items"] + lattice.list_resource_configurations()["items"],
    }
    return {member: {item[member] for item in items} - set(without) for member, items in found.items()}
