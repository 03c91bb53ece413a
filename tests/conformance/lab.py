"""Short words for building with boto3 and asking from inside instances. Nothing here knows latticewall's insides: what AWS's clients see is all there is."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from bench.region import Region, until

_SERVER = """#!/usr/bin/env python3
import http.server, json, socketserver, threading
NAME, HTTP, TCP = {name!r}, {http!r}, {tcp!r}
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def answer(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        about = {{"name": NAME, "client": self.client_address[0], "method": self.command, "path": self.path, "headers": dict(self.headers),
                 "sent": self.headers.items()}}
        body = json.dumps(about).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer
    def address_string(self):
        return self.client_address[0]
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(b"%s %s %s" % (NAME.encode(), self.client_address[0].encode(), line))
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer.daemon_threads = True
servers = [http.server.ThreadingHTTPServer(("0.0.0.0", port), Answer) for port in HTTP]
servers += [socketserver.ThreadingTCPServer(("0.0.0.0", port), Echo) for port in TCP]
threads = [threading.Thread(target=server.serve_forever) for server in servers]
[thread.start() for thread in threads]
"""
_TALK = """
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[4]))
connection.sendall(sys.argv[3].encode() + b"\\n")
print(connection.makefile().readline().strip())
"""

_SIGN = """
import sys, urllib.request
import botocore.auth, botocore.awsrequest, botocore.session
url, region, method = sys.argv[1:4]
request = botocore.awsrequest.AWSRequest(method, url, headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
credentials = botocore.session.Session().get_credentials()
botocore.auth.SigV4Auth(credentials, "vpc-lattice-svcs", region).add_auth(request)
prepared = request.prepare()
try:
    answer = urllib.request.urlopen(urllib.request.Request(url, headers=dict(prepared.headers), method=method), timeout=5)
except urllib.error.HTTPError as refusal:
    answer = refusal
print(answer.read().decode())
print(answer.status)
"""


def server(name: str, http: Sequence[int] = (), tcp: Sequence[int] = ()) -> str:
    """A boot script that serves HTTP (JSON about the request; its headers by name, and as sent) and TCP (`name client-address line`, line by line) on these
    ports."""
    return _SERVER.format(name=name, http=list(http), tcp=list(tcp))


class Lab:
    """A region and short words for it. zone(letter): an Availability Zone's name."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.ec2 = region.client("ec2")
        self.image = self.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]

    def client(self, service: str) -> Any:
        return self.region.client(service)

    def zone(self, letter: str) -> str:
        return self.region.name + letter

    # -- building ---------------------------------------------------------------------------------------------------------------------

    def vpc(self, cidr: str) -> str:
        return str(self.ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"])

    def subnet(self, vpc: str, cidr: str, letter: str = "a") -> str:
        return str(self.ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=self.zone(letter))["Subnet"]["SubnetId"])

    def group(self, vpc: str, name: str, *permissions: Mapping[str, Any]) -> str:
        """A security group whose ingress is `permissions`."""
        made = str(self.ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"])
        if permissions:
            self.ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=list(permissions))
        return made

    def instance(self, name: str, subnet: str, address: str = "", groups: Sequence[str] = (), script: str = "", **more: Any) -> str:
        if address:
            more["PrivateIpAddress"] = address
        if groups:
            more["SecurityGroupIds"] = list(groups)
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}]
        made = self.ec2.run_instances(ImageId=self.image, MinCount=1, MaxCount=1, SubnetId=subnet, UserData=script, TagSpecifications=tags, **more)
        return str(made["Instances"][0]["InstanceId"])

    def running(self, *instances: str) -> None:
        self.ec2.get_waiter("instance_running").wait(InstanceIds=list(instances), WaiterConfig={"Delay": 1})

    def route_table(self, vpc: str, subnets: Sequence[str], **destinations: Any) -> str:
        """A table for the subnets. destinations: cidr -> next hop, as keyword `routes`."""
        table = str(self.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"])
        for cidr, hop in destinations.get("routes", {}).items():
            self.ec2.create_route(RouteTableId=table, DestinationCidrBlock=cidr, **hop)
        for subnet in subnets:
            self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        return table

    def transit_gateway(self, **options: str) -> str:
        made = str(self.ec2.create_transit_gateway(Options=options)["TransitGateway"]["TransitGatewayId"])
        until(lambda: self.ec2.describe_transit_gateways(TransitGatewayIds=[made])["TransitGateways"][0]["State"] == "available")
        return made

    def transit_gateway_table(self, gateway: str) -> dict[str, str]:
        """A new table of the gateway, as the parameter that names it."""
        made = self.ec2.create_transit_gateway_route_table(TransitGatewayId=gateway)["TransitGatewayRouteTable"]
        return {"TransitGatewayRouteTableId": made["TransitGatewayRouteTableId"]}

    def attach(self, gateway: str, vpc: str, subnets: Sequence[str], **options: str) -> str:
        made = self.ec2.create_transit_gateway_vpc_attachment(TransitGatewayId=gateway, VpcId=vpc, SubnetIds=list(subnets), Options=options)
        return str(made["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"])

    def attached(self, *attachments: str) -> None:
        def available() -> bool:
            found = self.ec2.describe_transit_gateway_attachments(TransitGatewayAttachmentIds=list(attachments))["TransitGatewayAttachments"]
            return {item["State"] for item in found} == {"available"}

        until(available)

    # -- asking -----------------------------------------------------------------------------------------------------------------------

    def run(self, instance: str, *program: str, seconds: float = 30.0) -> subprocess.CompletedProcess[str]:
        return self.region.run(instance, *program, seconds=seconds)

    def talk(self, instance: str, host: str, port: int, line: str = "hello", seconds: float = 1.0) -> str:
        """What a TCP server answers to one line: `name client-address line`; "" when there is no connection or no answer."""
        return self.run(instance, "python3", "-c", _TALK, host, str(port), line, str(seconds)).stdout.strip()

    def curl(self, instance: str, url: str, *options: str, seconds: float = 3.0) -> tuple[int, str]:
        """Status (0: no answer) and body of an HTTP request."""
        done = self.run(instance, "curl", "-s", "-m", str(seconds), "-w", "\n%{http_code}", *options, url)
        body, _, status = done.stdout.rpartition("\n")
        return int(status or 0), body

    def signed(self, instance: str, url: str, method: str = "GET") -> tuple[int, str]:
        """Status and body of a request that botocore signs with the credentials of the instance's role, from its metadata."""
        done = self.run(instance, sys.executable, "-c", _SIGN, url, self.region.name, method)
        body, _, status = done.stdout.strip().rpartition("\n")
        assert status, done.stderr
        return int(status), body

    def get(self, instance: str, url: str, *options: str) -> dict[str, Any]:
        """The JSON of a request that must succeed."""
        status, body = self.curl(instance, url, *options)
        assert status == 200, (status, body)
        answer: dict[str, Any] = json.loads(body)
        return answer

    def settled(self) -> None:
        self.region.settle()


def allow(protocol: str = "-1", first: int = -1, last: int = -1, **peers: Any) -> dict[str, Any]:
    """A security group permission. peers: cidr=, group= or prefix_list=."""
    permission: dict[str, Any] = {"IpProtocol": protocol}
    if protocol != "-1":
        permission |= {"FromPort": first, "ToPort": last if last != -1 else first}
    if "cidr" in peers:
        permission["IpRanges"] = [{"CidrIp": peers["cidr"]}]
    if "group" in peers:
        permission["UserIdGroupPairs"] = [{"GroupId": peers["group"]}]
    if "prefix_list" in peers:
        permission["PrefixListIds"] = [{"PrefixListId": peers["prefix_list"]}]
    return permission
