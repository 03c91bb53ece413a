"""A region with a client and a service whose requests are explained."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.region import Region, until
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

SIGNED = Path(__file__).parents[2] / "examples" / "walkthrough" / "clients" / "signed.sh"
SERVER = """#!/usr/bin/python3
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "3")
        self.end_headers()
        self.wfile.write(b"ok\\n")
    do_POST = do_GET
    def log_message(self, *_):
        pass

class Server(ThreadingHTTPServer):
    def server_bind(self):
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "rates", 8080

Server(("", 8080), Answer).serve_forever()
"""
INVOKE = {"Effect": "Allow", "Action": "vpc-lattice-svcs:Invoke", "Resource": "*"}
EVERYBODY = {**INVOKE, "Principal": "*"}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@dataclass
class Answer:
    status: int
    request_id: str
    body: str


class Lab:
    """Instance `web` (role `web`) calls the service `rates`, whose target is the instance `rates`; user `alice` has a key."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.lattice, self.ec2, self.iam = (region.client(name) for name in ("vpc-lattice", "ec2", "iam"))
        self.vpc = self.ec2.create_vpc(CidrBlock="10.88.0.0/16")["Vpc"]["VpcId"]
        self.subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.88.1.0/24")["Subnet"]["SubnetId"]
        self.group = self._group("client")
        open_group = self._group("server")
        self.ec2.authorize_security_group_ingress(GroupId=open_group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
        self._role()
        self.instance("web", self.group, IamInstanceProfile={"Name": "web"})
        server = self.instance("rates", open_group, UserData=SERVER)
        self.network = self.lattice.create_service_network(name="shared", authType="AWS_IAM")
        made = self.lattice.create_service(name="rates", authType="AWS_IAM")
        self.service, self.host = made["id"], made["dnsEntry"]["domainName"]
        region.settle()
        config = {"port": 8080, "protocol": "HTTP", "vpcIdentifier": self.vpc, "healthCheck": {"enabled": False}}
        group = self.lattice.create_target_group(name="rates", type="INSTANCE", config=config)["id"]
        until(lambda: self.lattice.get_target_group(targetGroupIdentifier=group)["status"] == "ACTIVE")
        self.lattice.register_targets(targetGroupIdentifier=group, targets=[{"id": server}])
        forward = {"forward": {"targetGroups": [{"targetGroupIdentifier": group}]}}
        self.lattice.create_listener(serviceIdentifier=self.service, name="web", protocol="HTTP", port=80, defaultAction=forward)
        self.lattice.create_service_network_vpc_association(serviceNetworkIdentifier=self.network["id"], vpcIdentifier=self.vpc)
        self.lattice.create_service_network_service_association(serviceNetworkIdentifier=self.network["id"], serviceIdentifier=self.service)
        self.allow_everybody()
        self._log()
        region.settle()
        until(lambda: self.get().status == 200)

    def _group(self, name: str) -> str:
        return str(self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)["GroupId"])

    def _role(self) -> None:
        trust = policy({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
        self.iam.create_role(RoleName="web", AssumeRolePolicyDocument=trust)
        self.iam.put_role_policy(RoleName="web", PolicyName="call", PolicyDocument=policy(INVOKE))
        self.iam.create_instance_profile(InstanceProfileName="web")
        self.iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="web")
        self.iam.create_user(UserName="alice")
        self.iam.put_user_policy(UserName="alice", PolicyName="call", PolicyDocument=policy(INVOKE))
        key = self.iam.create_access_key(UserName="alice")["AccessKey"]
        self.alice = Credentials(key["AccessKeyId"], key["SecretAccessKey"])

    def instance(self, name: str, group: str, **more: Any) -> str:
        image = self.ec2.describe_images()["Images"][0]["ImageId"]
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}]
        made = self.ec2.run_instances(
            ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, SubnetId=self.subnet, SecurityGroupIds=[group], TagSpecifications=tags, **more
        )
        return str(made["Instances"][0]["InstanceId"])

    def _log(self) -> None:
        logs = self.region.client("logs")
        logs.create_log_group(logGroupName="/access")
        arn = logs.describe_log_groups()["logGroups"][0]["arn"]
        self.lattice.create_access_log_subscription(resourceIdentifier=self.network["id"], destinationArn=arn)

    def allow_everybody(self) -> None:
        for resource in (self.network["id"], self.service):
            self.lattice.put_auth_policy(resourceIdentifier=resource, policy=policy(EVERYBODY))

    # -- requests -----------------------------------------------------------------------------------------------------------------------

    def get(self, path: str = "/today", *options: str) -> Answer:
        return self._answer("curl", "-sS", *options, path=path)

    def signed(self, path: str = "/today", *options: str) -> Answer:
        """As the instance's role signs."""
        return self._answer("sh", str(SIGNED), *options, path=path)

    def signed_by_alice(self, path: str = "/today", method: str = "GET", host: str = "", **headers: str) -> Answer:
        """Signed for that method and host, and sent with GET to the service."""
        request = AWSRequest(method, f"http://{host or self.host}{path}", headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD", **headers})
        request.context["payload_signing_enabled"] = False
        SigV4Auth(self.alice, "vpc-lattice-svcs", self.region.name).add_auth(request)
        return self.get(path, *(word for name, value in request.headers.items() for word in ("-H", f"{name}: {value}")))

    def _answer(self, *words: str, path: str) -> Answer:
        url = f"http://{self.host}{path}"
        done = self.region.cli("exec", "web", "--", *words, "--max-time", "3", "--path-as-is", "-w", "\n%{http_code} %header{x-amzn-requestid}", url)
        body, _, last = done.stdout.rpartition("\n")
        status, _, request_id = last.partition(" ")
        return Answer(int(status or 0), request_id, body)

    # -- explanations -------------------------------------------------------------------------------------------------------------------

    def explain(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Exit code and answer."""
        done = self.region.cli("explain", *words, "--output", "json")
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def explained(self, answer: Answer) -> tuple[int, dict[str, Any]]:
        return self.explain(answer.request_id)

    def supposed(self, *words: str, path: str = "/today") -> tuple[int, dict[str, Any]]:
        return self.explain("--from", "web", *words, f"http://{self.host}{path}")
