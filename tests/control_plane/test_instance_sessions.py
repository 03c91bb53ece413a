"""The credentials of instance metadata over time: the same until new ones are due, and the old ones good to their end."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.region import ACCOUNT, NAME, Region

from latticewall.app import iso
from latticewall.auth.callers import caller_of
from latticewall.control_plane.identity import metadata_credentials, refresh_instance_sessions

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture
def instance(region: Region) -> str:
    """A running instance with the role `web`."""
    region.iam.create_role(RoleName="web", AssumeRolePolicyDocument=json.dumps(TRUST))
    region.iam.create_instance_profile(InstanceProfileName="web")
    region.iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="web")
    image = region.ec2.describe_images()["Images"][0]
    size = "t4g.micro" if image["Architecture"] == "arm64" else "t3.micro"
    subnet = region.subnet(region.vpc())
    launched = region.ec2.run_instances(
        ImageId=image["ImageId"], InstanceType=size, MinCount=1, MaxCount=1, SubnetId=subnet, IamInstanceProfile={"Name": "web"}
    )
    region.settle()
    return str(launched["Instances"][0]["InstanceId"])


def credentials(region: Region, instance: str, later: timedelta = timedelta()) -> dict[str, Any]:
    """What instance metadata hands out that much later."""
    region.clock.moment += later
    refresh_instance_sessions(region.app)
    found = metadata_credentials(region.app, instance)
    assert found is not None
    return found


def known(region: Region, access_key_id: str) -> str:
    """The ARN that the key speaks for, "" when it is good for nothing."""
    with region.store.read() as snapshot:
        caller = caller_of(snapshot, access_key_id, NAME)
    return caller.arn if caller else ""


def test_new_credentials_come_before_the_old_ones_end(region: Region, instance: str) -> None:
    first = credentials(region, instance)
    ends = datetime.fromisoformat(first["Expiration"])
    assert credentials(region, instance, timedelta(hours=4)) == first
    second = credentials(region, instance, ends - timedelta(minutes=5) - region.clock.moment)
    assert second["AccessKeyId"] != first["AccessKeyId"]
    assert second["Expiration"] > first["Expiration"]
    assert known(region, first["AccessKeyId"]) == known(region, second["AccessKeyId"]) != ""
    assert credentials(region, instance, timedelta(minutes=6)) == second
    with region.store.read() as snapshot:
        assert {row.id for row in snapshot.rows("sts:Session")} == {second["AccessKeyId"]}
        assert all(row.document["Expiration"] > iso(region.clock.moment) for row in snapshot.rows("sts:Session"))


def test_credentials_end_with_the_profile(region: Region, instance: str) -> None:
    first = credentials(region, instance)
    (association,) = region.ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"]
    region.ec2.disassociate_iam_instance_profile(AssociationId=association["AssociationId"])
    refresh_instance_sessions(region.app)
    assert metadata_credentials(region.app, instance) is None
    assert known(region, first["AccessKeyId"]) == ""


def test_where_the_instance_is_can_be_asked_about(region: Region, instance: str) -> None:
    key = credentials(region, instance)["AccessKeyId"]
    (shown,) = region.ec2.describe_instances()["Reservations"][0]["Instances"]
    with region.store.read() as snapshot:
        row = snapshot.get("sts:Session", key)
    assert row
    keys = row.document["_keys"]
    assert keys.pop("aws:TokenIssueTime").startswith("2026-01-02T03:")
    assert keys == {
        "aws:MultiFactorAuthPresent": "false", "ec2:SourceInstanceArn": f"arn:aws:ec2:{NAME}:{ACCOUNT}:instance/{instance}",
        "aws:Ec2InstanceSourceVpc": shown["VpcId"], "aws:Ec2InstanceSourcePrivateIPv4": shown["PrivateIpAddress"],
    }  # fmt: skip


def test_a_role_must_trust_ec2(region: Region, instance: str) -> None:
    first = credentials(region, instance)
    other = json.dumps(TRUST).replace("ec2.amazonaws.com", "lambda.amazonaws.com")
    region.iam.update_assume_role_policy(RoleName="web", PolicyDocument=other)
    assert credentials(region, instance, timedelta(hours=5, minutes=58)) == first, "what was given stays good to its end"
    region.clock.moment += timedelta(minutes=5)
    refresh_instance_sessions(region.app)
    assert metadata_credentials(region.app, instance) is None
    region.iam.update_assume_role_policy(RoleName="web", PolicyDocument=json.dumps(TRUST))
    assert credentials(region, instance)["AccessKeyId"] != first["AccessKeyId"]


def test_sessions_of_an_earlier_form_are_gone(region: Region, instance: str) -> None:
    """Their limits stand where nobody reads them any more."""
    key = credentials(region, instance)["AccessKeyId"]
    with region.store.write() as tx:
        row = tx.get("sts:Session", key)
        assert row
        del row.document["_session_policies"]
        tx.put(row)
    assert known(region, key) == ""
    assert credentials(region, instance)["AccessKeyId"] != key
