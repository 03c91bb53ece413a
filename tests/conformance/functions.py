"""Functions that tell what they get, invoked through the API and through VPC Lattice."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any

from bench.region import until

from .lab import Lab

PYTHON = """
import base64, json, logging, os, sys, time
logging.getLogger().setLevel("INFO")
COUNT = [0]

def handler(event, context):
    COUNT[0] += 1
    if "requestContext" in event or "raw_path" in event:
        return web(event)
    return globals()["do_" + event.get("do", "echo")](event, context)

def do_echo(event, context):
    print("heard", event)
    logging.info("said")
    return {"event": event, "id": context.aws_request_id, "left": context.get_remaining_time_in_millis(), "arn": context.invoked_function_arn,
            "stream": context.log_stream_name, "group": context.log_group_name, "memory": context.memory_limit_in_mb, "name": context.function_name,
            "version": context.function_version, "count": COUNT[0], "stage": os.environ.get("STAGE")}

def do_raise(event, context):
    raise ValueError("that was wrong")

def do_exit(event, context):
    os._exit(event.get("code", 3))

def do_memory(event, context):
    held = [bytearray(b"x" * (8 << 20)) for _ in range(16)]
    time.sleep(2)

def do_sleep(event, context):
    begin = time.monotonic()
    time.sleep(event["seconds"])
    return {"pid": os.getpid(), "from": begin, "to": time.monotonic()}

def do_large(event, context):
    return "x" * event["size"]

def do_unwritable(event, context):
    return {1, 2}

def do_look(event, context):
    return {"root": sorted(os.listdir("/")), "user": os.getuid(), "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
            "status": open("/proc/self/status").read(), "interfaces": sorted(os.listdir("/sys/class/net")) if os.path.exists("/sys") else
            [line.split(":")[0].strip() for line in open("/proc/net/dev").read().splitlines()[2:]],
            "there": [path for path in event["paths"] if os.path.exists(path)]}

def do_call(event, context):
    import boto3
    try:
        return getattr(boto3.client(event["service"]), event["operation"])(**event.get("params", {})).get("Arn", "done")
    except Exception as error:
        return type(error).__name__ + ": " + str(error)

def web(event):
    path = event.get("path") or event.get("raw_path")
    if "bytes" in path:
        return {"statusCode": 200, "headers": {"content-type": "image/x"}, "body": base64.b64encode(bytes(range(256))).decode(), "isBase64Encoded": True}
    if "teapot" in path:
        return {"statusCode": 418, "headers": {"x-many": "one", "connection": "close", "content-length": 3}, "body": "short and stout"}
    if "none" in path:
        return {"statusCode": 204, "body": "{}"}
    if "malformed" in path:
        return "no response"
    if "fail" in path:
        raise RuntimeError("no")
    if "exit" in path:
        os._exit(1)
    if "late" in path:
        time.sleep(30)
    if "large" in path:
        return {"statusCode": 200, "body": "x" * 6291457}
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(event)}
"""
NODE = """
exports.handler = async (event, context) => {
  console.log("heard", event.do);
  if (event.do === "throw") throw new TypeError("that was wrong");
  if (event.do === "never") await new Promise((resolve) => setTimeout(resolve, 60000));
  return { event, id: context.awsRequestId, left: context.getRemainingTimeInMillis(), version: context.functionVersion, stage: process.env.STAGE };
};
exports.callback = (event, context, done) => { setTimeout(() => done(null, { late: event.value }), 5); };
"""
LAMBDA = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
EC2 = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}


def package(**files: str) -> bytes:
    """The same bytes whenever it is made: a ZipInfo has a constant date."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name.replace("_", "."))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    return held.getvalue()


def role(lab: Lab, name: str, trust: dict[str, Any], *actions: str) -> str:
    iam = lab.client("iam")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    if actions:
        allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}
        iam.put_role_policy(RoleName=name, PolicyName="allowed", PolicyDocument=json.dumps(allowed))
    return str(arn)


@dataclass
class Functions:
    lab: Lab
    role: str

    @property
    def client(self) -> Any:
        return self.lab.client("lambda")

    def make(self, name: str, runtime: str = "python3.11", **more: Any) -> str:
        code = package(index_js=NODE) if runtime.startswith("node") else package(index_py=PYTHON)
        given = {"Role": self.role, "Handler": "index.handler", "Timeout": 3, "Environment": {"Variables": {"STAGE": "test"}}, **more}
        made = self.client.create_function(FunctionName=name, Runtime=runtime, Code={"ZipFile": code}, **given)
        assert made["State"] == "Pending"
        self.client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        return str(made["FunctionArn"])

    def invoke(self, name: str, **event: Any) -> tuple[Any, str | None]:
        """What the function answered, and FunctionError."""
        answer = self.client.invoke(FunctionName=name, Payload=json.dumps(event))
        return json.loads(answer["Payload"].read()), answer.get("FunctionError")


@dataclass
class Mesh:
    """A VPC with a client, and a service whose paths /v1, /v2 and /live lead to functions."""

    functions: Functions
    network: str
    service: dict[str, Any]
    groups: dict[str, dict[str, Any]]
    client: str

    @property
    def lattice(self) -> Any:
        return self.functions.lab.client("vpc-lattice")

    def ask(self, path: str, *options: str, seconds: float = 15.0) -> tuple[int, str]:
        """Status and body of a request from the client."""
        url = f"http://{self.service['dnsEntry']['domainName']}{path}"
        done = self.functions.lab.run(self.client, "curl", "-s", "-m", "14", "-w", "\n%{http_code}", *options, url, seconds=seconds)
        body, _, status = done.stdout.rpartition("\n")
        return int(status or 0), body

    def event(self, path: str, *options: str) -> dict[str, Any]:
        """The event that the function got, which it answers with."""
        status, body = self.ask(path, *options)
        assert status == 200, body
        found: dict[str, Any] = json.loads(body)
        return found


def group(lattice: Any, name: str, function: str, event: str = "") -> dict[str, Any]:
    config = {"config": {"lambdaEventStructureVersion": event}} if event else {}
    made: dict[str, Any] = lattice.create_target_group(name=name, type="LAMBDA", **config)
    assert made.get("config", {}) == config.get("config", {})
    until(lambda: lattice.get_target_group(targetGroupIdentifier=made["id"])["status"] == "ACTIVE")
    answer = lattice.register_targets(targetGroupIdentifier=made["id"], targets=[{"id": function}])
    assert (answer["successful"], answer["unsuccessful"]) == ([{"id": function}], [])
    return made


def build(functions: Functions) -> Mesh:
    lab = functions.lab
    lattice = lab.client("vpc-lattice")
    functions.make("web", Publish=True)
    arn = functions.client.get_function(FunctionName="web")["Configuration"]["FunctionArn"]
    functions.client.create_alias(FunctionName="web", Name="live", FunctionVersion="1")
    groups = {"v1": group(lattice, "fn-v1", arn), "v2": group(lattice, "fn-v2", arn, "V2"), "live": group(lattice, "fn-live", f"{arn}:live", "V2")}
    network = lattice.create_service_network(name="functions", authType="NONE")["id"]
    service = lattice.create_service(name="functions", authType="NONE")
    listener = lattice.create_listener(
        serviceIdentifier=service["id"], name="http", protocol="HTTP", port=80, defaultAction={"fixedResponse": {"statusCode": 404}}
    )["id"]
    for priority, (name, made) in enumerate(groups.items(), 1):
        lattice.create_rule(
            serviceIdentifier=service["id"], listenerIdentifier=listener, name=f"to-{name}", priority=priority,
            match={"httpMatch": {"pathMatch": {"match": {"prefix": f"/{name}"}}}},
            action={"forward": {"targetGroups": [{"targetGroupIdentifier": made["id"]}]}},
        )  # fmt: skip
    lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=service["id"])
    vpc = lab.vpc("10.77.0.0/16")
    association = lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=vpc)["id"]
    role(lab, "caller", EC2, "vpc-lattice-svcs:Invoke")
    iam = lab.client("iam")
    iam.create_instance_profile(InstanceProfileName="caller")
    iam.add_role_to_instance_profile(InstanceProfileName="caller", RoleName="caller")
    client = lab.instance("caller", lab.subnet(vpc, "10.77.1.0/24"), "10.77.1.10", IamInstanceProfile={"Name": "caller"})
    lab.running(client)
    until(lambda: lattice.get_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=association)["status"] == "ACTIVE")
    found = Mesh(functions, network, lattice.get_service(serviceIdentifier=service["id"]), groups, client)
    until(lambda: found.ask("/v1")[0] == 200)
    return found
