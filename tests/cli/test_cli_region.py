"""A real region from the command line: up, ask, exec, deploy, down; nothing stays behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
COMMAND = [sys.executable, "-P", "-m", "latticewall.faces.cli.main"]
SECONDS = 60
"""More than any command takes on a slow machine."""
TEMPLATE = """\
Parameters: {Cidr: {Type: String}}
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties: {CidrBlock: !Ref Cidr}
Outputs: {Id: {Value: !Ref Vpc}}
"""
SERVED = """\
Parameters: {Vpc: {Type: String}, Web: {Type: String}}
Resources:
  Mesh: {Type: AWS::VpcLattice::ServiceNetwork, Properties: {}}
  Way: {Type: AWS::VpcLattice::ServiceNetworkVpcAssociation, Properties: {ServiceNetworkIdentifier: !Ref Mesh, VpcIdentifier: !Ref Vpc}}
  Shop: {Type: AWS::VpcLattice::Service, Properties: {}}
  Listed: {Type: AWS::VpcLattice::ServiceNetworkServiceAssociation, Properties: {ServiceNetworkIdentifier: !Ref Mesh, ServiceIdentifier: !Ref Shop}}
  Shelf:
    Type: AWS::VpcLattice::TargetGroup
    Properties:
      Type: IP
      Targets: [{Id: !Ref Web, Port: 8080}, {Id: !Ref Web, Port: 8081}]
      Config: {Port: 80, Protocol: HTTP, VpcIdentifier: !Ref Vpc, HealthCheck: {Enabled: true, HealthCheckTimeoutSeconds: 3}}
  Door:
    Type: AWS::VpcLattice::Listener
    Properties: {ServiceIdentifier: !Ref Shop, Protocol: HTTP, DefaultAction: {Forward: {TargetGroups: [{TargetGroupIdentifier: !Ref Shelf}]}}}
Outputs: {Name: {Value: !GetAtt Shop.DnsEntry.DomainName}}
"""


@dataclass(frozen=True)
class Cli:
    """The command for one state folder."""

    state: Path

    def run(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        own = {"AWS_PROFILE": "host", "AWS_SECRET_ACCESS_KEY": "of-the-host", "GITHUB_TOKEN": "of-the-host"}
        environment = {**os.environ, "LATTICEWALL_STATE": str(self.state), **own}
        return subprocess.run([*COMMAND, *words], input=text, capture_output=True, text=True, timeout=SECONDS, env=environment)

    def ok(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.ok(*words, "--output", "json"))

    def refused(self, *words: str) -> tuple[int, str]:
        """Exit code and the one line of an error."""
        done = self.run(*words)
        assert done.stderr.startswith("latticewall: "), done
        assert done.stderr.count("\n") == 1, done.stderr
        return done.returncode, done.stderr.strip()

    def client(self, service: str) -> Any:
        variables = self.json("env")
        return boto3.client(
            service, endpoint_url=variables["AWS_ENDPOINT_URL"], region_name=variables["AWS_REGION"],
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"], aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip


def user_namespace(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/ns/user")


def processes_in(namespace: str) -> list[int]:
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            if user_namespace(int(entry)) == namespace:
                found.append(int(entry))
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def cli() -> Iterator[Cli]:
    """A region with two instances named twin and one named web."""
    folder = Path(tempfile.mkdtemp(prefix="latticewall-cli-"))
    cli = Cli(folder / "state")
    try:
        cli.ok("up", "--detach", "--listen", "127.0.0.1:0", "--region", "eu-west-3")
        boot(cli)
        yield cli
    finally:
        cli.run("down", "--purge")
        shutil.rmtree(folder)


def boot(cli: Cli) -> None:
    ec2 = cli.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.77.1.0/24")["Subnet"]["SubnetId"]
    image = ec2.describe_images()["Images"][0]["ImageId"]
    script = "#!/bin/sh\necho booted > $HOME/boot\n"
    for name in ("web", "twin", "twin"):
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}]
        ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro", SubnetId=subnet, UserData=script, TagSpecifications=tags)
    assert cli.json("wait", "--timeout", "30")["applied"]


def test_status_names_every_process(cli: Cli) -> None:
    status = cli.json("status")
    assert {"control_plane_pid", "holder_pid", "endpoint", "region", "account", "revision", "applied_revision", "processes", "failures"} <= status.keys()
    assert (status["state"], status["region"], status["failures"]) == ("up", "eu-west-3", [])
    assert status["revision"] == status["applied_revision"] > 0
    processes = {process["name"]: process for process in status["processes"]}
    assert {"holder", "control-plane", "names"} <= processes.keys()
    assert processes["control-plane"]["pid"] == status["control_plane_pid"]
    assert processes["holder"]["pid"] == status["holder_pid"]
    for process in processes.values():
        assert set(process) == {"name", "pid", "memory", "state", "restarts", "revision"}
        assert process["memory"] > 1_000_000
    assert f"region eu-west-3, account {status['account']}" in cli.ok("status")


def test_up_again(cli: Cli) -> None:
    """The same region is there already; a different one cannot be."""
    port = cli.json("env")["AWS_ENDPOINT_URL"].rpartition(":")[2]
    assert cli.ok("up", "--detach", "--listen", f"127.0.0.1:{port}", "--region", "eu-west-3").startswith("latticewall is up already")
    code, line = cli.refused("up", "--detach", "--listen", f"127.0.0.1:{port}", "--region", "us-west-2")
    assert (code, "but as eu-west-3 at" in line) == (1, True)


def test_a_port_that_is_taken(cli: Cli, tmp_path: Path) -> None:
    place = cli.json("env")["AWS_ENDPOINT_URL"].removeprefix("http://")
    code, line = Cli(tmp_path / "other").refused("up", "--detach", "--listen", place)
    assert code == 1
    assert f"cannot listen on {place}: Address already in use" in line
    assert "--listen" in line.partition("in use")[2]


def test_a_state_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, line = Cli(tmp_path / "file" / "state").refused("up", "--detach", "--listen", "127.0.0.1:0")
    assert (code, f"{tmp_path}/file/state cannot be used: Not a directory" in line) == (1, True)


def test_env_makes_tools_talk_to_the_region(cli: Cli) -> None:
    """As `eval "$(latticewall env)"` does."""
    script = f"{cli.ok('env')}\npython3 -c 'import os; print(sorted(key for key in os.environ if key.startswith(\"AWS_\")))'"
    environment = {"PATH": os.environ["PATH"], "AWS_SESSION_TOKEN": "of-the-host", "AWS_PROFILE": "host"}
    printed = subprocess.run(["sh", "-ec", script], env=environment, capture_output=True, text=True, timeout=SECONDS, check=True).stdout
    assert printed.strip() == "['AWS_ACCESS_KEY_ID', 'AWS_DEFAULT_REGION', 'AWS_ENDPOINT_URL', 'AWS_REGION', 'AWS_SECRET_ACCESS_KEY']"
    identity = cli.client("sts").get_caller_identity()
    assert identity["Account"] == cli.json("status")["account"]


def test_exec_runs_in_the_instances_namespaces(cli: Cli) -> None:
    assert cli.run("exec", "web", "--", "cat", "boot").stdout == "booted\n"
    assert cli.run("exec", "web", "--", "ip", "-br", "-4", "address", "show", "eth0").stdout.split()[2].startswith("10.77.1.")
    own = [os.readlink(f"/proc/self/ns/{kind}") for kind in ("user", "mnt", "pid", "net", "uts")]
    theirs = cli.run("exec", "web", "--", "readlink", *(f"/proc/self/ns/{kind}" for kind in ("user", "mnt", "pid", "net", "uts"))).stdout.split()
    assert len(theirs) == 5
    assert not set(own) & set(theirs)
    assert cli.run("exec", "web", "--", "id", "-u").stdout == "0\n"


def test_exec_has_the_instances_environment(cli: Cli) -> None:
    variables = dict(line.split("=", 1) for line in cli.run("exec", "web", "--", "env").stdout.splitlines())
    assert variables["HOME"] == "/run/instance/home"
    assert "/usr/sbin" in variables["PATH"]
    assert not [name for name in variables if name.startswith(("PYTHON", "LATTICEWALL"))]
    assert sorted(name for name in variables if name.startswith("AWS_")) == ["AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_REGION"]
    assert variables["AWS_ENDPOINT_URL"] == "http://169.254.169.254:4566"
    assert cli.run("exec", "web", "--", "pwd").stdout == "/run/instance/home\n"


def test_exec_passes_on_input_output_and_exit_code(cli: Cli) -> None:
    done = cli.run("exec", "web", "--", "sh", "-c", "cat; echo wrong >&2; exit 7", text="from outside\n")
    assert (done.stdout, done.stderr, done.returncode) == ("from outside\n", "wrong\n", 7)
    assert cli.run("exec", "web", "--", "sh", "-c", "kill -TERM $$").returncode == 128 + signal.SIGTERM
    assert cli.run("exec", "web", "--", "printf", "%s", "--output", "json").stdout == "--output" + "json"
    done = cli.run("exec", "web", "--", "no-such-program")
    assert (done.returncode, "no-such-program cannot be run" in done.stderr) == (127, True)


def test_exec_ends_with_its_caller(cli: Cli) -> None:
    """A killed command leaves nothing running in the instance."""
    environment = {**os.environ, "LATTICEWALL_STATE": str(cli.state)}
    running = subprocess.Popen([*COMMAND, "exec", "web", "--", "sh", "-c", "echo started; exec sleep 1234"], stdout=subprocess.PIPE, text=True, env=environment)
    assert running.stdout is not None
    assert running.stdout.readline() == "started\n"
    running.kill()
    running.wait(SECONDS)
    running.stdout.close()
    deadline = time.monotonic() + 10
    while "sleep 1234" in cli.run("exec", "web", "--", "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '").stdout:
        assert time.monotonic() < deadline


@pytest.mark.parametrize(("name", "words"), [("nobody", "no instance nobody: running are twin, twin, web"), ("twin", "2 running instances are named twin")])
def test_exec_of_an_instance_that_is_not_the_one(cli: Cli, name: str, words: str) -> None:
    code, line = cli.refused("exec", name, "--", "true")
    assert (code, words in line) == (2, True)


def test_plan_shows_the_network_and_no_secret(cli: Cli) -> None:
    plan = cli.json("plan")
    assert {namespace["name"].split("-")[0] for namespace in plan["namespaces"]} >= {"vpc"}
    text = cli.ok("plan")
    assert plan["instances"][0]["instance_id"] in text
    secret = cli.json("env")["AWS_SECRET_ACCESS_KEY"]
    assert secret not in text + json.dumps(plan)


def test_no_process_shows_a_secret(cli: Cli) -> None:
    """Neither of the region nor of the shell that started it: /proc shows every process's arguments, and each of them its variables."""
    iam = cli.client("iam")
    iam.create_user(UserName="alice")
    secrets = [iam.create_access_key(UserName="alice")["AccessKey"]["SecretAccessKey"], cli.json("env")["AWS_SECRET_ACCESS_KEY"], "of-the-host"]
    status = cli.json("status")
    pids = {status["holder_pid"], *processes_in(user_namespace(status["control_plane_pid"]))}
    assert len(pids) >= 7
    allowed = re.compile(r"HOME|USER|LOGNAME|LANG|LC_.*|TZ|TMPDIR|PATH|LD_LIBRARY_PATH|SSL_CERT_.*|PYTHON.*|COVERAGE_.*|LATTICEWALL_.*")
    for pid in pids:
        shown = Path(f"/proc/{pid}/cmdline").read_bytes().decode() + Path(f"/proc/{pid}/environ").read_bytes().decode()
        assert not [secret for secret in secrets if secret in shown], shown
    for name in ("control-plane", "names", "envoy"):
        (pid,) = [process["pid"] for process in status["processes"] if process["name"] == name]
        variables = Path(f"/proc/{pid}/environ").read_bytes().decode().rstrip("\0").split("\0")
        assert not [one for one in variables if not allowed.fullmatch(one.partition("=")[0])], name


def test_what_holds_secrets_is_its_owner_s_alone(cli: Cli) -> None:
    assert cli.state.stat().st_mode & 0o077 == 0
    files = [path for path in cli.state.rglob("*") if path.is_file() and "instances" not in path.parts]  # where instances read their own
    assert {"credentials.json", "region.db", "key.pem", "run.json"} <= {path.name for path in files}
    assert [path for path in files if path.stat().st_mode & 0o077] == []


def test_logs(cli: Cli) -> None:
    logs = cli.client("logs")
    logs.create_log_group(logGroupName="/test/one")
    logs.create_log_stream(logGroupName="/test/one", logStreamName="s")
    now = int(time.time() * 1000)
    events = [{"timestamp": now - 3_600_000, "message": "an hour ago"}, {"timestamp": now, "message": "just now"}]
    logs.put_log_events(logGroupName="/test/one", logStreamName="s", logEvents=events)
    assert [line.split("  ", 1)[1] for line in cli.ok("logs").splitlines()] == ["/test/one  an hour ago", "/test/one  just now"]
    shown = cli.ok("logs", "--group", "/test/one", "--since", "10m", "--output", "json").splitlines()
    assert [json.loads(line)["message"] for line in shown] == ["just now"]
    assert cli.refused("logs", "--group", "/test/none") == (2, "latticewall: log group /test/none: the specified log group does not exist.")


def test_deploy_creates_updates_and_explains(cli: Cli, tmp_path: Path) -> None:
    template = tmp_path / "one-vpc.yaml"
    template.write_text(TEMPLATE)
    created = cli.ok("deploy", str(template), "--parameter", "Cidr=10.78.0.0/16")
    assert "CREATE_COMPLETE" in created
    assert "stack one-vpc: CREATE_COMPLETE\n  Id = vpc-" in created
    assert "nothing to change" in cli.ok("deploy", str(template), "--parameter", "Cidr=10.78.0.0/16")
    done = cli.run("deploy", str(template), "--stack-name", "bad", "--parameter", "Cidr=10.78.0.0/8", "--output", "json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["status"]) == (1, "ROLLBACK_COMPLETE")
    assert "10.78.0.0/8" in answer["reasons"][0]
    assert cli.refused("deploy", str(template), "--stack-name", "bad")[0] == 1
    assert "cannot be read: No such file" in cli.refused("deploy", str(tmp_path / "none.yaml"))[1]


def test_a_service_that_is_deployed_answers_the_first_request(cli: Cli, tmp_path: Path) -> None:
    template = tmp_path / "shop.yaml"
    template.write_text(SERVED)
    cli.ok("exec", "web", "--", "sh", "-c", "setsid python3 -m http.server 8080 --directory /usr/share/doc >/dev/null 2>&1 &")
    silent = "import socket, time; listener = socket.create_server(('', 8081)); time.sleep(1000)"
    cli.ok("exec", "web", "--", "sh", "-c", f'setsid python3 -c "{silent}" >/dev/null 2>&1 &')
    cli.ok("exec", "web", "--", "sh", "-c", "for _ in $(seq 100); do curl -sf 127.0.0.1:8080 >/dev/null && exit; sleep 0.1; done; exit 1")
    ec2 = cli.client("ec2")
    (web,) = ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": ["web"]}])["Reservations"][0]["Instances"]
    from_lattice = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8081, "IpRanges": [{"CidrIp": "169.254.171.0/24"}]}
    ec2.authorize_security_group_ingress(GroupId=web["SecurityGroups"][0]["GroupId"], IpPermissions=[from_lattice])
    parameters = ("--parameter", f"Vpc={web['VpcId']}", "--parameter", f"Web={web['PrivateIpAddress']}")
    done = cli.run("deploy", str(template), *parameters, "--output", "json")
    answer = json.loads(done.stdout)
    assert cli.ok("exec", "web", "--", "curl", "-so", "/dev/null", "-w", "%{http_code}", answer["outputs"]["Name"]) == "200"
    assert "waiting for the first health check of" in done.stderr
    assert {(target["group"], target["port"]): target["status"] for target in answer["targets"]} == {("Shelf", 8080): "HEALTHY", ("Shelf", 8081): "UNHEALTHY"}
    again = cli.ok("deploy", str(template), *parameters)
    assert f"nothing to change\n  target {web['PrivateIpAddress']}:8081 of Shelf is UNHEALTHY: HealthCheckFailed\n  Name = " in again


def test_a_killed_control_plane_comes_back_and_instances_stay(cli: Cli) -> None:
    before = cli.json("status")
    os.kill(before["control_plane_pid"], signal.SIGKILL)
    after = cli.json("status")
    assert after["control_plane_pid"] != before["control_plane_pid"]
    names = ("i-", "names", "holder")
    kept = [{p["name"]: p["pid"] for p in answer["processes"] if p["name"].startswith(names)} for answer in (before, after)]
    assert kept[0] == kept[1]
    assert cli.json("wait")["applied"]


def test_down_leaves_nothing_running(cli: Cli) -> None:
    """Last: the region of this file ends here."""
    status = cli.json("status")
    namespace = user_namespace(status["holder_pid"])
    assert len(processes_in(namespace)) >= 4
    assert cli.json("down") == {"state": "down", "was_up": True, "purged": False, "left": []}
    assert processes_in(namespace) == []
    assert not (cli.state / "run").exists()
    assert not (cli.state / "run.json").exists()
    host, _, port = status["endpoint"].removeprefix("http://").rpartition(":")
    with socket.socket() as probe:
        assert probe.connect_ex((host, int(port))) != 0
    assert cli.json("down")["was_up"] is False


def test_purge_takes_all_of_the_region_and_nothing_else(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "state")
    cli.ok("up", "--detach", "--listen", "127.0.0.1:0")
    (cli.state / "notes").write_text("mine")
    try:
        assert cli.json("down", "--purge") == {"state": "down", "was_up": True, "purged": False, "left": ["notes"]}
    finally:
        cli.run("down", "--purge")
    (cli.state / "notes").unlink()
    assert cli.json("down", "--purge")["left"] == []
    assert not cli.state.exists()


def test_up_in_the_foreground_ends_by_a_signal(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "state")
    environment = {**os.environ, "LATTICEWALL_STATE": str(cli.state)}
    command = [*COMMAND, "up", "--open", "--listen", "127.0.0.1:0"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert running.stdout is not None
        assert running.stdout.readline().startswith("latticewall is up: http://127.0.0.1:")
        assert cli.json("status")["open"] is True
        running.send_signal(signal.SIGINT)
        _, remarks = running.communicate(timeout=SECONDS)
        assert "NO signature is checked" in remarks
        assert running.returncode == 0
        assert cli.run("status").returncode == 1
    finally:
        cli.run("down", "--purge")
        running.wait(SECONDS)
