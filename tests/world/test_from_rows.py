"""Rows -> world: only what is there, in one region, referring to what is there too. (What becomes of it: tests/compile/test_plans_golden.py.)"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.region import ACCOUNT, NAME, Region

from latticewall.base.rows import Row
from latticewall.compile.node import compile_node
from latticewall.control_plane.world import build_worlds, compile_snapshot
from latticewall.world.from_rows import build_world
from latticewall.world.types import World

ALLOW = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"vpc-lattice-svcs:Invoke","Resource":"*"}]}'
TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}]}'


def rows(region: Region) -> list[Row]:
    with region.store.read() as snapshot:
        return snapshot.rows()


def world(region: Region, found: list[Row] | None = None, name: str = NAME, now: str = "2026-01-02T03:05:00.000Z") -> World:
    return build_world(rows(region) if found is None else found, name, region.store.revision, now)


def running(region: Region, subnet: str, **more: Any) -> str:
    image = region.ec2.describe_images()["Images"][0]
    size = "t4g.micro" if image["Architecture"] == "arm64" else "t3.micro"
    made = region.ec2.run_instances(ImageId=image["ImageId"], InstanceType=size, MinCount=1, MaxCount=1, SubnetId=subnet, **more)
    return str(made["Instances"][0]["InstanceId"])


def test_regions_do_not_see_each_other_and_stand_side_by_side(region: Region) -> None:
    region.vpc()
    region.of(ACCOUNT, "ec2", "us-east-9").create_vpc(CidrBlock="10.0.0.0/16")
    first, second = world(region), world(region, name="us-east-9")
    assert (len(first.vpcs), len(second.vpcs)) == (1, 1)
    assert first.vpcs[0].id != second.vpcs[0].id
    with region.store.read() as snapshot:
        worlds = build_worlds(snapshot, "2026-01-02T03:05:17.123Z")
        plan = compile_snapshot(snapshot, "2026-01-02T03:05:17.123Z")
    assert [item.region for item in worlds] == [NAME, "us-east-9"]
    assert worlds[0].now == "2026-01-02T03:05:00.000Z", "cut to the minute: an unchanged region compiles to an equal plan"
    assert {item.name for item in plan.namespaces} == {first.vpcs[0].id, second.vpcs[0].id}


def test_a_stopped_or_terminated_instance_has_no_place(region: Region) -> None:
    subnet = region.subnet(region.vpc())
    stays, stops, ends = (running(region, subnet) for _ in range(3))
    region.settle()
    region.ec2.stop_instances(InstanceIds=[stops])
    region.ec2.terminate_instances(InstanceIds=[ends])
    with region.store.read() as snapshot:
        assert [item.instance_id for item in compile_snapshot(snapshot, "2026-01-02T03:05:00Z").instances] == [stays]


def test_a_reference_to_nothing_leaves_the_referrer_out(region: Region) -> None:
    subnet = region.subnet(region.vpc())
    running(region, subnet)
    found = rows(region)
    assert len(compile_node(world(region)).links) == 1
    assert compile_node(world(region, [row for row in found if row.kind != "ec2:Subnet"])).links == ()
    assert world(region, [row for row in found if row.kind != "ec2:Vpc"]).vpcs == ()


def test_who_can_sign(region: Region) -> None:
    region.iam.create_user(UserName="alice", Tags=[{"Key": "team", "Value": "net"}])
    region.iam.put_user_policy(UserName="alice", PolicyName="use", PolicyDocument=ALLOW)
    active, inactive = (region.iam.create_access_key(UserName="alice")["AccessKey"]["AccessKeyId"] for _ in range(2))
    region.iam.update_access_key(UserName="alice", AccessKeyId=inactive, Status="Inactive")
    arn = region.iam.create_role(RoleName="web", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    region.iam.attach_role_policy(RoleName="web", PolicyArn="arn:aws:iam::aws:policy/VPCLatticeServicesInvokeAccess")
    edge = region.iam.create_policy(PolicyName="edge", PolicyDocument=ALLOW)["Policy"]["Arn"]
    region.iam.put_role_permissions_boundary(RoleName="web", PermissionsBoundary=edge)
    session = region.sts.assume_role(RoleArn=arn, RoleSessionName="deploy", Policy=ALLOW)["Credentials"]["AccessKeyId"]
    organization = region.organizations.create_organization()["Organization"]["Id"]
    found = world(region)
    known = {credential.access_key_id: credential for credential in found.credentials}
    holders = {identity.id: identity for identity in found.identities}
    assert set(known) == {active, session}
    assert (known[active].principal_type, known[active].tags, holders[known[active].identity].policies) == ("User", (("team", "net"),), (ALLOW,))
    role = holders[known[session].identity]
    assert (role.arn, known[session].role_arn, role.boundary, known[session].session_policies) == (arn, arn, ALLOW, (ALLOW,))
    assert "vpc-lattice-svcs:Invoke" in role.policies[0]
    assert {account.org_id for account in found.accounts if account.id in {key.account for key in known.values()}} == {organization}
    later = (region.clock.moment + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert {credential.access_key_id for credential in world(region, now=later).credentials} == {active}


def test_a_boundary_that_is_lost_allows_nothing(region: Region) -> None:
    region.iam.create_role(RoleName="web", AssumeRolePolicyDocument=TRUST)
    region.iam.put_role_policy(RoleName="web", PolicyName="use", PolicyDocument=ALLOW)
    edge = region.iam.create_policy(PolicyName="edge", PolicyDocument=ALLOW)["Policy"]["Arn"]
    region.iam.put_role_permissions_boundary(RoleName="web", PermissionsBoundary=edge)
    (role,) = world(region, [row for row in rows(region) if row.arn != edge]).identities
    assert role.boundary
    assert "Allow" not in role.boundary or '"Deny"' in role.boundary


def test_what_is_being_deleted_is_gone_already(region: Region) -> None:
    region.vpc()
    assert world(region, [replace(row, status="deleting") for row in rows(region)]).vpcs == ()
    assert world(region, [replace(row, status="deleted") for row in rows(region)]).vpcs == ()
