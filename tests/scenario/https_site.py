"""A region with HTTPS services, and those who ask them from inside an instance: curl, openssl, gRPC and programs of our own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.region import Region, until
from cryptography import x509
from tests.scenario.test_tls_passthrough_region import machines

SHOP, OTHER, RAW = "shop.example.com", "other.example.com", "raw.example.com"
"""Custom names: of the service with a certificate, of one without, and of one whose TLS ends at its target."""
LOGS = "/lattice/https"
GRPC_CLIENT = """
import grpc, json, sys
channel = grpc.secure_channel(sys.argv[1], grpc.ssl_channel_credentials())
found = {}
metadata = tuple(json.loads(sys.argv[2]).items())
for method in sys.argv[3:]:
    try:
        call = channel.unary_stream if method.endswith("Watch") else channel.unary_unary
        answer = call(method)(b"3", timeout=10, metadata=metadata)
        found[method] = [item.decode() for item in answer] if method.endswith("Watch") else answer.decode()
    except grpc.RpcError as error:
        found[method] = error.code().name
print(json.dumps(found))
"""
KEEPING = """
import json, socket, ssl, sys
context = ssl.create_default_context()
secure = context.wrap_socket(socket.create_connection((sys.argv[1], 443)), server_hostname=sys.argv[1])
stream = secure.makefile("rb")
print("open", flush=True)
for line in sys.stdin:
    secure.sendall(f"GET / HTTP/1.1\\r\\nHost: {sys.argv[1]}\\r\\n\\r\\n".encode())
    status, length, ending = stream.readline().split()[1].decode(), 0, "kept"
    while (header := stream.readline().strip().lower()):
        length = int(header.split(b":")[1]) if header.startswith(b"content-length:") else length
        ending = "closed" if header == b"connection: close" else ending
    stream.read(length)
    print(status, ending, flush=True)
"""
"""One connection, on which a request is sent for each line of input."""

LOAD = """
import http.client, json, ssl, sys, threading
import grpc
name, custom = sys.argv[1:]
context, over, counts, failures = ssl.create_default_context(), threading.Event(), [0, 0, 0], []
unchecked = ssl._create_unverified_context()

def fresh():
    connection = http.client.HTTPSConnection(custom, context=unchecked, timeout=10)
    connection.request("GET", "/")
    status = connection.getresponse().status
    connection.close()
    return status

kept = http.client.HTTPSConnection(name, context=context, timeout=10)
def keeping():
    kept.request("GET", "/")
    answer = kept.getresponse()
    answer.read()  # http.client opens another connection where the answer says that this one ends
    return answer.status

channel = grpc.secure_channel(f"{name}:443", grpc.ssl_channel_credentials())
def calling():
    return 200 if channel.unary_unary("/api.parking/GetRates")(b"x", timeout=10) else 0

def work(number, ask):
    while not over.is_set():
        try:
            status = ask()
        except Exception as error:
            status = repr(error)
        counts[number] += 1
        if status != 200:
            failures.append([ask.__name__, status])

threads = [threading.Thread(target=work, args=pair) for pair in enumerate((fresh, keeping, calling))]
for thread in threads:
    thread.start()
print("asking", flush=True)
sys.stdin.read()
over.set()
for thread in threads:
    thread.join()
print(json.dumps({"counts": counts, "failures": failures}))
"""
"""Requests on new connections (by the custom name), on one kept connection, and by gRPC, until the input ends."""


@dataclass
class Site:
    """The region with the services in it: `client` asks, `target` serves. names: generated names by service. listeners: by service."""

    region: Region
    folder: Path
    client: str
    target: str
    services: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)

    @cached_property
    def lattice(self) -> Any:
        return self.region.client("vpc-lattice")

    @cached_property
    def acm(self) -> Any:
        return self.region.client("acm")

    def curl(self, url: str, *options: str) -> tuple[str, str]:
        """The HTTP version and the status ("0", "000" without an answer) of a request of curl, which trusts what instances trust."""
        words = ("curl", "-s", "-m", "8", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", *options, url)
        version, _, status = self.region.run(self.client, *words).stdout.partition(" ")
        return version, status

    def echoed(self, url: str, *options: str) -> dict[str, str]:
        """The headers that the target got."""
        found: dict[str, str] = json.loads(self.region.run(self.client, "curl", "-s", "-m", "8", *options, url).stdout)
        return found

    def handshake(self, name: str, *options: str, port: int = 443) -> str:
        """What openssl says of a connection."""
        words = ("openssl", "s_client", "-connect", f"{self.names['shop']}:{port}", *(("-servername", name) if name else ("-noservername",)), *options)
        shell = 'echo | "$@" 2>&1'
        return self.region.run(self.client, "sh", "-c", shell, "sh", *words).stdout

    def suites(self, option: str, *tried: str) -> list[str]:
        """Those of the suites with which a connection to SHOP came about."""
        connect = f"openssl s_client -connect {SHOP}:443 -servername {SHOP} {option} $suite"
        shell = f'for suite in "$@"; do echo | {connect} 2>&1 | grep -q "Cipher is $suite" && echo $suite; done'
        return self.region.run(self.client, "sh", "-c", shell, "sh", *tried).stdout.split()

    def serial(self, name: str) -> str:
        """The serial number of the certificate that is shown for a name, as ACM writes it; "" for none."""
        text = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", self.handshake(name, "-showcerts"), re.DOTALL)
        if text is None:
            return ""
        digits = f"{x509.load_pem_x509_certificate(text[0].encode()).serial_number:x}"
        digits = digits.zfill(len(digits) + len(digits) % 2)
        return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))

    def grpc(self, *methods: str, metadata: dict[str, str] | None = None) -> dict[str, Any]:
        words = (f"{self.names['shop']}:443", json.dumps(metadata or {}), *methods)
        done = self.region.run(self.client, sys.executable, "-c", GRPC_CLIENT, *words)
        found: dict[str, Any] = json.loads(done.stdout or "{}")
        assert found, done.stderr
        return found

    def logged(self, path: str) -> dict[str, Any]:
        """The last record of a request to a path, when there is one."""

        return until(lambda: next(reversed(self.records(path)), None))

    def records(self, path: str) -> list[dict[str, Any]]:
        """The records so far of requests to a path: of how many others, the load of other tests decides."""
        pages = self.region.client("logs").get_paginator("filter_log_events").paginate(logGroupName=LOGS, filterPattern=f'{{ $.requestPath = "{path}" }}')
        return [json.loads(event["message"]) for page in pages for event in page["events"]]

    def self_signed(self, name: str) -> dict[str, bytes]:
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
        subprocess.run(["openssl", "req", *options, "-out", certificate, "-keyout", key], check=True, capture_output=True)
        return {"Certificate": certificate.read_bytes(), "PrivateKey": key.read_bytes()}


def build(region: Region, folder: Path) -> Site:
    ec2, lattice = (region.client(name) for name in ("ec2", "vpc-lattice"))
    home, clients = machines(region, {"target": "10.0.1.20"}, (8080, 8443, 9090)), machines(region, {"client": "10.0.1.10"})
    ec2.modify_vpc_attribute(VpcId=clients.vpc, EnableDnsHostnames={"Value": True})
    site = Site(region, folder, clients.instances["client"], home.instances["target"])
    network = lattice.create_service_network(name="mesh")["id"]
    lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=clients.vpc)
    for name, config in {
        "plain": {"port": 8080, "protocol": "HTTP"}, "secure": {"port": 8443, "protocol": "HTTPS"},
        "two": {"port": 9090, "protocol": "HTTP", "protocolVersion": "HTTP2"}, "parking": {"port": 9090, "protocol": "HTTP", "protocolVersion": "GRPC"},
        "raw": {"port": 8443, "protocol": "TCP"},
    }.items():  # fmt: skip
        site.groups[name] = lattice.create_target_group(name=name, type="INSTANCE", config={**config, "vpcIdentifier": home.vpc})["id"]
    region.settle()
    for group in site.groups.values():
        lattice.register_targets(targetGroupIdentifier=group, targets=[{"id": site.target}])
    certificate = validated(region)
    for name, more in {
        "shop": {"customDomainName": SHOP, "certificateArn": certificate}, "other": {"customDomainName": OTHER}, "raw": {"customDomainName": RAW},
    }.items():  # fmt: skip
        service = lattice.create_service(name=name, **more)
        site.services[name], site.names[name] = service["id"], service["dnsEntry"]["domainName"]
        lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=service["id"])
    rules = {"/secure": "secure", "/two": "two", "/api.parking/": "parking"}
    listener = lattice.create_listener(serviceIdentifier=site.services["shop"], name="https", protocol="HTTPS", defaultAction=forward(site, "plain"))["id"]
    for number, (path, group) in enumerate(rules.items(), 1):
        match = {"httpMatch": {"pathMatch": {"match": {"prefix": path}}}}
        lattice.create_rule(
            serviceIdentifier=site.services["shop"], listenerIdentifier=listener, name=f"rule{number}", priority=number, match=match,
            action=forward(site, group),
        )  # fmt: skip
    lattice.create_listener(serviceIdentifier=site.services["shop"], name="http", protocol="HTTP", defaultAction=forward(site, "plain"))
    fixed = {"fixedResponse": {"statusCode": 500}}
    lattice.create_listener(serviceIdentifier=site.services["other"], name="http", protocol="HTTP", port=443, defaultAction=fixed)
    lattice.create_listener(serviceIdentifier=site.services["raw"], name="tls", protocol="TLS_PASSTHROUGH", defaultAction=forward(site, "raw"))
    region.client("logs").create_log_group(logGroupName=LOGS)
    account = certificate.split(":")[4]
    lattice.create_access_log_subscription(
        resourceIdentifier=site.services["shop"], destinationArn=f"arn:aws:logs:{region.name}:{account}:log-group:{LOGS}"
    )  # fmt: skip
    point(region, clients.vpc, {SHOP: site.names["shop"], OTHER: site.names["other"], RAW: site.names["raw"]})
    region.settle()
    return site


def forward(site: Site, group: str) -> dict[str, Any]:
    return {"forward": {"targetGroups": [{"targetGroupIdentifier": site.groups[group]}]}}


def validated(region: Region) -> str:
    """A certificate of the region's authority for SHOP, validated by its record in a public zone; its ARN."""
    acm, dns = region.client("acm"), region.client("route53")
    arn = acm.request_certificate(DomainName=SHOP, ValidationMethod="DNS")["CertificateArn"]
    record = acm.describe_certificate(CertificateArn=arn)["Certificate"]["DomainValidationOptions"][0]["ResourceRecord"]
    zone = dns.create_hosted_zone(Name="example.com", CallerReference="public")["HostedZone"]["Id"]
    change = {"Name": record["Name"], "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": record["Value"]}]}
    dns.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": change}]})
    acm.get_waiter("certificate_validated").wait(CertificateArn=arn, WaiterConfig={"Delay": 1, "MaxAttempts": 3})
    return str(arn)


def point(region: Region, vpc: str, names: dict[str, str]) -> None:
    dns = region.client("route53")
    zone = dns.create_hosted_zone(Name="example.com", CallerReference="private", VPC={"VPCRegion": region.name, "VPCId": vpc})["HostedZone"]["Id"]
    records = [{"Name": name, "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": value}]} for name, value in names.items()]
    dns.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record} for record in records]})


def change_everything(site: Site, word: str) -> None:
    """Another certificate for SHOP, a rule that comes and goes, a target that leaves and returns, a service with a name of its own that comes and goes."""
    lattice, shop, name = site.lattice, site.services["shop"], f"{word}.example.com"
    another = site.acm.import_certificate(**site.self_signed(SHOP))["CertificateArn"]
    network = lattice.list_service_networks()["items"][0]["id"]
    listener = next(item["id"] for item in lattice.list_listeners(serviceIdentifier=shop)["items"] if item["protocol"] == "HTTPS")
    where, target = {"serviceIdentifier": shop, "listenerIdentifier": listener}, {"targetGroupIdentifier": site.groups["secure"]}
    lattice.update_service(serviceIdentifier=shop, certificateArn=another)
    rule = lattice.create_rule(**where, name=word, priority=50, match={"httpMatch": {"method": "PUT"}}, action=forward(site, "plain"))["id"]
    certificate = site.acm.import_certificate(**site.self_signed(name))["CertificateArn"]
    service = lattice.create_service(name=word, customDomainName=name, certificateArn=certificate)["id"]
    fixed = {"fixedResponse": {"statusCode": 404}}
    lattice.create_listener(serviceIdentifier=service, name="https", protocol="HTTPS", defaultAction=fixed)
    joined = lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=service)["id"]
    lattice.deregister_targets(**target, targets=[{"id": site.target}])
    site.region.settle()
    assert f"subject=CN = {name}" in site.handshake(name)
    lattice.register_targets(**target, targets=[{"id": site.target}])
    lattice.delete_rule(**where, ruleIdentifier=rule)
    lattice.delete_service_network_service_association(serviceNetworkServiceAssociationIdentifier=joined)
    site.region.settle()


def allow(site: Site, statement: dict[str, Any]) -> None:
    site.lattice.put_auth_policy(resourceIdentifier=site.services["shop"], policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    site.region.settle()


def answers(region: Region) -> bool:
    try:
        return bool(region.client("vpc-lattice").list_services())
    except Exception:  # noqa: BLE001 - whatever a control plane that is away makes of it
        return False
