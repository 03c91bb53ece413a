"""Terraform's AWS provider builds everything it has resources for, finds nothing to change, changes something in each module, takes over what is there by
import, and takes everything away. Steps come in the order of the tests here; each is made once, by the first test that needs it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from bench.region import until
from botocore.exceptions import ClientError

from latticewall.dataplane.databases.programs import releases

from .functions import package
from .lab import Lab, server
from .terraform_folder import Terraform, terraform_tests

pytestmark = terraform_tests()
DB_INSTANCE = "module.resources.aws_db_instance.d[0]"
DATABASE = {"DBInstanceIdentifier": "tf-resources"}
NOT_IMPORTABLE = "aws_vpclattice_target_group_attachment.t"
"""The provider has no import for it; made again, it is the same target."""


@pytest.fixture(scope="module")
def terraform(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terraform]:
    folder = tmp_path_factory.mktemp("terraform")
    (folder / "server.py").write_text(server("tf", [7001], [7777, 7778, 7779, 9999]))
    for days, step in enumerate(("first", "second"), 9):
        code = f"import os\n\ndef handler(*_):\n    return ['{step}', os.environ['GREETING']]\n"
        (folder / f"{step}.zip").write_bytes(package(index_py=code))
        self_signed(folder / step, days)
    made = Terraform(folder, lab)
    try:
        yield made
    finally:
        made.destroy()


def self_signed(path: Path, days: int) -> None:
    """The files of a certificate, and of its key, for the service's name."""
    subject = ["-subj", "/CN=shop.terraform.test", "-addext", "subjectAltName=DNS:shop.terraform.test"]
    files = ["-out", path.with_suffix(".pem"), "-keyout", path.with_suffix(".key")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(days), *subject, *files], check=True, capture_output=True)


@pytest.fixture(scope="module")
def first(lab: Lab, terraform: Terraform) -> dict[str, Any]:
    """The outputs of each module after everything was made."""
    # not Terraform's: each change of Route 53 is half a minute for the provider, one after another
    zone = lab.client("route53").create_hosted_zone(Name="terraform.test", CallerReference="terraform.test")["HostedZone"]["Id"]
    terraform.apply(zone=zone.rpartition("/")[2])
    lab.settled()
    return terraform.outputs()


@pytest.fixture(scope="module")
def second(lab: Lab, terraform: Terraform, first: dict[str, Any]) -> dict[str, Any]:
    terraform.apply(step="second")
    lab.settled()
    return terraform.outputs()


# -- made ---------------------------------------------------------------------------------------------------------------------------------


def test_nothing_is_left_to_change(terraform: Terraform, first: dict[str, Any]) -> None:
    terraform.unchanged()


def test_the_architecture_works(lab: Lab, first: dict[str, Any]) -> None:
    found = first["architecture"]
    client = found["client"]
    until(lambda: lab.talk(client, "172.29.1.10", 7777))
    assert lab.talk(client, "172.29.1.10", 7778, seconds=0.8) == ""
    assert lab.talk(client, "172.29.1.10", 9999, seconds=0.8) == ""
    assert {lab.talk(client, name, 7778)[:11] for name in ("lines.corp.test", found["door"])} == {"tf 172.29.1"}
    assert lab.curl(client, f"http://{found['service']}:8443/x")[0] == 403
    signed = lab.signed(client, f"http://{found['service']}:8443/first")
    assert signed[0] == 200, signed
    assert lab.signed(client, f"http://{found['service']}:8443/first", "DELETE")[0] == 404


def test_a_network_is_as_written(lab: Lab, first: dict[str, Any]) -> None:
    lab.running(first["network"]["instance"])
    (instance,) = lab.ec2.describe_instances(InstanceIds=[first["network"]["instance"]])["Reservations"][0]["Instances"]
    assert (instance["VpcId"], instance["PrivateIpAddress"]) == (first["network"]["vpcs"]["a"], "10.1.1.50")


def test_functions_answer(lab: Lab, first: dict[str, Any]) -> None:
    assert first["functions"]["version"] == "1"
    assert invoked(lab) == ["first", "first"]


def test_a_service_has_the_requested_certificate(lab: Lab, first: dict[str, Any]) -> None:
    found = first["https"]
    assert (found["found"], found["port"]) == (found["issued"], 443)
    assert lab.client("vpc-lattice").get_service(serviceIdentifier=found["service"])["certificateArn"] == found["issued"]


def test_identities_may_what_their_policies_say(lab: Lab, first: dict[str, Any]) -> None:
    found = first["iam"]
    assert (found["allowed"], found["members"]) == (True, ["tf-alice", "tf-bob"])
    keys = {"aws_access_key_id": found["key"], "aws_secret_access_key": found["secret"]}
    alice = {service: boto3.client(service, region_name=lab.region.name, endpoint_url=lab.region.session.endpoint, **keys) for service in ("iam", "sts")}
    assert alice["iam"].get_user()["User"]["Path"] == "/tf/"
    with pytest.raises(ClientError, match="no identity-based policy allows the iam:GetUser action"):
        alice["iam"].get_user(UserName="tf-bob")
    assert alice["sts"].assume_role(RoleArn=found["role"], RoleSessionName="mine")["AssumedRoleUser"]["Arn"].endswith("assumed-role/tf-role/mine")


def test_data_sources_see_what_resources_made(first: dict[str, Any]) -> None:
    seen = first["lattice"]["seen"]
    assert all(len(set(ways)) == 1 for ways in seen.values()), seen


def test_a_load_balancer_serves(lab: Lab, first: dict[str, Any]) -> None:
    found = first["load_balancers"]
    lab.client("elbv2").get_waiter("target_in_service").wait(TargetGroupArn=found["group"], WaiterConfig={"Delay": 1})
    base, client = f"http://{found['name']}", found["server"]
    assert lab.get(client, f"{base}/x")["name"] == "tf"
    assert lab.curl(client, f"{base}/answer") == (200, "first")
    assert lab.curl(client, f"{base}/x?go=away-now")[0] == 302
    listed = lab.client("elbv2").describe_listener_certificates(ListenerArn=found["secured"])["Certificates"]
    assert {item["CertificateArn"]: item["IsDefault"] for item in listed} == {found["certificates"]["first"]: True, found["certificates"]["second"]: False}
    (balancer,) = lab.client("elbv2").describe_load_balancers(Names=["tf-web"])["LoadBalancers"]
    key = f"edge/AWSLogs/{balancer['LoadBalancerArn'].split(':')[4]}/ELBAccessLogTestFile"
    assert (balancer["IpAddressType"], lab.client("s3").head_object(Bucket="tf-balancer-logs", Key=key)["ContentLength"] > 0) == ("dualstack", True)
    assert "set-cookie: AWSALBTG=" in lab.run(client, "curl", "-s", "-i", f"{base}/split").stdout


def test_resource_configurations_are_associated(lab: Lab, first: dict[str, Any]) -> None:
    assert associated(lab, first) == {"tf-group", "tf-child-0", "tf-named"}


# -- changed ------------------------------------------------------------------------------------------------------------------------------


def test_the_architecture_changes(lab: Lab, second: dict[str, Any]) -> None:
    found = second["architecture"]
    assert lab.talk(found["client"], found["door"], 7778).startswith("tf 172.29.1.")
    assert lab.signed(found["client"], f"http://{found['service']}:8443/first", "DELETE")[0] == 200


def test_logs_have_destinations_of_all_kinds(lab: Lab, second: dict[str, Any]) -> None:
    assert lab.client("s3").get_object(Bucket="tf-logs", Key="notes/first note.txt")["Body"].read() == b"second"
    described = lab.client("firehose").describe_delivery_stream(DeliveryStreamName="tf-stream")["DeliveryStreamDescription"]
    assert described["Destinations"][0]["ExtendedS3DestinationDescription"]["Prefix"] == "second/"
    found = lab.client("vpc-lattice").list_access_log_subscriptions(resourceIdentifier=second["delivery"]["service"])["items"]
    assert {one["destinationArn"].split(":")[2] for one in found} == {"firehose", "logs", "s3"}


def test_functions_change(lab: Lab, second: dict[str, Any]) -> None:
    assert second["functions"]["version"] == "2"
    assert invoked(lab) == ["second", "second"]
    (target,) = lab.client("vpc-lattice").list_targets(targetGroupIdentifier=second["functions"]["group"])["items"]
    assert (target["id"].rpartition(":")[2], target["status"]) == ("tf-greeter", "UNUSED")
    policy = json.loads(lab.client("lambda").get_policy(FunctionName="tf-greeter")["Policy"])
    assert [one["Sid"] for one in policy["Statement"]] == ["lattice"]


def test_a_service_gets_another_certificate(lab: Lab, terraform: Terraform, second: dict[str, Any]) -> None:
    found = second["https"]
    assert lab.client("acm").get_certificate(CertificateArn=found["imported"])["Certificate"] == (terraform.folder / "second.pem").read_text()
    assert lab.client("vpc-lattice").get_service(serviceIdentifier=found["service"])["certificateArn"] == found["imported"]


def test_tags_of_a_network_change(lab: Lab, second: dict[str, Any]) -> None:
    (vpc,) = lab.ec2.describe_vpcs(VpcIds=[second["network"]["vpcs"]["b"]])["Vpcs"]
    assert {one["Key"]: one["Value"] for one in vpc["Tags"]} == {"Name": "b", "Step": "second", "Owner": "conformance"}


def test_a_role_changes(lab: Lab, second: dict[str, Any]) -> None:
    role = lab.client("iam").get_role(RoleName="tf-role")["Role"]
    assert (role["Description"], role["Tags"]) == ("for second", [{"Key": "Owner", "Value": "conformance"}])


def test_a_listener_changes(lab: Lab, second: dict[str, Any]) -> None:
    service, listener = second["lattice"]["identifiers"]["aws_vpclattice_listener.l"].split("/")
    action = lab.client("vpc-lattice").get_listener(serviceIdentifier=service, listenerIdentifier=listener)["defaultAction"]
    assert action == {"fixedResponse": {"statusCode": 500}}


def test_a_load_balancer_changes(lab: Lab, second: dict[str, Any]) -> None:
    found = second["load_balancers"]
    until(lambda: lab.curl(found["server"], f"http://{found['name']}/answer") == (200, "second"))


def test_resource_configurations_change_in_place(lab: Lab, first: dict[str, Any], second: dict[str, Any]) -> None:
    assert second["resources"]["identifiers"] == first["resources"]["identifiers"]
    assert associated(lab, second) == {"tf-group", "tf-child-0", "tf-child-1", "tf-named"}
    child = second["resources"]["identifiers"]["aws_vpclattice_resource_configuration.child[0]"]
    assert lab.client("vpc-lattice").get_resource_configuration(resourceConfigurationIdentifier=child)["portRanges"] == ["9092", "9094-9099"]


# -- imported, and gone -------------------------------------------------------------------------------------------------------------------


def test_what_is_there_is_imported_as_it_is(lab: Lab, terraform: Terraform, second: dict[str, Any]) -> None:
    """And nothing else differs from what was applied. A DB instance that Terraform has not made is among it, with a resource configuration."""
    https, lattice = second["https"], lab.client("vpc-lattice")
    listener = lattice.list_listeners(serviceIdentifier=https["service"])["items"][0]["id"]
    identifiers = {
        "module.https.aws_acm_certificate.issued": https["issued"],
        "module.https.aws_vpclattice_listener.https": f"{https['service']}/{listener}",
        **{f"module.{name}.{address}": found for name in ("lattice", "resources") for address, found in second[name]["identifiers"].items()},
    }
    if releases():
        terraform.environment["TF_VAR_database"] = database(lab)
        identifiers[DB_INSTANCE] = "tf-resources"
    expected = (len(identifiers), 3 if releases() else 1, 0, [])
    assert terraform.imported(identifiers, f"module.lattice.{NOT_IMPORTABLE}") == expected
    terraform.unchanged()
    assert "tf-arn" in associated(lab, second) or not releases()


def test_everything_goes(lab: Lab, terraform: Terraform, second: dict[str, Any]) -> None:
    own = [{"Name": "tag:Owner", "Values": ["conformance"]}]  # which all have by default_tags
    assert len(lab.ec2.describe_vpcs(Filters=own)["Vpcs"]) > 7
    if DB_INSTANCE in terraform.run("state", "list"):
        terraform.run("state", "rm", DB_INSTANCE)
        lab.client("rds").delete_db_instance(**DATABASE, SkipFinalSnapshot=True)
        until(lambda: not db_instances(lab))
    terraform.destroy()
    lattice, iam = lab.client("vpc-lattice"), lab.client("iam")
    left = [one["name"] for kind in ("services", "service_networks", "target_groups") for one in getattr(lattice, f"list_{kind}")()["items"]]
    left += [one["name"] for one in lattice.list_resource_configurations()["items"]]
    left += [one["UserName"] for one in iam.list_users(PathPrefix="/tf/")["Users"]]
    left += [one["GroupName"] for one in iam.list_groups(PathPrefix="/tf/")["Groups"]]
    left += [one["PolicyName"] for one in iam.list_policies(PathPrefix="/tf/")["Policies"]]
    left += [*iam.list_account_aliases()["AccountAliases"], *(one["Arn"] for one in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"])]
    left += [one["FunctionName"] for one in lab.client("lambda").list_functions()["Functions"]]
    left += [one["FirewallName"] for one in lab.client("network-firewall").list_firewalls()["Firewalls"]]
    left += [one["LoadBalancerName"] for one in lab.client("elbv2").describe_load_balancers()["LoadBalancers"]]
    left += [one["Name"] for one in lab.client("s3").list_buckets()["Buckets"]]
    assert [name for name in left if name.startswith("tf-") or name.endswith("issuer.example/tf")] == []
    assert not {second["https"]["issued"], second["https"]["imported"]} & {
        one["CertificateArn"] for one in lab.client("acm").list_certificates()["CertificateSummaryList"]
    }
    assert lab.ec2.describe_vpcs(Filters=own)["Vpcs"] == lab.ec2.describe_vpc_endpoints(Filters=own)["VpcEndpoints"] == []
    instances = [one for found in lab.ec2.describe_instances(Filters=own)["Reservations"] for one in found["Instances"]]
    assert {one["State"]["Name"] for one in instances} <= {"terminated"}


def database(lab: Lab) -> str:
    """The ARN of a DB instance in Terraform's subnet group, as Terraform would have made it."""
    made = lab.client("rds").create_db_instance(
        **DATABASE, Engine="postgres", DBInstanceClass="db.t3.micro", AllocatedStorage=20, MasterUsername="clerk", MasterUserPassword="not-a-secret",
        DBSubnetGroupName="tf-resources", Tags=[{"Key": "Owner", "Value": "conformance"}],
    )["DBInstance"]  # fmt: skip
    until(lambda: db_instances(lab) == ["available"], seconds=60)
    return str(made["DBInstanceArn"])


def db_instances(lab: Lab) -> list[str]:
    """The statuses of those of this name: one or none."""
    filters = [{"Name": "db-instance-id", "Values": ["tf-resources"]}]
    return [item["DBInstanceStatus"] for item in lab.client("rds").describe_db_instances(Filters=filters)["DBInstances"]]


def invoked(lab: Lab) -> Any:
    return json.loads(lab.client("lambda").invoke(FunctionName="tf-greeter:live")["Payload"].read())


def associated(lab: Lab, found: dict[str, Any]) -> set[str]:
    """The names of the resource configurations in the service network."""
    network = found["resources"]["network"]
    listed = lab.client("vpc-lattice").list_service_network_resource_associations(serviceNetworkIdentifier=network, includeChildren=True)
    assert {item["status"] for item in listed["items"]} == {"ACTIVE"}
    return {item["resourceConfigurationName"] for item in listed["items"]}
