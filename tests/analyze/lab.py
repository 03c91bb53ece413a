"""A service network with one client and one service, made by API calls, and the control plane's explainer over it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.region import ACCOUNT, NAME, Region

from latticewall.control_plane.explaining import Explainer
from latticewall.control_plane.identity import refresh_instance_sessions

ALLOW_ALL = {"Effect": "Allow", "Principal": "*", "Action": "vpc-lattice-svcs:Invoke", "Resource": "*"}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, separators=(",", ":"))


def without(statement: dict[str, Any], *elements: str) -> dict[str, Any]:
    return {name: value for name, value in statement.items() if name not in elements}


TRUST = policy({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
IDENTITY = policy(without(ALLOW_ALL, "Principal"))


class Lab:
    """Instance `web` (role `web`) in an associated VPC; service `rates` with a rule for GET /today, a target and authType AWS_IAM; everything allowed."""

    def __init__(self, folder: Path) -> None:
        self.region = region = Region(folder)
        self.lattice, self.ec2, self.iam = region.lattice, region.ec2, region.iam
        self.health: dict[str, dict[tuple[str, int], str]] = {}
        self.log = folder / "access.jsonl"
        self._explainer = Explainer(region.app, NAME, self.log, lambda group: self.health.get(group, {}))
        self.vpc = region.vpc()
        self.subnet = region.subnet(self.vpc)
        self.client_group = self._group("client")
        self.door_group = self._group("door")
        self._let_in(self.door_group, self.client_group, 80)
        self.web = self.instance("web", role="web")
        self.network = self.lattice.create_service_network(name="shared", authType="AWS_IAM")["id"]
        self.association = self.lattice.create_service_network_vpc_association(
            serviceNetworkIdentifier=self.network, vpcIdentifier=self.vpc, securityGroupIds=[self.door_group]
        )["id"]
        made = self.lattice.create_service(name="rates", authType="AWS_IAM")
        self.service, self.service_arn, self.host = made["id"], made["arn"], made["dnsEntry"]["domainName"]
        self.lattice.create_service_network_service_association(serviceNetworkIdentifier=self.network, serviceIdentifier=self.service)
        config = {"port": 8080, "protocol": "HTTP", "vpcIdentifier": self.vpc}
        self.targets = self.lattice.create_target_group(name="rates", type="IP", config=config)["id"]
        region.settle()
        self.lattice.register_targets(targetGroupIdentifier=self.targets, targets=[{"id": "10.0.1.77", "port": 8080}])
        forward = {"forward": {"targetGroups": [{"targetGroupIdentifier": self.targets, "weight": 100}]}}
        self.listener = self.lattice.create_listener(
            serviceIdentifier=self.service, name="web", protocol="HTTP", port=80, defaultAction={"fixedResponse": {"statusCode": 404}}
        )["id"]
        match = {"httpMatch": {"method": "GET", "pathMatch": {"match": {"prefix": "/today"}}}}
        self.rule = self.lattice.create_rule(
            serviceIdentifier=self.service, listenerIdentifier=self.listener, name="today", priority=10, match=match, action=forward
        )["id"]
        self.put_policy(self.network, policy(ALLOW_ALL))
        self.put_policy(self.service, policy(ALLOW_ALL))
        self.iam.put_role_policy(RoleName="web", PolicyName="call", PolicyDocument=IDENTITY)
        region.settle()

    def _group(self, name: str) -> str:
        return str(self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)["GroupId"])

    def _let_in(self, group: str, peer: str, port: int) -> None:
        permission = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": [{"GroupId": peer}]}
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])

    def instance(self, name: str, role: str = "") -> str:
        image = self.ec2.describe_images()["Images"][0]["ImageId"]
        more: dict[str, Any] = {}
        if role:
            self.iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)
            self.iam.create_instance_profile(InstanceProfileName=role)
            self.iam.add_role_to_instance_profile(InstanceProfileName=role, RoleName=role)
            more = {"IamInstanceProfile": {"Name": role}}
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}]
        made = self.ec2.run_instances(
            ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, SubnetId=self.subnet, SecurityGroupIds=[self.client_group],
            TagSpecifications=tags, **more,
        )  # fmt: skip
        refresh_instance_sessions(self.region.app)
        return str(made["Instances"][0]["InstanceId"])

    @contextmanager
    def closing(self, subnet: str) -> Iterator[str]:
        """A network ACL of the subnet alone, in which nothing is allowed yet."""
        acl = str(self.ec2.create_network_acl(VpcId=self.vpc)["NetworkAcl"]["NetworkAclId"])
        found = self.ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["NetworkAcls"][0]
        before = next(one["NetworkAclAssociationId"] for one in found["Associations"] if one["SubnetId"] == subnet)
        now = self.ec2.replace_network_acl_association(AssociationId=before, NetworkAclId=acl)["NewAssociationId"]
        try:
            yield acl
        finally:
            self.ec2.replace_network_acl_association(AssociationId=now, NetworkAclId=found["NetworkAclId"])

    def entry(self, acl: str, number: int, *, egress: bool, cidr: str, ports: tuple[int, int], action: str = "allow") -> None:
        """One entry about TCP."""
        self.ec2.create_network_acl_entry(
            NetworkAclId=acl, RuleNumber=number, Protocol="6", RuleAction=action, Egress=egress, CidrBlock=cidr, PortRange={"From": ports[0], "To": ports[1]}
        )

    def put_policy(self, resource: str, text: str) -> None:
        self.lattice.put_auth_policy(resourceIdentifier=resource, policy=text)

    def explainer(self, params: dict[str, Any]) -> dict[str, Any]:
        """As the command line gets it."""
        answer: dict[str, Any] = json.loads(json.dumps(self._explainer(params)))
        return answer

    def logged(self, **changed: Any) -> dict[str, Any]:
        """A line of Envoy's access log, appended: an allowed request of the instance, with these members changed."""
        role = f"arn:aws:sts::{ACCOUNT}:assumed-role/web/{self.web}"
        entry = {
            "kind": "http", "startTime": "2026-01-02T03:04:05Z", "requestId": "id-1", "serviceNetworkArn": self.network_arn, "serviceArn": self.service_arn,
            "listenerId": self.listener, "ruleId": self.rule, "targetGroupArn": None, "sourceVpcArn": "-", "sourceVpcId": self.vpc,
            "sourceIpPort": f"{self.address}:40000", "targetIpPort": "10.0.1.77:8080", "authorized": "yes", "identity": f"Principal={role}; PrincipalOrgID=",
            "requestMethod": "GET", "requestPath": "/today", "hostHeader": self.host, "userAgent": "curl", "protocol": "HTTP/1.1", "responseCode": 200,
            "responseFlags": "-", "responseCodeDetails": "via_upstream", **changed,
        }  # fmt: skip
        with self.log.open("a") as file:
            file.write(json.dumps(entry, separators=(",", ":")) + "\n")
        return entry

    def denied(self, **changed: Any) -> dict[str, Any]:
        """The line of a request that the filter refused."""
        return self.logged(**{"responseCode": 403, "responseCodeDetails": "lua_response", "targetIpPort": None, "identity": "pending", **changed})

    def explained(self, request_id: str = "id-1") -> dict[str, Any]:
        return self.explainer({"request_id": request_id})

    @property
    def network_arn(self) -> str:
        return str(self.lattice.get_service_network(serviceNetworkIdentifier=self.network)["arn"])

    @property
    def address(self) -> str:
        found = self.ec2.describe_instances(InstanceIds=[self.web])
        return str(found["Reservations"][0]["Instances"][0]["PrivateIpAddress"])

    def ask(self, path: str = "/today", **params: Any) -> dict[str, Any]:
        return self.explainer({"url": f"http://{self.host}{path}", "source": "web", **params})

    @property
    def role_arn(self) -> str:
        return f"arn:aws:iam::{ACCOUNT}:role/web"


def outcomes(answer: dict[str, Any]) -> dict[str, str]:
    return {gate["name"]: str(gate["outcome"]) for gate in answer["gates"]}


def gate(answer: dict[str, Any], name: str) -> dict[str, Any]:
    return next(found for found in answer["gates"] if found["name"] == name)
