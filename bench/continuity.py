"""Requests without a pause while everything about their service changes: rules, targets, policies, certificates. None may fail that AWS would not have failed.

Two clients keep a connection each (HTTP and HTTPS), one opens a connection for every HTTPS request. Every change leaves the service able to answer: two target
groups take turns, a target is registered before another is deregistered, policies always allow the request.
"""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bench.plain_envoy import upstream_script
from bench.region import Region, until
from bench.table import Figure, Section

SECONDS = 60
NAME = "changing.example.com"
_ADDRESS = "169.254.171.32"
_PORT = 8080
_SERVERS = ("10.1.0.10", "10.1.0.11")
WAYS = ("HTTP", "HTTPS", "HTTPS, a connection each")
_ASK = """
import http.client, json, ssl, sys, threading, time
address, name, way = sys.argv[1:]
unchecked = ssl._create_unverified_context()
over, count, failures = threading.Event(), 0, []

class Secure(http.client.HTTPConnection):
    default_port = 443

    def connect(self):
        super().connect()
        self.sock = unchecked.wrap_socket(self.sock, server_hostname=name)

def wait():
    sys.stdin.readline()
    over.set()

threading.Thread(target=wait, daemon=True).start()
kind = http.client.HTTPConnection if way == "HTTP" else Secure
connection = kind(address, timeout=10)
while not over.is_set():
    try:
        connection.request("GET", "/", headers={"host": name})
        answer = connection.getresponse()
        answer.read()
        status = answer.status
    except Exception as error:
        status = repr(error)
        connection.close()
    if count == 0:
        print("begun", flush=True)
    count += 1
    if status != 200:
        failures.append(status)
    if way.endswith("each"):
        connection.close()
    time.sleep(0.001)
print(json.dumps([count, failures]))
"""


@dataclass
class Outcome:
    """requests: by way. failures: (way, status or error). changes: by kind."""

    requests: dict[str, int]
    failures: list[tuple[str, Any]]
    changes: Counter[str]


@dataclass
class Changing:
    """A service whose parts change. groups: two target groups."""

    region: Region
    seed: int = 1
    client: str = ""
    service: str = ""
    listeners: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    rules: list[tuple[str, str]] = field(default_factory=list)
    certificate: str = ""
    made: int = 0

    def build(self) -> None:
        """A client and two servers, and a service between them."""
        self._random = random.Random(self.seed)
        self._lattice, self._acm, ec2 = self.region.client("vpc-lattice"), self.region.client("acm"), self.region.client("ec2")
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        machines = {"10.0.0.10": "", **dict.fromkeys(_SERVERS, upstream_script())}
        vpcs = [ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"] for number in range(2)]
        subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.{number}.0.0/24")["Subnet"]["SubnetId"] for number, vpc in enumerate(vpcs)]
        for number, vpc in enumerate(vpcs):
            group = ec2.create_security_group(GroupName="open", Description="open", VpcId=vpc)["GroupId"]
            ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
            for address, data in machines.items():
                if address.startswith(f"10.{number}."):
                    made = ec2.run_instances(
                        ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnets[number], PrivateIpAddress=address, SecurityGroupIds=[group], UserData=data
                    )  # fmt: skip
                    self.client = self.client or made["Instances"][0]["InstanceId"]
        self._service(vpcs)
        until(lambda: self.region.run(self.client, "curl", "-sfo", "/dev/null", "-H", f"host: {NAME}", f"http://{_ADDRESS}/").returncode == 0, 30)

    def _service(self, vpcs: list[str]) -> None:
        lattice = self._lattice
        network = lattice.create_service_network(name="changing", authType="NONE")["id"]
        config = {"port": _PORT, "protocol": "HTTP", "vpcIdentifier": vpcs[1], "healthCheck": {"enabled": False}}
        self.groups = [lattice.create_target_group(name=f"changing-{number}", type="IP", config=config)["id"] for number in range(2)]
        self.certificate = self._acm.import_certificate(**_self_signed())["CertificateArn"]
        made = lattice.create_service(name="changing", authType="AWS_IAM", customDomainName=NAME, certificateArn=self.certificate)
        self.service = made["id"]
        self.region.settle()
        for group in self.groups:
            lattice.register_targets(targetGroupIdentifier=group, targets=[{"id": address, "port": _PORT} for address in _SERVERS])
        self.policy()
        for protocol, port in (("HTTP", 80), ("HTTPS", 443)):
            listener = lattice.create_listener(
                serviceIdentifier=self.service, name=protocol.lower(), protocol=protocol, port=port, defaultAction=self._action()
            )  # fmt: skip
            self.listeners.append(listener["id"])
        lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=vpcs[0])
        lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=self.service)
        self.region.settle()

    @property
    def changes(self) -> dict[str, Callable[[], Any]]:
        return {"rule made": self.rule, "rule deleted": self.end_rule, "default action": self.weights, "targets": self.targets, "policy": self.policy,
                "certificate": self.replace_certificate}  # fmt: skip

    def change(self) -> str:
        """One of them; its name."""
        name = self._random.choice(sorted(self.changes))
        self.made += 1
        self.changes[name]()
        return name

    def _action(self) -> dict[str, Any]:
        weights = self._random.choice([(1, 0), (0, 1), (30, 70)])
        return {"forward": {"targetGroups": [{"targetGroupIdentifier": one, "weight": weight} for one, weight in zip(self.groups, weights, strict=True)]}}

    def rule(self) -> None:
        """One that every request meets, and goes elsewhere by."""
        if len(self.rules) < 4:
            listener = self._random.choice(self.listeners)
            made = self._lattice.create_rule(
                serviceIdentifier=self.service, listenerIdentifier=listener, name=f"made-{self.made}", priority=self.made % 100 + 1,
                match={"httpMatch": {"pathMatch": {"match": {"prefix": "/"}}}}, action=self._action(),
            )  # fmt: skip
            self.rules.append((listener, made["id"]))

    def end_rule(self) -> None:
        if self.rules:
            listener, rule = self.rules.pop(0)
            self._lattice.delete_rule(serviceIdentifier=self.service, listenerIdentifier=listener, ruleIdentifier=rule)

    def weights(self) -> None:
        listener = self._random.choice(self.listeners)
        self._lattice.update_listener(serviceIdentifier=self.service, listenerIdentifier=listener, defaultAction=self._action())

    def targets(self) -> None:
        """One of two targets goes, and comes back when it has drained far enough to be registered."""
        group, address = self._random.choice(self.groups), self._random.choice(_SERVERS)
        target = [{"id": address, "port": _PORT}]
        left = self._lattice.list_targets(targetGroupIdentifier=group)["items"]
        if len([item for item in left if item["status"] != "DRAINING"]) > 1:
            self._lattice.deregister_targets(targetGroupIdentifier=group, targets=target)
        else:
            self._lattice.register_targets(targetGroupIdentifier=group, targets=[{"id": one, "port": _PORT} for one in _SERVERS])

    def policy(self) -> None:
        allow = {"Effect": "Allow", "Principal": "*", "Action": "vpc-lattice-svcs:Invoke", "Resource": "*"}
        never = {"Effect": "Deny", "Principal": "*", "Action": "vpc-lattice-svcs:Invoke", "Resource": f"*/never-{self.made}"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow, never]})
        self._lattice.put_auth_policy(resourceIdentifier=self.service, policy=policy)

    def replace_certificate(self) -> None:
        self._acm.import_certificate(CertificateArn=self.certificate, **_self_signed())

    @contextmanager
    def asked(self, outcome: Outcome) -> Iterator[None]:
        """Requests all the while, in each of WAYS; what came of them is in `outcome` afterwards."""
        with ExitStack() as stack:
            asking = {}
            for way in WAYS:
                command = self.region.inside(self.client, "python3", "-c", _ASK, _ADDRESS, NAME, way)
                asking[way] = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
                stack.callback(asking[way].kill)
            for process in asking.values():
                assert process.stdout is not None
                process.stdout.readline()
            yield
            for way, process in asking.items():
                found, _ = process.communicate("over\n", timeout=30)
                outcome.requests[way], failures = json.loads(found)
                outcome.failures += [(way, status) for status in failures]

    def run(self, going: Callable[[int, float], bool]) -> Outcome:
        """Changes, as long as going(changes made, seconds) says so."""
        outcome = Outcome({}, [], Counter())
        with self.asked(outcome):
            began = time.monotonic()
            while going(outcome.changes.total(), time.monotonic() - began):
                outcome.changes[self.change()] += 1
            self.region.settle(60)
        return outcome


def continuity(region: Region) -> Section:
    """SECONDS of changes, one after the other as fast as they are acknowledged."""
    changing = Changing(region)
    changing.build()
    outcome = changing.run(lambda _, seconds: seconds < SECONDS)
    requests = sum(outcome.requests.values())
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(outcome.changes.items()))
    figures = (
        Figure("requests", requests, "requests", requests, "all"),
        Figure("changes", outcome.changes.total(), "changes", outcome.changes.total(), "all"),
        Figure("failed requests", float(len(outcome.failures)), "requests", requests, "all"),
    )
    how = (
        f"{SECONDS} s of changes of one service, one after the other as fast as they are acknowledged, while three clients ask without a pause: one connection "
        f"kept (HTTP), one kept (HTTPS), and one for each request (HTTPS). Every change leaves the service able to answer ({kinds})."
    )
    return Section("Changes under load", how, figures)


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _self_signed() -> dict[str, bytes]:
    """Certificate and PrivateKey of a new one, whose key is always the same: making one takes long."""
    key, name, now = _key(), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)]), datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=100))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {"Certificate": builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM), "PrivateKey": private}
