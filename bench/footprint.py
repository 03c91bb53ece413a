"""Memory of every process, rounds of the reconcile loop, and how long starting, deploying and stopping take."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from bench.architecture import Architecture
from bench.plain_envoy import PlainEnvoy
from bench.region import Region, until
from bench.table import Figure, Section
from latticewall.faces.cli.commands.status import resident_bytes

ROOT = Path(__file__).parents[1]
_ROUNDS = 5


def memory(region: Region, built: Architecture, peer: PlainEnvoy) -> Section:
    """Resident memory, measured while the architecture is up and has carried the load of the tables above."""
    names = {f"suricata-{built.endpoint}": "suricata (one per firewall endpoint)", built.instances["client"]: "init of an instance"}
    python, envoy = _bare_python(), _megabytes(peer.pid)
    figures = [Figure("holder", _megabytes(region.holder), "MiB", python, "bare Python")]
    for name, process in region.processes().items():
        if name.startswith("i-") and name not in names:
            continue
        peers = (envoy, "plain Envoy") if name == "envoy" else (None, "") if name.startswith("suricata") else (python, "bare Python")
        figures.append(Figure(names.get(name, name), _megabytes(int(process["pid"])), "MiB", *peers))
    how = "VmRSS, pages shared with others counted in each; after the load above, with 3 VPCs, 4 instances, one firewall endpoint, one service, one resource."
    return Section("Memory", how, tuple(figures))


def rounds(region: Region, built: Architecture) -> Section:
    """How long the reconcile loop takes, as it measures itself."""
    ec2 = region.client("ec2")
    group = built.groups["plain-client"]
    unchanged, changed = [], []
    for number in range(_ROUNDS):
        ec2.create_tags(Resources=[built.vpcs["clients"]], Tags=[{"Key": "round", "Value": str(number)}])
        region.settle()
        unchanged.append(region.status()["round_seconds"] * 1000)
        permission = [{"IpProtocol": "udp", "FromPort": 1000 + number, "ToPort": 1000 + number, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=permission)
        region.settle()
        changed.append(region.status()["round_seconds"] * 1000)
    figures = (
        Figure("a plan that is as before", median(unchanged), "ms", median(unchanged), "unchanged round"),
        Figure("one security group rule more", median(changed), "ms", median(unchanged), "unchanged round"),
    )
    how = (
        "One round compiles the whole region, looks at every process and at the namespaces that differ from the last revision's, and acts on what differs; "
        "every ten seconds all namespaces are looked at."
    )
    return Section("Rounds of the reconcile loop", how, figures)


def starting(folder: Path, peer: PlainEnvoy) -> Section:
    """A fresh region of its own, with the walkthrough's combined architecture."""
    region = Region(folder / "combined")
    up = region.up()
    try:
        started = time.monotonic()
        template = ROOT / "examples" / "walkthrough" / "combined.yaml"
        done = region.cli("deploy", str(template), "--parameter", f"ServersPath={template.parent / 'servers'}", seconds=180)
        if done.returncode:
            raise RuntimeError(f"deploy: {done.stderr}{done.stdout}")
        deployed = time.monotonic() - started
        resources = len(region.client("cloudformation").describe_stack_resources(StackName="combined")["StackResources"])
        region.settle()
        down = region.down()
        again = region.up()
        resumed = again + until(lambda: _settled(region), 60)
    finally:
        stop = region.down("--purge")
    name, answered = "plain Envoy", peer.started_in
    figures = (
        Figure("plain Envoy, started until it answers", answered, "s", answered, name),
        Figure("`latticewall up`, an empty region", up, "s", answered, name),
        Figure(f"`latticewall deploy combined.yaml` ({resources} resources)", deployed, "s", answered, name),
        Figure("`latticewall down` of it", down, "s", answered, name),
        Figure("`latticewall up` of it, until all is applied again", resumed, "s", answered, name),
        Figure("`latticewall down --purge` of it", stop, "s", answered, name),
    )
    return Section("Starting and stopping", "Wall-clock time of the command, once each.", figures)


def _settled(region: Region) -> float:
    """Seconds until everything is applied (at least a moment, so that it is true)."""
    return max(region.settle(60), 1e-3)


def _megabytes(pid: int) -> float:
    return (resident_bytes(pid) or 0) / 2**20


def _bare_python() -> float:
    """What a Python interpreter takes that does nothing."""
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        size = _megabytes(process.pid)
        process.kill()
    return size
