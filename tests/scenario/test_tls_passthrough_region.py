"""A service whose TLS ends at its target, in a whole region: from the API to the packets, and who may connect."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from bench.region import Region, running, until

pytestmark = [pytest.mark.netns, pytest.mark.engines, pytest.mark.scenario, pytest.mark.timeout(180)]

NAME, PORT = "shop.example.com", 8443
LOGS = "/lattice/tls"
ALLOWED, OTHER, TARGET = "10.0.1.10", "10.0.1.11", "10.0.1.20"
"""Two clients in one VPC; the target is in another with the same range."""
SERVER = """
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
listener = socket.create_server(("", int(sys.argv[1])))
while True:
    connection, _ = listener.accept()
    try:
        connection.settimeout(5)
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(100)
            secure.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nshop")
    except OSError:
        pass
"""


def policy(**condition: Any) -> str:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "vpc-lattice-svcs:Connect", "Resource": "*", "Condition": condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass(frozen=True)
class Shop:
    """The region with the service in it. instances: by private address (the target's: "target")."""

    region: Region
    service: str
    instances: dict[str, str]
    certificate: Path

    def status(self, address: str) -> str:
        """curl's status code from the instance with that address, "000" when there is no connection. The target's certificate is verified."""
        verified = ("--cacert", str(self.certificate), "-o", "/dev/null", "-w", "%{http_code}")
        return self.region.run(self.instances[address], "curl", "-s", "-m", "5", *verified, f"https://{NAME}/").stdout

    def serving(self, folder: Path) -> list[str]:
        """The command line of the target's server."""
        return self.region.inside(self.instances["target"], sys.executable, "-c", SERVER, str(PORT), str(self.certificate), str(folder / "shop.key"))

    def require(self, text: str) -> None:
        lattice = self.region.client("vpc-lattice")
        lattice.put_auth_policy(resourceIdentifier=self.service, policy=text)
        lattice.update_service(serviceIdentifier=self.service, authType="AWS_IAM")
        self.region.settle()

    def logged(self) -> list[dict[str, Any]]:
        events = self.region.client("logs").filter_log_events(logGroupName=LOGS)["events"]
        return [json.loads(event["message"]) for event in events]


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with running() as region:
        folder = region.state.parent
        found = open_shop(region, folder)
        with subprocess.Popen(found.serving(folder), stdin=subprocess.DEVNULL) as server:
            until(lambda: found.status(ALLOWED) == "200")
            yield found
            server.kill()


def open_shop(region: Region, folder: Path) -> Shop:
    folder.chmod(0o755)
    certificate, key = folder / "shop.pem", folder / "shop.key"
    options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    subprocess.run(["openssl", "req", *options, "-out", certificate, "-keyout", key], check=True, capture_output=True)
    home, client = machines(region, {"target": TARGET}), machines(region, {ALLOWED: ALLOWED, OTHER: OTHER})
    region.client("ec2").modify_vpc_attribute(VpcId=client.vpc, EnableDnsHostnames={"Value": True})
    service = connect_service(region, home, client)
    region.settle()
    return Shop(region, service, {**home.instances, **client.instances}, certificate)


@dataclass(frozen=True)
class Home:
    vpc: str
    instances: dict[str, str]


def machines(region: Region, addresses: dict[str, str], ports: tuple[int, ...] = (PORT,)) -> Home:
    """A VPC with an instance at each address; its security group lets these ports in."""
    ec2 = region.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(VpcId=vpc, GroupName="tls", Description="tls")["GroupId"]
    for port in ports:
        ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=port, ToPort=port, CidrIp="0.0.0.0/0")
    image = ec2.describe_images()["Images"][0]
    size = "t4g.micro" if image["Architecture"] == "arm64" else "t3.micro"
    launch = {"ImageId": image["ImageId"], "InstanceType": size, "MinCount": 1, "MaxCount": 1, "SubnetId": subnet, "SecurityGroupIds": [group]}
    made = {name: ec2.run_instances(**launch, PrivateIpAddress=address)["Instances"][0]["InstanceId"] for name, address in addresses.items()}
    return Home(vpc, made)


def connect_service(region: Region, home: Home, client: Home) -> str:
    """The service with its TLS listener, in a network with the clients' VPC; its custom domain name leads to it; the service's id."""
    lattice, dns, logs = (region.client(name) for name in ("vpc-lattice", "route53", "logs"))
    network = lattice.create_service_network(name="mesh")["id"]
    lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=client.vpc)
    group = lattice.create_target_group(name="shop", type="INSTANCE", config={"port": PORT, "protocol": "TCP", "vpcIdentifier": home.vpc})["id"]
    service = lattice.create_service(name="shop", customDomainName=NAME)
    region.settle()
    lattice.register_targets(targetGroupIdentifier=group, targets=[{"id": home.instances["target"]}])
    action = {"forward": {"targetGroups": [{"targetGroupIdentifier": group}]}}
    lattice.create_listener(serviceIdentifier=service["id"], name="tls", protocol="TLS_PASSTHROUGH", defaultAction=action)
    lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=service["id"])
    logs.create_log_group(logGroupName=LOGS)
    arn = f"arn:aws:logs:{region.name}:{service['arn'].split(':')[4]}:log-group:{LOGS}"
    lattice.create_access_log_subscription(resourceIdentifier=service["id"], destinationArn=arn)
    zone = dns.create_hosted_zone(Name="example.com", CallerReference="1", VPC={"VPCRegion": region.name, "VPCId": client.vpc})["HostedZone"]["Id"]
    record = {"Name": NAME, "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": service["dnsEntry"]["domainName"]}]}
    dns.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]})
    return str(service["id"])


def test_the_clients_tls_ends_at_the_target(shop: Shop) -> None:
    """curl verifies the target's own certificate; the logs tell of the connection."""
    assert {shop.status(ALLOWED), shop.status(OTHER)} == {"200"}
    record = until(lambda: next((item for item in shop.logged() if item["sourceIpPort"].startswith(OTHER)), None))
    assert (record["listenerType"], record["serverNameIndication"], record["targetIpPort"]) == ("TLS_PASSTHROUGH", NAME, f"{TARGET}:{PORT}")
    assert (record["resolvedUser"], record["failureReason"]) == ("-", "-")
    told = shop.region.session.ask("explain", {"request_id": record["recordId"]})
    assert (told["verdict"], told["request"]["host"], told["request"]["port"]) == ("allowed", NAME, 443), told


def test_who_may_connect(shop: Shop) -> None:
    shop.require(policy(IpAddress={"aws:SourceIp": f"{ALLOWED}/32"}))
    assert (shop.status(ALLOWED), shop.status(OTHER)) == ("200", "000")
    record = until(lambda: next((item for item in shop.logged() if item["authDeniedReason"] == "Service"), None))
    assert record["sourceIpPort"].startswith(f"{OTHER}:")
    assert (record["resolvedUser"], record["failureReason"], record["targetIpPort"]) == ("Anonymous", "ClientAccessDenied", "-")
    told = shop.region.session.ask("explain", {"request_id": record["recordId"]})
    assert told["summary"].startswith("denied at service-policy"), told
    (gate,) = (gate for gate in told["gates"] if gate["name"] == "service-policy")
    assert gate["failed"] == [f"IpAddress: aws:SourceIp [{ALLOWED}/32], the request has '{OTHER}'"]
    shop.require(policy(StringEquals={"vpc-lattice-svcs:SourceVpc": "vpc-0123456789abcdef0"}))
    assert (shop.status(ALLOWED), shop.status(OTHER)) == ("000", "000")
    shop.require(policy(NumericEquals={"vpc-lattice-svcs:Port": "443"}))
    assert (shop.status(ALLOWED), shop.status(OTHER)) == ("200", "200")
