"""What is made of a change together with what was made before is what would be made of everything anew, whatever changed in whatever order."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.differing import assert_notes_are_true
from tests.region import Region, client

from latticewall.base import differences
from latticewall.base.memo import Memo
from latticewall.compile.render.envoy import inconsistencies, render
from latticewall.compile.render.envoy_paths import EnvoyPaths
from latticewall.control_plane.world import Compiler
from latticewall.dataplane.envoy.server import publishable
from latticewall.dataplane.names.config import SMALL_ZONE, encode

STEPS = 60
ALLOW = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'


DATABASE = {
    "Engine": "postgres", "DBInstanceClass": "db.t3.micro", "AllocatedStorage": 20, "MasterUsername": "clerk", "MasterUserPassword": "not-a-secret",
}  # fmt: skip


class Walk:
    """Random changes of one region. Some of them are refused, as they may be."""

    def __init__(self, region: Region, seed: int) -> None:
        self.region, self.lattice, self.ec2, self.rds = region, region.lattice, region.ec2, client("rds")
        self.random = random.Random(seed)
        self.count = 0
        self.vpcs: list[str] = []
        self.networks: list[str] = []
        self.services: list[str] = []
        self.groups: list[str] = []
        self.listeners: list[tuple[str, str]] = []
        self.zones: list[str] = []
        self.steps: list[Callable[[], Any]] = [
            self.vpc, self.network, self.service, self.service, self.group, self.group, self.listener, self.listener, self.rule, self.targets,
            self.join_vpc, self.join_service, self.join_service, self.policy, self.auth_type, self.end_service, self.end_association, self.zone,
            self.alias, self.gateway, self.endpoint, self.endpoint, self.end_endpoint, self.change_database, self.tunnel, self.segment,
            self.region.settle, self.region.settle,
        ]  # fmt: skip

    def step(self) -> None:
        self.count += 1
        with suppress(ClientError, IndexError):
            self.random.choice(self.steps)()

    def name(self) -> str:
        return f"made-{self.count}"

    def vpc(self) -> None:
        vpc = self.region.vpc()
        self.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
        subnet = self.region.subnet(vpc)
        image = self.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        one = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
        if self.random.random() < 0.5:
            alone, last = self.region.ipv6_only(vpc)
            self.ec2.associate_subnet_cidr_block(SubnetId=subnet, Ipv6CidrBlock=f"{last.supernet(new_prefix=56)[0]}/64")
            self.ec2.run_instances(**one, SubnetId=alone, PrivateDnsNameOptions={"EnableResourceNameDnsAAAARecord": True})
        self.vpcs.append(vpc)
        self.ec2.run_instances(**one, SubnetId=subnet)

    def network(self) -> None:
        self.networks.append(self.lattice.create_service_network(name=self.name(), authType=self.random.choice(["NONE", "AWS_IAM"]))["id"])

    def service(self) -> None:
        custom = {"customDomainName": f"{self.random.randrange(3)}.example.com"} if self.random.random() < 0.3 else {}
        self.services.append(self.lattice.create_service(name=self.name(), **custom)["id"])

    def group(self) -> None:
        config = {"port": 80, "protocol": "HTTP", "vpcIdentifier": self.random.choice(self.vpcs)}
        self.groups.append(self.lattice.create_target_group(name=self.name(), type="IP", config=config)["id"])

    def targets(self) -> None:
        target = [{"id": f"10.0.1.{self.random.randrange(10, 200)}"}]
        self.random.choice([self.lattice.register_targets, self.lattice.deregister_targets])(
            targetGroupIdentifier=self.random.choice(self.groups), targets=target
        )

    def action(self) -> dict[str, Any]:
        if self.random.random() < 0.3:
            return {"fixedResponse": {"statusCode": 404}}
        return {"forward": {"targetGroups": [{"targetGroupIdentifier": self.random.choice(self.groups)}]}}

    def listener(self) -> None:
        service, (protocol, port) = self.random.choice(self.services), self.random.choice([("HTTP", 80), ("HTTP", 81), ("HTTPS", 81), ("HTTPS", 443)])
        made = self.lattice.create_listener(serviceIdentifier=service, name=self.name(), protocol=protocol, port=port, defaultAction=self.action())
        self.listeners.append((service, made["id"]))

    def rule(self) -> None:
        service, listener = self.random.choice(self.listeners)
        match = {"httpMatch": {"pathMatch": {"match": {"prefix": f"/{self.count}"}}}}
        self.lattice.create_rule(
            serviceIdentifier=service, listenerIdentifier=listener, name=self.name(), priority=self.random.randrange(1, 100), match=match, action=self.action()
        )

    def join_vpc(self) -> None:
        network, vpc = self.random.choice(self.networks), self.random.choice(self.vpcs)
        self.lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=vpc)

    def join_service(self) -> None:
        network, service = self.random.choice(self.networks), self.random.choice(self.services)
        self.lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=service)

    def endpoint(self) -> None:
        vpc, network = self.random.choice(self.vpcs), self.random.choice(self.networks)
        subnets = self.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
        arn = self.lattice.get_service_network(serviceNetworkIdentifier=network)["arn"]
        type_ = self.random.choice(["dualstack", "ipv6"]) if subnets[0]["Ipv6CidrBlockAssociationSet"] else "ipv4"
        where = {"VpcId": vpc, "SubnetIds": [one["SubnetId"] for one in subnets], "IpAddressType": type_}
        self.ec2.create_vpc_endpoint(VpcEndpointType="ServiceNetwork", ServiceNetworkArn=arn, **where)

    def tunnel(self) -> None:
        """And the segment that it leads to."""
        name, (near, far) = self.name(), (self.random.choice(self.vpcs) for _ in range(2))
        homes = {vpc: self.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"][0]["SubnetId"] for vpc in (near, far)}
        gateway = self.lattice.create_resource_gateway(
            name=name, vpcIdentifier=far, subnetIds=[homes[far]], ipv4AddressesPerEni=2, resourceConfigDnsResolution="IN_VPC"
        )["id"]
        self.region.settle()
        given = {"type": "CIDR", "protocol": self.random.choice(["TCP", "TCP_UDP"]), "portRanges": self.random.choice([["53"], ["80"]])}
        definition = {"cidrResource": {"cidrRanges": ["10.0.0.0/16"]}}
        made = self.lattice.create_resource_configuration(name=name, resourceGatewayIdentifier=gateway, resourceConfigurationDefinition=definition, **given)
        self.region.settle()
        self.ec2.create_vpc_endpoint(VpcEndpointType="Tunnel", VpcId=near, ResourceConfigurationArn=made["arn"], SubnetIds=[homes[near]])

    def segment(self) -> None:
        """Another one than before."""
        found = [one for one in self.lattice.list_resource_configurations()["items"] if one["type"] == "CIDR"]
        self.lattice.update_resource_configuration(
            resourceConfigurationIdentifier=self.random.choice(found)["id"], portRanges=[str(self.count), *self.random.choice([["53"], []])]
        )

    def end_endpoint(self) -> None:
        found = self.ec2.describe_vpc_endpoints()["VpcEndpoints"]
        self.ec2.delete_vpc_endpoints(VpcEndpointIds=[self.random.choice(found)["VpcEndpointId"]])

    def policy(self) -> None:
        self.lattice.put_auth_policy(resourceIdentifier=self.random.choice(self.services), policy=ALLOW)

    def auth_type(self) -> None:
        self.lattice.update_service(serviceIdentifier=self.random.choice(self.services), authType=self.random.choice(["NONE", "AWS_IAM"]))

    def end_service(self) -> None:
        self.lattice.delete_service(serviceIdentifier=self.random.choice(self.services))

    def end_association(self) -> None:
        found = self.lattice.list_service_network_service_associations(serviceNetworkIdentifier=self.random.choice(self.networks))["items"]
        self.lattice.delete_service_network_service_association(serviceNetworkServiceAssociationIdentifier=self.random.choice(found)["id"])

    def zone(self) -> None:
        vpc = {"VPCRegion": self.ec2.meta.region_name, "VPCId": self.random.choice(self.vpcs)}
        made = self.region.route53.create_hosted_zone(Name=f"z{self.count}.internal", CallerReference=self.name(), VPC=vpc)
        self.zones.append(made["HostedZone"]["Id"])

    def alias(self) -> None:
        service = self.lattice.get_service(serviceIdentifier=self.random.choice(self.services))
        target = {"DNSName": service["dnsEntry"]["domainName"], "HostedZoneId": "Z0", "EvaluateTargetHealth": False}
        zone = self.random.choice(self.zones)
        name = self.region.route53.get_hosted_zone(Id=zone)["HostedZone"]["Name"]
        change = {"Action": "UPSERT", "ResourceRecordSet": {"Name": f"api.{name}", "Type": "A", "AliasTarget": target}}
        self.region.route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})

    def database(self) -> None:
        """And a resource configuration that leads to it."""
        vpc, name = self.random.choice(self.vpcs), self.name()
        subnets = [self.region.subnet(vpc, f"10.0.{self.count + 9}.{at * 128}/25", zone) for at, zone in enumerate("bc")]
        self.rds.create_db_subnet_group(DBSubnetGroupName=name, DBSubnetGroupDescription=name, SubnetIds=subnets)
        made = self.rds.create_db_instance(**{**DATABASE, "DBInstanceIdentifier": name, "DBSubnetGroupName": name})["DBInstance"]
        gateway = self.lattice.create_resource_gateway(name=name, vpcIdentifier=vpc, subnetIds=subnets)["id"]
        self.region.settle()
        resource = self.lattice.create_resource_configuration(
            name=name, type="ARN", resourceGatewayIdentifier=gateway, resourceConfigurationDefinition={"arnResource": {"arn": made["DBInstanceArn"]}}
        )["id"]
        self.region.settle()
        network = self.random.choice(self.networks)
        self.lattice.create_service_network_resource_association(serviceNetworkIdentifier=network, resourceConfigurationIdentifier=resource)

    def change_database(self) -> None:
        chosen = {"DBInstanceIdentifier": self.random.choice(self.rds.describe_db_instances()["DBInstances"])["DBInstanceIdentifier"]}
        self.random.choice([
            lambda: self.rds.stop_db_instance(**chosen), lambda: self.rds.start_db_instance(**chosen),
            lambda: self.rds.modify_db_instance(**chosen, DBPortNumber=5000 + self.count),
            lambda: self.rds.delete_db_instance(**chosen, SkipFinalSnapshot=True),
        ])()  # fmt: skip

    def gateway(self) -> None:
        self.ec2.create_transit_gateway()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_change_gives_what_everything_anew_would_give(tmp_path: Path, seed: int) -> None:
    region = Region(tmp_path)
    walk = Walk(region, seed)
    for first in (walk.vpc, walk.vpc, walk.network, walk.service, walk.group, region.settle, walk.listener, walk.join_vpc, walk.join_service, walk.database):
        walk.count += 1
        first()
    compiler, rendering, packing, writing, paths = Compiler(), Memo(), Memo(), Memo(), EnvoyPaths()
    hosts = databases = 0
    for _ in range(STEPS):
        walk.step()
        with region.store.read() as snapshot:
            now = "2026-01-02T03:04:05.678Z"
            plan, anew = compiler.compile(snapshot, now), Compiler().compile(snapshot, now)
        assert plan == anew
        rendered = render(plan.proxy, paths, rendering)
        assert rendered == render(anew.proxy, paths)
        assert inconsistencies(rendered, rendering) == inconsistencies(rendered)
        assert publishable(rendered, packing) == publishable(rendered)
        assert encode(plan.names, b"k" * 32, {}, writing) == encode(anew.names, b"k" * 32, {})
        assert_notes_are_true()
        hosts = max(hosts, sum(len(services.hosts) for services in plan.proxy.http_services))
        databases = max(databases, len(plan.databases))
    assert databases > 0, "the walk has come to no database"
    assert hosts > 1, "the walk has come to little"


class Counted:
    """How many calls of Python functions a block makes."""

    def __init__(self) -> None:
        self.calls = 0

    def __enter__(self) -> Counted:
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _note(self, _: Any, event: str, __: Any) -> None:
        self.calls += event == "call"


class Compared:
    """How long the tuples and mappings were that had to be gone through to find in what they differ, of those longer than `most`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
        self.lengths: list[int] = []
        for question in ("ends", "keys"):
            monkeypatch.setattr(differences, question, partial(self._noting, getattr(differences, question), most))

    def _noting(self, question: Callable[[Any, Any], Any], most: int, before: Any, given: Any) -> Any:
        if before is not given and len(given) > most and not any(one is before and other is given for one, other, _ in differences.noted()):
            self.lengths.append(len(given))
        return question(before, given)


def test_a_change_calls_as_many_functions_however_many_services_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    region = Region(tmp_path)
    lattice, vpc = region.lattice, region.vpc()
    region.subnet(vpc)
    network = lattice.create_service_network(name="many", authType="NONE")["id"]
    lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=vpc)
    compiler, rendering, packing, writing, paths = Compiler(), Memo(), Memo(), Memo(), EnvoyPaths()

    def services(numbers: range) -> list[tuple[str, str, str]]:
        """New ones, each with its listener and its target group."""
        config = {"port": 80, "protocol": "HTTP", "vpcIdentifier": vpc}
        groups = [lattice.create_target_group(name=f"group-{number}", type="IP", config=config)["id"] for number in numbers]
        made = [lattice.create_service(name=f"service-{number}")["id"] for number in numbers]
        region.settle()
        found = []
        for id_, group in zip(made, groups, strict=True):
            forward = {"forward": {"targetGroups": [{"targetGroupIdentifier": group}]}}
            listener = lattice.create_listener(serviceIdentifier=id_, name="http", protocol="HTTP", port=80, defaultAction=forward)["id"]
            found.append((id_, listener, group))
        return found

    def joined(made: str) -> None:
        lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=made)

    def calls() -> int:
        with region.store.read() as snapshot, Counted() as counted:
            plan = compiler.compile(snapshot, "2026-01-02T03:04:05.678Z")
            rendered = render(plan.proxy, paths, rendering)
            assert not inconsistencies(rendered, rendering)
            publishable(rendered, packing)
            encode(plan.names, b"k" * 32, {}, writing)
        return counted.calls

    def changes(number: int) -> list[int]:
        ((made, listener, group),) = services(range(number, number + 1))
        found = [calls()]
        match = {"httpMatch": {"pathMatch": {"match": {"prefix": "/a"}}}}
        for change in (
            lambda: joined(made),
            lambda: lattice.register_targets(targetGroupIdentifier=group, targets=[{"id": "10.0.1.9"}]),
            lambda: lattice.create_rule(
                serviceIdentifier=made, listenerIdentifier=listener, name="one", priority=1, match=match, action={"fixedResponse": {"statusCode": 404}}
            ),
            lambda: lattice.put_auth_policy(resourceIdentifier=made, policy=ALLOW),
        ):
            change()
            found.append(calls())
        return found

    for made, _, _ in services(range(SMALL_ZONE + 6)):
        joined(made)
    calls()
    few = changes(100)
    for made, _, _ in services(range(200, 240)):
        joined(made)
    calls()
    many = changes(300)
    assert all(later - earlier < 20 for earlier, later in zip(few, many, strict=True)), (few, many)
    compared = Compared(monkeypatch, SMALL_ZONE)
    changes(301)
    assert compared.lengths == []
