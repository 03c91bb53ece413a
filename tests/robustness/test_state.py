"""The state folder: held by one region, left clean by a killed one, unwritable, full."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bench.region import REGION, Region, ask_holder, until
from botocore.exceptions import ClientError

pytestmark = pytest.mark.scenario
METADATA_TOKEN = (
    "curl", "-s", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", "-X", "PUT", "-H", "X-aws-ec2-metadata-token-ttl-seconds: 60",
    "http://169.254.169.254/latest/api/token",
)  # fmt: skip


@pytest.fixture
def small(folder: Path) -> Iterator[Region]:
    """A region of the test's own, with a VPC and an instance in it."""
    found = Region(folder / "state")
    found.up()
    try:
        yield found
    finally:
        found.down("--purge")


def make_instance(region: Region) -> dict[str, str]:
    ec2 = region.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="172.20.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="172.20.1.0/24")["Subnet"]["SubnetId"]
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    instance = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet)["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1})
    return {"vpc": vpc, "subnet": subnet, "instance": instance}


# -- one holder per folder --------------------------------------------------------------------------------------------------------------


def test_killed_holder_leaves_nothing(small: Region) -> None:
    made, before = make_instance(small), small.session.up
    namespace = os.readlink(f"/proc/{before.holder_pid}/ns/user")
    pids = [int(process["pid"]) for process in small.processes().values()]
    assert len(pids) >= 4
    os.kill(before.holder_pid, signal.SIGKILL)
    until(lambda: not living(namespace))
    assert str(small.state) not in Path("/proc/self/mountinfo").read_text()
    assert small.cli("status").returncode == 1
    small.up()
    small.settle()
    assert small.session.up.holder_pid != before.holder_pid
    found = small.client("ec2").describe_instances(InstanceIds=[made["instance"]])["Reservations"][0]["Instances"][0]
    assert (found["VpcId"], found["SubnetId"], found["State"]["Name"]) == (made["vpc"], made["subnet"], "running")
    assert small.run(made["instance"], "true").returncode == 0


def test_down_does_not_complain_of_what_others_have_not_waited_for(small: Region) -> None:
    """A program in an instance ends with the region; that its parent out here has not taken note is no reason to complain."""
    made = make_instance(small)
    with subprocess.Popen(small.inside(made["instance"], "sleep", "600")) as sleeping:
        until(lambda: small.run(made["instance"], "sh", "-c", "grep -qx sleep /proc/[0-9]*/comm").returncode == 0)
        small.down()
        assert sleeping.wait(5) != 0


def living(namespace: str) -> list[int]:
    """Processes in that user namespace; those that ended and are not waited for do not count."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            inside = entry.isdigit() and os.readlink(f"/proc/{entry}/ns/user") == namespace
            if inside and Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                found.append(int(entry))
        except OSError:
            continue
    return found


def test_second_region_on_one_folder(small: Region) -> None:
    holder, before = small.holder, small.status()["revision"]
    command = [sys.executable, "-m", "latticewall.dataplane.holder", "--state", str(small.state), "--listen", "127.0.0.1:0", "--", "true"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert str(small.state) in second.stderr
    assert f"process {holder}" in second.stderr
    refused = small.cli("up", "--detach", "--listen", "127.0.0.1:1", "--region", REGION)
    assert refused.returncode == 1
    assert small.session.up.endpoint in refused.stderr
    assert (small.holder, small.status()["revision"]) == (holder, before)


# -- folders that cannot be used --------------------------------------------------------------------------------------------------------


def refusal(region: Region, *prefix: str) -> str:
    """The one line with which `up` gives up."""
    command = region.command("up", "--detach", "--listen", "127.0.0.1:0", "--region", REGION)
    done = subprocess.run([*prefix, *command], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1, done
    assert done.stderr.startswith("latticewall: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_folder_below_a_file(folder: Path) -> None:
    (folder / "file").write_text("mine")
    assert str(folder / "file" / "state") in refusal(Region(folder / "file" / "state"))
    assert (folder / "file").read_text() == "mine"


def test_read_only_folder(folder: Path) -> None:
    script = 'mount -t tmpfs -o ro none "$1" && shift && exec "$@"'
    private = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
    text = refusal(Region(folder / "state"), *private, "sh", "-c", script, "sh", str(folder))
    assert "Read-only file system" in text
    assert str(folder / "state") in text


# -- a full disk ------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def disk(folder: Path) -> Iterator[Path]:
    """A disk of 96 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    place = folder / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "none", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


def fill(disk: Path) -> Path:
    """A file that leaves no byte free."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return ballast


def test_start_on_a_full_disk(disk: Path) -> None:
    ballast = fill(disk)
    region = Region(disk / "state")
    assert str(region.state) in refusal(region)
    ballast.unlink()
    region.up()
    region.down("--purge")


def test_disk_runs_full(disk: Path) -> None:
    region = Region(disk / "state")
    region.up()
    try:
        made = make_instance(region)
        region.settle()
        holder, before = region.holder, region.status()
        pids = {name: process["pid"] for name, process in region.processes().items()}
        ballast = fill(disk)
        ec2 = region.client("ec2")
        error = stored_until_full(ec2, made["vpc"])
        assert error["Error"]["Code"] == "ServiceUnavailable"
        assert "disk is full" in error["Error"]["Message"]
        assert str(region.state) not in error["Error"]["Message"], "that is for who runs the region"
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 503

        wrong = region.status()["errors"]["disk"]
        assert "No space left on device" in wrong
        assert str(region.state) in wrong
        groups = names_of(ec2, made["vpc"])
        assert ec2.describe_vpcs(VpcIds=[made["vpc"]])["Vpcs"][0]["CidrBlock"] == "172.20.0.0/16"
        assert region.run(made["instance"], *METADATA_TOKEN).stdout == "200"
        assert {name: process["pid"] for name, process in ask_holder(holder).items()} == pids
        region.kill("control-plane")
        until(lambda: region.pid("control-plane") not in (0, pids["control-plane"]))
        assert names_of(region.client("ec2", retries=5), made["vpc"]) == groups

        ballast.unlink()
        later = ec2.create_security_group(GroupName="later", Description="later", VpcId=made["vpc"])["GroupId"]
        region.settle()
        assert names_of(ec2, made["vpc"]) == groups | {"later"}
        ec2.delete_security_group(GroupId=later)
        after = region.status()
        assert after["errors"] == {}
        assert after["revision"] > before["revision"]
        assert {name: process["pid"] for name, process in ask_holder(holder).items() if name != "control-plane"}.items() <= pids.items()
    finally:
        region.down("--purge")


def stored_until_full(ec2: Any, vpc: str) -> dict[str, Any]:
    """Go on creating until the disk takes no more; the error that comes then. Everything before it was acknowledged."""
    for number in range(500):
        try:
            ec2.create_security_group(GroupName=f"filling-{number}", Description="x" * 255, VpcId=vpc)
        except ClientError as error:
            return error.response
    raise AssertionError("the disk does not run full")


def names_of(ec2: Any, vpc: str) -> set[str]:
    return {group["GroupName"] for group in ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]}
