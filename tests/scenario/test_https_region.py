"""HTTPS listeners in a whole region: from the API to the packets, with curl, openssl and gRPC inside an instance."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from bench.region import Region, running, until
from cryptography import x509
from tests.scenario.test_tls_passthrough_region import machines

from latticewall.auth.sigv4 import Credentials, sign
from latticewall.base.secret import Secret

pytestmark = [pytest.mark.netns, pytest.mark.engines, pytest.mark.scenario, pytest.mark.timeout(240)]

SHOP, OTHER, RAW = "shop.example.com", "other.example.com", "raw.example.com"
"""Custom names: of the service with a certificate, of one without, and of one whose TLS ends at its target."""
LOGS = "/lattice/https"
SERVERS = Path(__file__).with_name("https_servers.py")
TLS12 = (
    "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-SHA", "AES128-GCM-SHA256", "AES128-SHA",
    "AES256-GCM-SHA384", "AES256-SHA",
)  # fmt: skip
"""The documented suites of TLS 1.2 in the server's order."""
TLS13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
NOT_OFFERED = ("ECDHE-RSA-CHACHA20-POLY1305", "DHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256", "AES128-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256")
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

        def found() -> dict[str, Any] | None:
            events = self.region.client("logs").filter_log_events(logGroupName=LOGS)["events"]
            records = [json.loads(event["message"]) for event in events]
            return next((record for record in reversed(records) if record["requestPath"] == path), None)

        return until(found)

    def self_signed(self, name: str) -> dict[str, bytes]:
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
        subprocess.run(["openssl", "req", *options, "-out", certificate, "-keyout", key], check=True, capture_output=True)
        return {"Certificate": certificate.read_bytes(), "PrivateKey": key.read_bytes()}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running() as region:
        folder = region.state.parent
        folder.chmod(0o755)
        found = build(region, folder)
        found.self_signed("target")
        shutil.copy(SERVERS, folder / "servers.py")
        serving = region.inside(found.target, sys.executable, str(folder / "servers.py"), str(folder / "target.pem"), str(folder / "target.key"))
        with subprocess.Popen(serving, stdin=subprocess.DEVNULL) as server:
            until(lambda: found.curl(f"https://{found.names['shop']}/")[1] == "200")
            yield found
            server.kill()


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


def test_both_names_are_served_with_certificates_that_instances_trust(site: Site) -> None:
    for name in (site.names["shop"], SHOP):
        assert site.curl(f"https://{name}/", "--http1.1") == ("1.1", "200")
        assert site.curl(f"https://{name}/", "--http2") == ("2", "200")
        assert site.curl(f"https://{name}/", "--no-alpn") == ("1.1", "200")
    got = site.echoed(f"https://{SHOP}/")
    assert (got["x-forwarded-proto"], got["x-forwarded-port"], got["host"]) == ("https", "443", SHOP)
    assert "x-amzn-lattice-version" not in got
    generated = site.handshake(site.names["shop"])
    assert f"subject=CN = *.{site.names['shop'].split('.', 1)[1]}" in generated
    assert f"subject=CN = {SHOP}" in site.handshake(SHOP)


@pytest.mark.parametrize("name", ["", "nobody.example.com", OTHER, "a.b.c.on.aws"])
def test_what_has_no_certificate_gets_no_handshake(site: Site, name: str) -> None:
    assert "no peer certificate available" in site.handshake(name)


def test_a_name_of_no_service_is_404(site: Site) -> None:
    unknown = f"nobody-0123.{site.names['shop'].split('.', 1)[1]}"
    address = ("--resolve", f"{unknown}:443:169.254.171.32")
    assert site.curl(f"https://{unknown}/", *address) == ("2", "404")


def test_three_protocols_share_a_port(site: Site) -> None:
    """HTTPS, HTTP and TLS_PASSTHROUGH, each of another service, all at 443."""
    assert site.curl(f"https://{SHOP}/")[1] == "200"
    assert site.curl(f"http://{OTHER}:443/") == ("1.1", "500")
    assert "subject=CN = target" in site.handshake(RAW)


def test_versions_and_suites_are_the_documented_ones(site: Site) -> None:
    assert site.suites("-tls1_2 -cipher", *TLS12, *NOT_OFFERED) == list(TLS12)
    assert site.suites("-tls1_3 -ciphersuites", *TLS13) == list(TLS13)
    shuffled = ":".join(reversed(TLS12))
    assert f"Cipher is {TLS12[0]}" in site.handshake(SHOP, "-tls1_2", "-cipher", shuffled)
    assert "Cipher is (NONE)" in site.handshake(SHOP, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    assert "ALPN protocol: h2" in site.handshake(SHOP, "-alpn", "http/1.1,h2")
    assert "ALPN protocol: http/1.1" in site.handshake(SHOP, "-alpn", "http/1.1")


@pytest.mark.parametrize(
    ("path", "options", "status"),
    [
        ("/", ("--http1.1",), "200"),
        ("/", ("--http2",), "200"),
        ("/secure", ("--http1.1",), "200"),
        ("/secure", ("--http2",), "200"),
        ("/two", ("--http1.1",), "400"),
        ("/api.parking/x", ("--http1.1",), "400"),
        ("/api.parking/x", ("--http1.1", "-d", "x"), "400"),
        ("/api.parking/x", ("--http2",), "400"),
    ],
)
def test_a_group_takes_what_it_speaks(site: Site, path: str, options: tuple[str, ...], status: str) -> None:
    assert site.curl(f"https://{SHOP}{path}", *options)[1] == status
    if status == "400":
        record = site.logged(path)
        assert (record["responseCode"], record["failureReason"], record["targetIpPort"]) == (400, "ClientProtocolError", "-")


def test_grpc_by_method(site: Site) -> None:
    rates, watch, missing, two, one = "/api.parking/GetRates", "/api.parking/Watch", "/api.parking/Nothing", "/two/x", "/plain/x"
    found = site.grpc(rates, watch, missing, two, one)
    assert json.loads(found[rates])["metadata"]["x-forwarded-proto"] == "https"
    assert found[watch] == ["0", "1", "2"]
    assert found[missing] == "NOT_FOUND"
    assert found[two] == "UNIMPLEMENTED"  # the target's own answer: groups of HTTP2 take gRPC
    assert found[one] == "INTERNAL"  # a group of HTTP1 does not
    record = site.logged(missing)
    assert (record["grpcResponseCode"], record["responseCode"], record["protocol"], record["requestMethod"]) == (5, 200, "HTTP/2", "POST")


def test_the_log_tells_of_the_tls(site: Site) -> None:
    site.curl(f"https://{SHOP}/told", "--http2", "--tls-max", "1.2")
    record = site.logged("/told")
    told = ("listenerType", "protocol", "serverNameIndication", "tlsVersion", "sslCipher", "responseCode", "hostHeader")
    assert [record[name] for name in told] == ["HTTPS", "HTTP/2", SHOP, "TLSv1.2", TLS12[0], 200, SHOP]
    site.curl(f"http://{SHOP}/plain")
    record = site.logged("/plain")
    assert [record[name] for name in told] == ["HTTP", "HTTP/1.1", "-", "-", "-", 200, SHOP]


def test_another_certificate_closes_no_connection(site: Site) -> None:
    """By re-import and by UpdateService: a connection that was there goes on, the next one is shown the new certificate."""
    first = site.serial(SHOP)
    imported = site.acm.import_certificate(**site.self_signed(SHOP))["CertificateArn"]
    keeping = subprocess.Popen(
        site.region.inside(site.client, sys.executable, "-c", KEEPING, SHOP), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )  # fmt: skip
    with keeping:
        assert keeping.stdin is not None
        assert keeping.stdout is not None
        assert keeping.stdout.readline() == "open\n"

        def asks() -> str:
            keeping.stdin.write("\n")  # type: ignore[union-attr] - see above
            return keeping.stdout.readline().strip()  # type: ignore[union-attr]

        assert asks() == "200 kept"
        site.lattice.update_service(serviceIdentifier=site.services["shop"], certificateArn=imported)
        site.region.settle()
        second = until(lambda: site.serial(SHOP) != first and site.serial(SHOP))
        assert second == site.acm.describe_certificate(CertificateArn=imported)["Certificate"]["Serial"]
        assert asks() == "200 kept"
        site.acm.import_certificate(CertificateArn=imported, **site.self_signed(SHOP))
        site.region.settle()
        third = until(lambda: site.serial(SHOP) != second and site.serial(SHOP))
        assert third == site.acm.describe_certificate(CertificateArn=imported)["Certificate"]["Serial"]
        assert asks() == "200 kept"
        keeping.stdin.close()


def test_changes_under_load_fail_no_request(site: Site) -> None:
    """Certificates, rules, targets and services come, change and go, and the control plane is killed, while requests go on."""
    words = site.region.inside(site.client, sys.executable, "-c", LOAD, site.names["shop"], SHOP)
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as loading:
        assert loading.stdin is not None
        assert loading.stdout is not None
        assert loading.stdout.readline() == "asking\n"
        for number in range(3):
            change_everything(site, f"load{number}")
            if number == 1:
                site.region.kill("control-plane")
                until(lambda: answers(site.region))
        loading.stdin.close()
        told = json.loads(loading.stdout.read())
    assert told["failures"] == []
    assert min(told["counts"]) > 20, told


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


def answers(region: Region) -> bool:
    try:
        return bool(region.client("vpc-lattice").list_services())
    except Exception:  # noqa: BLE001 - whatever a control plane that is away makes of it
        return False


def test_policies_and_signatures_are_as_with_http(site: Site) -> None:
    """aws:SecureTransport and the port; a signature over HTTP/1.1, HTTP/2."""
    secure = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}
    only_443 = {**secure, "Condition": {"NumericEquals": {"vpc-lattice-svcs:Port": "443"}}}
    signed = {**secure, "Condition": {"StringEquals": {"aws:PrincipalType": "User"}}}
    address, trust = site.names["shop"], ()
    site.lattice.update_service(serviceIdentifier=site.services["shop"], authType="AWS_IAM")
    try:
        for statement in (secure, only_443):
            allow(site, statement)
            assert [site.curl(f"{scheme}://{address}/", *trust)[1] for scheme in ("http", "https")] == ["403", "200"]
        allow(site, signed)
        iam = site.region.client("iam")
        iam.create_user(UserName="ann")
        allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "vpc-lattice-svcs:Invoke", "Resource": "*"}]}
        iam.put_user_policy(UserName="ann", PolicyName="invoke", PolicyDocument=json.dumps(allowed))
        key = iam.create_access_key(UserName="ann")["AccessKey"]
        site.region.settle()
        sigv4 = (f"aws:amz:{site.region.name}:vpc-lattice-svcs", f"{key['AccessKeyId']}:{key['SecretAccessKey']}")
        signing = ("--aws-sigv4", sigv4[0], "--user", sigv4[1], "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD")
        for version in ("--http1.1", "--http2"):
            assert site.curl(f"https://{address}/", version)[1] == "403"
            assert site.curl(f"https://{address}/", version, *signing)[1] == "200"
        assert "user/ann" in site.echoed(f"https://{address}/", *signing)["x-amzn-lattice-identity"]
        rates, credentials = "/api.parking/GetRates", Credentials(key["AccessKeyId"], Secret(key["SecretAccessKey"]))
        unsigned, scope = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, ("vpc-lattice-svcs", site.region.name, datetime.now(UTC))
        headers = sign("POST", f"https://{address}{rates}", unsigned, credentials, *scope, payload_hash="UNSIGNED-PAYLOAD")
        metadata = {name.lower(): value for name, value in headers.items() if name.lower() != "host"}
        assert "user/ann" in json.loads(site.grpc(rates, metadata=metadata)[rates])["metadata"]["x-amzn-lattice-identity"]
        assert site.grpc("/api.parking/Denied") == {"/api.parking/Denied": "PERMISSION_DENIED"}
        record = site.logged("/api.parking/Denied")
        assert (record["grpcResponseCode"], record["failureReason"], record["resolvedUser"]) == (7, "ClientAccessDenied", "Anonymous")
    finally:
        site.lattice.update_service(serviceIdentifier=site.services["shop"], authType="NONE")
        site.region.settle()


def allow(site: Site, statement: dict[str, Any]) -> None:
    site.lattice.put_auth_policy(resourceIdentifier=site.services["shop"], policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    site.region.settle()


def test_no_file_log_or_answer_of_the_region_holds_a_private_key(site: Site) -> None:
    """But the database and the authority's own file, which only the region's user can read."""
    state = site.folder / "state"
    holding = [path.name for path in state.rglob("*") if path.is_file() and not path.is_symlink() and b"PRIVATE KEY" in path.read_bytes()]
    assert set(holding) <= {"region.db", "region.db-wal", "key.pem"}
    for name in holding:
        for path in state.rglob(name):
            assert path.stat().st_mode & 0o077 == 0, path
    assert "PRIVATE KEY" not in site.region.cli("plan", "--output", "json").stdout
