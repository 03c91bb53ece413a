"""The AWS CLI as it is: network, instances, service network, logs, stacks, waiters and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from bench.region import until

from .lab import Lab, server

pytestmark = [pytest.mark.netns, pytest.mark.scenario, pytest.mark.timeout(300)]  # dozens of processes, each as slow as the machine is busy
AWS = Path(sys.executable).with_name("aws")
SECOND = Path("/usr/bin/aws")
TEMPLATE = """\
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Cidr: {Type: String}
  Port: {Type: Number, Default: 8080}
Conditions: {Odd: !Equals [!Ref Port, "8081"]}
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties: {CidrBlock: !Ref Cidr, Tags: [{Key: Name, Value: !Sub "${AWS::StackName}-vpc"}]}
  Network:
    Type: AWS::VpcLattice::ServiceNetwork
    Properties: {Name: !Sub "${AWS::StackName}-network", AuthType: NONE}
  Association:
    Type: AWS::VpcLattice::ServiceNetworkVpcAssociation
    Properties: {ServiceNetworkIdentifier: !Ref Network, VpcIdentifier: !Ref Vpc}
  Service:
    Type: AWS::VpcLattice::Service
    Properties: {Name: !Sub "${AWS::StackName}-service"}
  Listener:
    Type: AWS::VpcLattice::Listener
    Properties:
      ServiceIdentifier: !GetAtt Service.Id
      Protocol: HTTP
      Port: !Ref Port
      DefaultAction: {FixedResponse: {StatusCode: 404}}
  Extra:
    Type: AWS::Logs::LogGroup
    Condition: Odd
    Properties: {LogGroupName: !Sub "/stack/${AWS::StackName}"}
Outputs:
  Vpc: {Value: !Ref Vpc, Export: {Name: !Sub "${AWS::StackName}-vpc"}}
  Name: {Value: !GetAtt Service.DnsEntry.DomainName}
"""


class Cli:
    """`aws`, as the region's administrator, with its own home."""

    def __init__(self, lab: Lab, home: Path, program: Path = AWS) -> None:
        session = lab.region.session
        self.words = (str(program), "--endpoint-url", session.endpoint)  # the variable is for versions from 2.13 on
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(home), "AWS_DEFAULT_REGION": lab.region.name,
            "AWS_ACCESS_KEY_ID": session.credentials.access_key_id, "AWS_SECRET_ACCESS_KEY": session.credentials.secret_access_key.reveal(),
            "AWS_PAGER": "", "AWS_MAX_ATTEMPTS": "1", "PYTHONUNBUFFERED": "1",
        }  # fmt: skip

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        environment = self.environment | {name.upper(): value for name, value in more.items()}
        return subprocess.run([*self.words, *words], env=environment, capture_output=True, text=True, timeout=100)

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen([*self.words, *words], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def __call__(self, *words: str, query: str = "@") -> Any:
        """Its JSON, or None when it prints nothing."""
        done = self.run(*words, "--output", "json", "--query", query)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def refused(self, *words: str, **more: str) -> str:
        done = self.run(*words, **more)
        assert done.returncode in (254, 255), done  # the second version of the CLI tells a service's refusal from its own
        return done.stderr.strip()


@pytest.fixture(scope="module")
def aws(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    return Cli(lab, tmp_path_factory.mktemp("home"))


@dataclass
class Deployment:
    """`aws cloudformation deploy`, whose waiter looks twice a minute: it runs while the other tests do. id: of the stack that it changes."""

    id: str
    words: tuple[str, ...]
    process: subprocess.Popen[str]


@pytest.fixture(scope="module", autouse=True)
def deployment(aws: Cli, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    template = tmp_path_factory.mktemp("stack") / "stack.yaml"
    template.write_text(TEMPLATE)
    body = ("--template-body", f"file://{template}", "--parameters", "ParameterKey=Cidr,ParameterValue=10.60.0.0/16")
    identifier = aws("cloudformation", "create-stack", "--stack-name", "office", *body, query="StackId")
    until(lambda: _status(aws, identifier) == "CREATE_COMPLETE")
    words = ("cloudformation", "deploy", "--stack-name", "office", "--template-file", str(template), "--parameter-overrides")
    process = aws.start(*words, "Port=8081")
    yield Deployment(identifier, words, process)
    process.kill()
    process.communicate()


def _status(aws: Cli, stack: str) -> str:
    return str(aws("cloudformation", "describe-stacks", "--stack-name", stack, query="Stacks[0].StackStatus"))


def test_step_by_step(lab: Lab, aws: Cli, tmp_path: Path) -> None:
    image = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    vpc = aws("ec2", "create-vpc", "--cidr-block", "172.30.0.0/20", query="Vpc.VpcId")
    aws("ec2", "wait", "vpc-available", "--vpc-ids", vpc)
    subnet = aws("ec2", "create-subnet", "--vpc-id", vpc, "--cidr-block", "172.30.3.0/25", query="Subnet.SubnetId")
    main = aws("ec2", "describe-security-groups", "--filters", f"Name=vpc-id,Values={vpc}", query="SecurityGroups[0].[GroupName,GroupId]")
    assert main[0] == "default"
    tables = aws("ec2", "describe-route-tables", "--filters", f"Name=vpc-id,Values={vpc}", query="RouteTables[].Associations[].Main")
    assert tables == [True]
    aws("ec2", "authorize-security-group-ingress", "--group-id", main[1], "--ip-permissions", json.dumps([
        {"IpProtocol": "tcp", "FromPort": 7001, "ToPort": 7001, "PrefixListIds": [{"PrefixListId": aws(
            "ec2", "describe-managed-prefix-lists", "--filters", f"Name=prefix-list-name,Values=com.amazonaws.{lab.region.name}.vpc-lattice",
            query="PrefixLists[0].PrefixListId")}]},
    ]))  # fmt: skip
    script = tmp_path / "server.py"
    script.write_text(server("cli", [7001]))
    interface = json.dumps([{"DeviceIndex": 0, "SubnetId": subnet, "PrivateIpAddress": "172.30.3.20"}])
    launched = ("ec2", "run-instances", "--image-id", f"resolve:ssm:{image}", "--instance-type", "t3.small", "--count", "1")
    serving = aws(*launched, "--network-interfaces", interface, "--user-data", f"file://{script}", query="Instances[0].InstanceId")
    client = aws(*launched, "--subnet-id", subnet, query="Instances[0].InstanceId")
    lab.running(serving, client)  # boto3's waiter asks more often: the CLI's then has its answer at once
    aws("ec2", "wait", "instance-running", "--instance-ids", serving, client)
    group = aws(
        "vpc-lattice", "create-target-group", "--name", "cli-targets", "--type", "INSTANCE",
        "--config", f"port=7001,protocol=HTTP,vpcIdentifier={vpc},healthCheck={{enabled=false}}", query="id",
    )  # fmt: skip
    until(lambda: aws("vpc-lattice", "get-target-group", "--target-group-identifier", group, query="status") == "ACTIVE")
    aws("vpc-lattice", "register-targets", "--target-group-identifier", group, "--targets", f"id={serving}")
    network = aws("vpc-lattice", "create-service-network", "--name", "cli-network", "--auth-type", "AWS_IAM", query="id")
    service = aws("vpc-lattice", "create-service", "--name", "cli-service", query="id")
    aws("vpc-lattice", "create-listener", "--service-identifier", service, "--name", "main", "--protocol", "HTTP", "--port", "8088",
        "--default-action", json.dumps({"forward": {"targetGroups": [{"targetGroupIdentifier": group}]}}))  # fmt: skip
    pair = ("--service-network-identifier", network)
    services = aws("vpc-lattice", "create-service-network-service-association", *pair, "--service-identifier", service, query="[id,dnsEntry.domainName]")
    vpcs = aws("vpc-lattice", "create-service-network-vpc-association", *pair, "--vpc-identifier", vpc, query="id")
    aws("logs", "create-log-group", "--log-group-name", "/cli/access")
    arn = aws("logs", "describe-log-groups", "--log-group-name-prefix", "/cli/", query="logGroups[0].arn")
    aws("vpc-lattice", "create-access-log-subscription", "--resource-identifier", network, "--destination-arn", arn)
    aws("ec2", "wait", "instance-status-ok", "--instance-ids", serving)
    lab.settled()
    url = f"http://{services[1]}:8088/"
    assert lab.curl(client, url)[0] == 403
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "vpc-lattice-svcs:Invoke", "Resource": "*"}]}
    aws("vpc-lattice", "put-auth-policy", "--resource-identifier", network, "--policy", json.dumps(policy))
    lab.settled()
    until(lambda: lab.curl(client, url)[0] == 200)
    network_arn = aws("vpc-lattice", "get-service-network", *pair, query="arn")
    kind = ("--vpc-endpoint-type", "ServiceNetwork", "--service-network-arn", network_arn)
    endpoint = aws("ec2", "create-vpc-endpoint", *kind, "--vpc-id", vpc, "--subnet-ids", subnet, query="VpcEndpoint.VpcEndpointId")
    lab.settled()
    name = aws("ec2", "describe-vpc-endpoint-associations", "--vpc-endpoint-ids", endpoint, query="VpcEndpointAssociations[0].DnsEntry.DnsName")
    assert lab.curl(client, f"http://{name}:8088/")[0] == 200
    assert aws("ec2", "delete-vpc-endpoints", "--vpc-endpoint-ids", endpoint, query="Unsuccessful") == []

    def logged() -> Any:
        return aws("logs", "filter-log-events", "--log-group-name", "/cli/access", "--filter-pattern", "{ $.responseCode = 403 }", query="events[].message")

    record = json.loads(until(logged)[0])
    assert record["serviceNetworkArn"].endswith(network)
    assert record["authDeniedReason"] == "Network"
    assert record["sourceVpcArn"].endswith(vpc)
    aws("vpc-lattice", "deregister-targets", "--target-group-identifier", group, "--targets", f"id={serving}")
    aws("ec2", "terminate-instances", "--instance-ids", serving, client)
    lab.settled()
    aws("ec2", "wait", "instance-terminated", "--instance-ids", serving, client)
    aws("vpc-lattice", "delete-service-network-service-association", "--service-network-service-association-identifier", services[0])
    aws("vpc-lattice", "delete-service-network-vpc-association", "--service-network-vpc-association-identifier", vpcs)
    until(lambda: aws("vpc-lattice", "list-service-network-vpc-associations", *pair, query="items") == [])
    until(lambda: aws("vpc-lattice", "list-service-network-service-associations", *pair, query="items") == [])
    aws("vpc-lattice", "delete-service", "--service-identifier", service)
    aws("vpc-lattice", "delete-service-network", *pair)
    until(lambda: aws("vpc-lattice", "list-services", query=f"items[?id=='{service}']") == [])
    until(lambda: aws("vpc-lattice", "list-targets", "--target-group-identifier", group, query="items") == [])
    aws("vpc-lattice", "delete-target-group", "--target-group-identifier", group)
    aws("ec2", "delete-subnet", "--subnet-id", subnet)
    until(lambda: aws("vpc-lattice", "list-target-groups", "--vpc-identifier", vpc, query="items") == [])
    aws("ec2", "delete-vpc", "--vpc-id", vpc)
    assert "InvalidVpcID.NotFound" in aws.refused("ec2", "describe-vpcs", "--vpc-ids", vpc)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("ec2 create-vpc --cidr-block 10.0.0.0/8", "(InvalidVpc.Range)"),
        ("ec2 create-subnet --vpc-id vpc-00000000000000000 --cidr-block 10.0.0.0/24", "(InvalidVpcID.NotFound)"),
        ("ec2 describe-instances --instance-ids i-00000000000000000", "(InvalidInstanceID.NotFound)"),
        ("ec2 describe-instances --instance-ids nonsense", "(InvalidInstanceID.Malformed)"),
        ("ec2 describe-vpcs --filters Name=color,Values=red", "(InvalidParameterValue)"),
        ("ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-00000000000000000 --private-dns-enabled", "(InvalidVpcEndpointId.NotFound)"),
        ("vpc-lattice get-service --service-identifier svc-00000000000000000", "(ResourceNotFoundException)"),
        ("vpc-lattice create-service --name Not_A_Name", "(ValidationException)"),
        ("vpc-lattice put-auth-policy --resource-identifier sn-00000000000000000 --policy {}", "(ResourceNotFoundException)"),
        ("network-firewall describe-firewall --firewall-name nobody", "(ResourceNotFoundException)"),
        ("logs get-log-events --log-group-name /no --log-stream-name none", "(ResourceNotFoundException)"),
        ("logs filter-log-events --log-group-name /no", "(ResourceNotFoundException)"),
        ("iam get-role --role-name nobody", "(NoSuchEntity)"),
        ("sts assume-role --role-arn arn:aws:iam::123456789012:role/nobody --role-session-name xx", "(AccessDenied)"),
        ("route53 get-hosted-zone --id Z00000000000000000000", "(NoSuchHostedZone)"),
        ("ssm get-parameter --name /no/such", "(ParameterNotFound)"),
        ("cloudformation describe-stacks --stack-name nobody", "(ValidationError)"),
        ("organizations describe-account --account-id 111111111111", "(AWSOrganizationsNotInUseException)"),
    ],
)
def test_refusals_are_aws_s(aws: Cli, words: str, said: str) -> None:
    assert said in aws.refused(*words.split())


def test_a_stack_is_deployed_changed_and_deleted(aws: Cli, deployment: Deployment) -> None:
    said, _ = deployment.process.communicate(timeout=60)
    assert "Successfully created/updated stack - office" in said
    assert "No changes to deploy" in aws.run(*deployment.words, "Port=8081", "--no-fail-on-empty-changeset").stdout
    shown = aws("cloudformation", "describe-stacks", "--stack-name", "office", query="Stacks[0]")
    assert shown["StackStatus"] == "UPDATE_COMPLETE"
    outputs = {item["OutputKey"]: item["OutputValue"] for item in shown["Outputs"]}
    assert aws("ec2", "describe-vpcs", "--vpc-ids", outputs["Vpc"], query="Vpcs[0].CidrBlock") == "10.60.0.0/16"
    assert aws("logs", "describe-log-groups", "--log-group-name-prefix", "/stack/", query="logGroups[].logGroupName") == ["/stack/office"]
    resources = aws("cloudformation", "describe-stack-resources", "--stack-name", "office", query="StackResources[].ResourceType")
    assert sorted(resources)[:2] == ["AWS::EC2::VPC", "AWS::Logs::LogGroup"]
    parameters = ("ParameterKey=Cidr,ParameterValue=10.61.0.0/8", "ParameterKey=Port,UsePreviousValue=true")
    aws("cloudformation", "update-stack", "--stack-name", "office", "--use-previous-template", "--parameters", *parameters)
    until(lambda: _status(aws, "office") == "UPDATE_ROLLBACK_COMPLETE")
    failed = "StackEvents[?ResourceStatus=='UPDATE_FAILED'].ResourceStatusReason"
    assert any("10.61.0.0/8" in reason for reason in aws("cloudformation", "describe-stack-events", "--stack-name", "office", query=failed))
    assert aws("ec2", "describe-vpcs", "--vpc-ids", outputs["Vpc"], query="Vpcs[0].CidrBlock") == "10.60.0.0/16"
    aws("cloudformation", "delete-stack", "--stack-name", "office")
    until(lambda: _status(aws, deployment.id) == "DELETE_COMPLETE")
    aws("cloudformation", "wait", "stack-delete-complete", "--stack-name", deployment.id)
    assert "Stack with id office does not exist" in aws.refused("cloudformation", "describe-stacks", "--stack-name", "office")
    assert aws("logs", "describe-log-groups", "--log-group-name-prefix", "/stack/", query="logGroups") == []


@pytest.fixture(scope="module")
def second(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """The AWS CLI's second version, which pip does not have; Debian and Ubuntu do."""
    if not SECOND.exists() or not subprocess.run([str(SECOND), "--version"], capture_output=True, text=True, timeout=60).stdout.startswith("aws-cli/2."):
        pytest.skip("the AWS CLI's second version is not installed (Debian's and Ubuntu's package awscli)")
    return Cli(lab, tmp_path_factory.mktemp("second"), SECOND)


def test_logs_are_tailed(lab: Lab, second: Cli) -> None:
    """`aws logs tail`, which only the second version has: what is there, what comes, what a filter takes."""
    logs = lab.client("logs")
    logs.create_log_group(logGroupName="/tail")
    logs.create_log_stream(logGroupName="/tail", logStreamName="one")

    def put(*messages: str) -> None:
        events = [{"timestamp": int(time.time() * 1000) + number, "message": message} for number, message in enumerate(messages)]
        logs.put_log_events(logGroupName="/tail", logStreamName="one", logEvents=events)

    put("first", '{"responseCode": 403}')
    with second.start("logs", "tail", "/tail", "--follow", "--format", "short") as tail:
        assert tail.stdout is not None
        try:
            assert [tail.stdout.readline().split(" ", 1)[1].strip() for _ in range(2)] == ["first", '{"responseCode": 403}']
            put("then")
            assert tail.stdout.readline().endswith(" then\n")
        finally:
            tail.kill()
    done = second.run("logs", "tail", "/tail", "--filter-pattern", "{ $.responseCode = 403 }")
    assert [line.split(" ", 2)[1:] for line in done.stdout.splitlines()] == [["one", '{"responseCode": 403}']], done
    assert "(ResourceNotFoundException)" in second.refused("logs", "tail", "/nowhere")
