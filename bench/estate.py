"""Many services in one service network with many VPCs: memory, and how soon one service more is answered, at several sizes."""

from __future__ import annotations

import math
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from statistics import median
from typing import IO, Any

from bench.plain_envoy import upstream_script
from bench.processor import processor_seconds
from bench.region import Region, until
from bench.table import Figure, Section
from latticewall.dataplane.kernel_applier import THOROUGH_SECONDS
from latticewall.faces.cli.commands.status import resident_bytes

SIZES = (10, 100, 480)
VPCS = 100
TARGETS = 10
"""Of each service's target group; some more at the largest size, so that there are 5,000 in all."""
TARGETS_IN_ALL = 5000
ADDED = 15
_PATIENCE = 30.0
_PORT = 8080
_ADDRESS = "169.254.171.32"
_PROBE = """
import http.client, sys, time
print("ready", flush=True)
host = sys.stdin.readline().strip()
while host:
    connection = http.client.HTTPConnection(sys.argv[1], 80, timeout=10)
    while True:
        started = time.monotonic()
        connection.request("GET", "/", headers={"host": host})
        answer = connection.getresponse()
        answer.read()
        if answer.status == 200:
            break
        time.sleep(0.0005)
    print(started, flush=True)
    host = sys.stdin.readline().strip()
"""
"""Says that it is ready; then, for each host name it is given, asks for it until the answer is 200, and says when that request began."""


@dataclass
class Estate:
    """network: id. groups: target groups that are ready, one for each service to be made."""

    region: Region
    vpcs: list[str] = field(default_factory=list)
    network: str = ""
    instances: dict[str, str] = field(default_factory=dict)
    services: int = 0
    targets: int = 0

    def build(self) -> None:
        """A client and a server in two VPCs, and VPCS associated with one service network."""
        ec2, lattice = self.region.client("ec2"), self.region.client("vpc-lattice")
        self.network = lattice.create_service_network(name="estate", authType="NONE")["id"]
        for number in range(VPCS):
            vpc = ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"]
            self.vpcs.append(vpc)
            lattice.create_service_network_vpc_association(serviceNetworkIdentifier=self.network, vpcIdentifier=vpc)
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        for number, (name, data) in enumerate({"client": "", "server": upstream_script()}.items()):
            subnet = ec2.create_subnet(VpcId=self.vpcs[number], CidrBlock=f"10.{number}.0.0/16")["Subnet"]["SubnetId"]
            group = ec2.create_security_group(GroupName="open", Description="open", VpcId=self.vpcs[number])["GroupId"]
            everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
            ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=everything)
            made = ec2.run_instances(
                ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet, PrivateIpAddress=f"10.{number}.0.10", SecurityGroupIds=[group], UserData=data
            )
            self.instances[name] = made["Instances"][0]["InstanceId"]
        self.region.settle(60)

    def grow(self, services: int) -> None:
        """Until there are so many, all reachable."""
        lattice = self.region.client("vpc-lattice")
        numbers = range(self.services, services)
        groups = {number: self._group(lattice, number) for number in numbers}
        made = {number: lattice.create_service(name=f"service-{number}", authType="NONE")["id"] for number in numbers}
        self.region.settle(60)
        for number in numbers:
            last = number == numbers[-1] and services == SIZES[-1]
            count = TARGETS_IN_ALL - self.targets if last else TARGETS
            for first in range(0, count, 100):
                targets = [{"id": f"10.1.{1 + item // 200}.{10 + item % 200}", "port": _PORT} for item in range(first, min(first + 100, count))]
                assert not lattice.register_targets(targetGroupIdentifier=groups[number], targets=targets)["unsuccessful"]
            self.targets += count
            self._listen(lattice, made[number], groups[number])
            lattice.create_service_network_service_association(serviceNetworkIdentifier=self.network, serviceIdentifier=made[number])
        self.services = services
        self.region.settle(120)

    def _group(self, lattice: Any, number: int | str) -> str:
        config = {"port": _PORT, "protocol": "HTTP", "vpcIdentifier": self.vpcs[1], "healthCheck": {"enabled": False}}
        return str(lattice.create_target_group(name=f"group-{number}", type="IP", config=config)["id"])

    def _listen(self, lattice: Any, service: str, group: str) -> None:
        action = {"forward": {"targetGroups": [{"targetGroupIdentifier": group, "weight": 100}]}}
        lattice.create_listener(serviceIdentifier=service, name="http", protocol="HTTP", port=80, defaultAction=action)

    def added(self, count: int) -> tuple[list[float], list[float]]:
        """Seconds until one service more is answered, so many times: from its association with the service network, and from its creation. Each is taken away
        again."""
        joined, whole = [], []
        with self._target() as group, _probe(self.region, self.instances["client"]) as (hosts, answers):
            for number in range(count):
                self.region.settle(60)
                began = time.monotonic()
                with self._service(group, number) as service:
                    hosts.write(service["dnsEntry"]["domainName"] + "\n")
                    hosts.flush()
                    called = time.monotonic()
                    self._join(service["id"])
                    answered = float(answers.readline())
                    joined.append(answered - called)
                    whole.append(answered - began)
        return joined, whole

    def busy(self, count: int) -> list[float]:
        """Seconds of the processor that control plane and Envoy use until an association is settled, so many times. Nobody asks for the service meanwhile: a
        client that waits for it has work for Envoy, too."""
        pids = self.region.status()["control_plane_pid"], self.region.pid("envoy")
        found = []
        with self._target() as group:
            for number in range(count):
                with self._service(group, number) as service:
                    used = sum(map(processor_seconds, pids))
                    self._join(service["id"])
                    self.region.settle(60)
                    found.append(sum(map(processor_seconds, pids)) - used)
        return found

    def run_in(self) -> None:
        """Change things until the region looks for damage beside changes, as it does from then on: after its first ten seconds."""
        until_then = time.monotonic() + THOROUGH_SECONDS
        while time.monotonic() < until_then:
            self.busy(1)

    @cached_property
    def _lattice(self) -> Any:
        return self.region.client("vpc-lattice")

    @contextmanager
    def _target(self) -> Iterator[str]:
        """A target group that leads to the server."""
        group = self._group(self._lattice, "added")
        until(lambda: self._lattice.get_target_group(targetGroupIdentifier=group)["status"] == "ACTIVE")
        self._lattice.register_targets(targetGroupIdentifier=group, targets=[{"id": "10.1.0.10", "port": _PORT}])
        yield group
        until(lambda: _deleted(self._lattice, group))
        self.region.settle(60)

    @contextmanager
    def _service(self, group: str, number: int) -> Iterator[dict[str, Any]]:
        """One service more, settled, and in no service network; it goes with its associations."""
        service = self._lattice.create_service(name=f"added-{number}", authType="NONE")
        until(partial(_is_active, self._lattice, service["id"]), every=0.001)
        self._listen(self._lattice, service["id"], group)
        self.region.settle(60)
        yield service
        self.region.settle(60)
        for association in self._lattice.list_service_network_service_associations(serviceIdentifier=service["id"])["items"]:
            self._lattice.delete_service_network_service_association(serviceNetworkServiceAssociationIdentifier=association["id"])
        until(partial(_is_alone, self._lattice, service["id"]))
        self._lattice.delete_service(serviceIdentifier=service["id"])

    def _join(self, service: str) -> None:
        self._lattice.create_service_network_service_association(serviceNetworkIdentifier=self.network, serviceIdentifier=service)

    def memory(self, process: str) -> float:
        return (resident_bytes(self.region.pid(process)) or 0) / 2**20


def estate(region: Region, added: int = ADDED) -> Section:
    """A region of its own. added: services at each size."""
    built = Estate(region)
    built.build()
    figures: list[Figure] = []
    base: dict[str, float] = {}
    for size in SIZES:
        built.grow(size)
        if size == SIZES[0]:
            built.run_in()
        joined, whole = built.added(added)
        measured = {
            "association until the first 200: median": median(joined) * 1000,
            "association until the first 200: 99th of 100": sorted(joined)[math.ceil(0.99 * len(joined)) - 1] * 1000,
            "CreateService, CreateListener and association until the first 200: median": median(whole) * 1000,
            "processor time of control plane and Envoy for the association: median": median(built.busy(added)) * 1000,
        }
        base = base or measured
        figures += [Figure(f"{size} services: {what}", value, "ms", base[what], f"{SIZES[0]} services") for what, value in measured.items()]
    figures.append(Figure("memory of the control plane", built.memory("control-plane"), "MiB", 400 * 1e6 / 2**20, "400 MB"))
    figures.append(Figure("memory of Envoy", built.memory("envoy"), "MiB", 600 * 1e6 / 2**20, "600 MB"))
    how = (
        f"{VPCS} VPCs associated with one service network, {SIZES[-1]} services with {TARGETS_IN_ALL} targets in all. One service more, {added} times at each "
        "size: from the beginning of the call that associates it (its listener and target are there) until the first request answered with 200 begins, in an "
        "instance in another VPC that asks without a pause; everything is settled before. Processor time: of both processes, until an association is settled "
        "that nobody asks for (a client that asks without a pause keeps Envoy busy for as long as it waits)."
    )
    return Section("Many services", how, tuple(figures))


def _is_active(lattice: Any, service: str) -> bool:
    return bool(lattice.get_service(serviceIdentifier=service)["status"] == "ACTIVE")


def _is_alone(lattice: Any, service: str) -> bool:
    return not lattice.list_service_network_service_associations(serviceIdentifier=service)["items"]


def _deleted(lattice: Any, group: str) -> bool:
    try:
        lattice.deregister_targets(targetGroupIdentifier=group, targets=[{"id": "10.1.0.10", "port": _PORT}])
        lattice.delete_target_group(targetGroupIdentifier=group)
    except lattice.exceptions.ConflictException:
        return False
    return True


@contextmanager
def _probe(region: Region, instance: str) -> Iterator[tuple[IO[str], IO[str]]]:
    command = region.inside(instance, "python3", "-c", _PROBE, _ADDRESS)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield process.stdin, process.stdout
    finally:
        process.kill()
        process.communicate()
