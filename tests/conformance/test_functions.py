"""Lambda functions: invoked through the API and through VPC Lattice, shut in, and alive while the control plane is not."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import signal
import threading
import time
import urllib.error
import urllib.request
from typing import Any

import pytest
from bench.region import until
from botocore.exceptions import ClientError

from .functions import LAMBDA, PYTHON, Functions, Mesh, build, package, role
from .lab import Lab

pytestmark = [pytest.mark.netns, pytest.mark.scenario, pytest.mark.timeout(240)]

NO_JSON = "Object of type set is not JSON serializable"


@pytest.fixture(scope="module")
def functions(lab: Lab) -> Functions:
    found = Functions(lab, role(lab, "functions", LAMBDA, "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "ec2:DescribeVpcs"))
    found.make("py")
    return found


# -- through the API --------------------------------------------------------------------------------------------------------------------------


def test_a_handler_gets_its_event_and_its_context(functions: Functions) -> None:
    answer, error = functions.invoke("py", value=[1, "zwei"])
    assert error is None
    assert answer["event"] == {"value": [1, "zwei"]}
    assert (answer["name"], answer["version"], answer["memory"], answer["group"]) == ("py", "$LATEST", "128", "/aws/lambda/py")
    assert answer["arn"].endswith(":function:py")
    assert 0 < answer["left"] <= 3000
    assert answer["stage"] == "test"
    again, _ = functions.invoke("py")
    assert (again["count"], again["stream"]) == (answer["count"] + 1, answer["stream"])  # the same environment, warm


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"do": "raise"}, {"errorType": "ValueError", "errorMessage": "that was wrong"}),
        ({"do": "exit"}, {"errorType": "Runtime.ExitError", "errorMessage": "RequestId: {id} Error: Runtime exited with error: exit status 3"}),
        ({"do": "memory"}, {"errorType": "Runtime.ExitError", "errorMessage": "RequestId: {id} Error: Runtime exited with error: signal: killed"}),
        ({"do": "sleep", "seconds": 30}, {"errorType": "Sandbox.Timedout", "errorMessage": "RequestId: {id} Error: Task timed out after 3.00 seconds"}),
        ({"do": "large", "size": 6291556}, {"errorType": "Function.ResponseSizeTooLarge"}),
        ({"do": "unwritable"}, {"errorType": "Runtime.MarshalError", "errorMessage": f"Unable to marshal response: {NO_JSON}"}),
    ],
    ids=lambda value: value.get("do", ""),
)
def test_a_failure_is_told_in_lambdas_words_and_the_next_event_is_handled(functions: Functions, event: dict[str, Any], expected: dict[str, str]) -> None:
    answer = functions.client.invoke(FunctionName="py", Payload=json.dumps(event))
    document = json.loads(answer["Payload"].read())
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert {name: document[name] for name in expected} == {name: text.format(id=request_id) for name, text in expected.items()}
    if expected["errorType"] == "ValueError":
        assert any("do_raise" in line for line in document["stackTrace"])
    assert functions.invoke("py", do="echo")[1] is None


@pytest.mark.parametrize(
    ("handler", "kind", "words"),
    [
        ("index.nothing", "Runtime.HandlerNotFound", "Handler 'nothing' missing on module 'index'"),
        ("other.handler", "Runtime.ImportModuleError", "Unable to import module 'other': No module named 'other'"),
        ("handler", "Runtime.MalformedHandlerName", "Bad handler 'handler'"),
    ],
)
def test_a_handler_that_is_not_there(functions: Functions, handler: str, kind: str, words: str) -> None:
    name = f"lost-{kind.rpartition('.')[2]}"
    functions.make(name, Handler=handler)
    document, error = functions.invoke(name)
    assert (error, document["errorType"]) == ("Unhandled", kind)
    assert words in document["errorMessage"]


def test_node_runs_promises_and_callbacks(functions: Functions) -> None:
    if shutil.which("node") is None and shutil.which("nodejs") is None:
        with pytest.raises(ClientError, match=r"Node\.js, which is not installed"):
            functions.make("js", "nodejs20.x")
        return
    functions.make("js", "nodejs20.x")
    answer, error = functions.invoke("js", do="echo")
    assert (error, answer["event"], answer["stage"], answer["version"]) == (None, {"do": "echo"}, "test", "$LATEST")
    assert 0 < answer["left"] <= 3000
    document, error = functions.invoke("js", do="throw")
    assert (error, document["errorType"], document["errorMessage"]) == ("Unhandled", "TypeError", "that was wrong")
    document, error = functions.invoke("js", do="never")
    assert (error, document["errorType"]) == ("Unhandled", "Sandbox.Timedout")
    functions.client.update_function_configuration(FunctionName="js", Handler="index.callback")
    functions.client.get_waiter("function_updated_v2").wait(FunctionName="js", WaiterConfig={"Delay": 1})
    assert functions.invoke("js", value=7) == ({"late": 7}, None)


def test_output_becomes_log_events_between_start_and_report(functions: Functions) -> None:
    answer = functions.client.invoke(FunctionName="py", Payload=b'{"value": "logged"}', LogType="Tail")
    stream = json.loads(answer["Payload"].read())["stream"]
    request_id = answer["ResponseMetadata"]["RequestId"]
    tail = base64.b64decode(answer["LogResult"]).decode()
    logs = functions.lab.client("logs")

    def delivered() -> list[str] | None:
        found = logs.get_log_events(logGroupName="/aws/lambda/py", logStreamName=stream, startFromHead=True)["events"]
        lines = [event["message"] for event in found]
        return lines if any(line.startswith(f"REPORT RequestId: {request_id}") for line in lines) else None

    lines = until(lambda: _found(delivered))
    own = lines[lines.index(f"START RequestId: {request_id} Version: $LATEST") :]
    assert own[1] == "heard {'value': 'logged'}"
    assert own[2].startswith("[INFO]\t")
    assert own[2].endswith(f"Z\t{request_id}\tsaid")
    assert own[3] == f"END RequestId: {request_id}"
    assert own[4].startswith(f"REPORT RequestId: {request_id}\tDuration: ")
    assert "\tMemory Size: 128 MB\tMax Memory Used: " in own[4]
    assert all(line in tail for line in own[:5])


def _found(look: Any) -> Any:
    try:
        return look()
    except ClientError:
        return None


def test_a_role_that_may_not_write_logs_has_none(functions: Functions) -> None:
    functions.make("silent", Role=role(functions.lab, "silent", LAMBDA))
    assert functions.invoke("silent")[1] is None
    logs = functions.lab.client("logs")
    later = functions.client.invoke(FunctionName="py", Payload=b"{}")["ResponseMetadata"]["RequestId"]
    until(lambda: logs.filter_log_events(logGroupName="/aws/lambda/py", filterPattern=f'"END RequestId: {later}"')["events"])
    assert logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/silent")["logGroups"] == []


def test_the_sdk_inside_finds_the_region_and_the_role(functions: Functions) -> None:
    who, _ = functions.invoke("py", do="call", service="sts", operation="get_caller_identity")
    assert who.endswith(":assumed-role/functions/py")
    assert functions.invoke("py", do="call", service="ec2", operation="describe_vpcs") == ("done", None)
    assert "UnauthorizedOperation" in functions.invoke("py", do="call", service="ec2", operation="create_vpc", params={"CidrBlock": "10.0.0.0/16"})[0]


def test_a_function_is_shut_in(functions: Functions) -> None:
    state = functions.lab.region.state
    paths = [str(state), "/run", "/run/latticewall", "/work", "/root", "/home", "/etc/shadow", "/var/log", "/var/lib", "/sys", "/proc/2", "/var/task/index.py"]
    seen, _ = functions.invoke("py", do="look", paths=paths)
    assert seen["there"] == ["/var/task/index.py"]
    assert set(seen["root"]) <= {"bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "sbin", "tmp", "usr", "var"}
    assert seen["processes"] == [1]
    assert seen["user"] >= 62000
    assert seen["interfaces"] == ["lo"]
    status = dict(line.split(":\t", 1) for line in seen["status"].splitlines() if ":\t" in line)
    assert {name: status[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == dict.fromkeys(("CapEff", "CapPrm", "CapBnd", "CapAmb"), "0" * 16)
    assert status["NoNewPrivs"] == "1"


def test_events_at_the_same_time_have_environments_of_their_own(functions: Functions) -> None:
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(functions.invoke("py", do="sleep", seconds=2.0))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(answer["pid"], error) for answer, error in found] == [(1, None)] * 3
    assert max(answer["from"] for answer, _ in found) < min(answer["to"] for answer, _ in found)


def test_reserved_concurrency_throttles(functions: Functions) -> None:
    functions.client.put_function_concurrency(FunctionName="py", ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError) as refused:
        until(lambda: functions.invoke("py")[1] == "never")
    assert (refused.value.response["Error"]["Code"], refused.value.response["ResponseMetadata"]["HTTPStatusCode"]) == ("TooManyRequestsException", 429)
    assert refused.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    functions.client.delete_function_concurrency(FunctionName="py")
    until(lambda: _found(lambda: functions.invoke("py")[1] is None))


def test_versions_stay_and_aliases_share(functions: Functions) -> None:
    client = functions.client
    functions.make("app", Publish=True)
    client.update_function_configuration(FunctionName="app", Environment={"Variables": {"STAGE": "second"}})
    client.get_waiter("function_updated_v2").wait(FunctionName="app", WaiterConfig={"Delay": 1})
    assert client.publish_version(FunctionName="app")["Version"] == "2"
    assert client.publish_version(FunctionName="app")["Version"] == "2"
    client.create_alias(FunctionName="app", Name="live", FunctionVersion="1")
    assert [functions.invoke(f"app:{name}")[0]["stage"] for name in ("1", "2", "live", "$LATEST")] == ["test", "second", "test", "second"]
    client.update_alias(FunctionName="app", Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
    until(lambda: {functions.invoke("app:live")[0]["stage"] for _ in range(10)} == {"test", "second"})
    with pytest.raises(ClientError, match="it is used by alias: live"):
        client.delete_function(FunctionName="app", Qualifier="2")
    client.delete_function(FunctionName="app")
    with pytest.raises(ClientError, match="Function not found"):
        functions.invoke("app:live")


def test_the_code_can_be_fetched_and_replaced(functions: Functions) -> None:
    functions.make("code")
    location = functions.client.get_function(FunctionName="code")["Code"]["Location"]
    assert urllib.request.urlopen(location).read() == package(index_py=PYTHON)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(location[:-1] + ("0" if location[-1] != "0" else "1"))
    functions.client.update_function_code(FunctionName="code", ZipFile=package(index_py="def handler(event, context):\n    return 'new'\n"))
    functions.client.get_waiter("function_updated_v2").wait(FunctionName="code", WaiterConfig={"Delay": 1})
    assert functions.invoke("code") == ("new", None)


def test_an_asynchronous_event_survives_the_process(functions: Functions) -> None:
    """It is acknowledged, the process is killed in the middle, and it is handled all the same."""
    answer = functions.client.invoke(FunctionName="py", InvocationType="Event", Payload=json.dumps({"do": "sleep", "seconds": 1, "mark": "kept"}))
    assert answer["StatusCode"] == 202
    request_id = answer["ResponseMetadata"]["RequestId"]
    functions.lab.region.kill("functions")

    def handled() -> bool:
        found = functions.lab.client("logs").filter_log_events(logGroupName="/aws/lambda/py", filterPattern=f'"{request_id}"')["events"]
        return any(event["message"].startswith("REPORT") for event in found)

    until(handled, 30)
    assert functions.invoke("py")[1] is None


# -- through VPC Lattice ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mesh(functions: Functions) -> Mesh:
    return build(functions)


def test_version_1_of_the_event(mesh: Mesh) -> None:
    event = mesh.event("/v1/a%20b?x=1&x=2%20&y", "-H", "x-twice: one", "-H", "x-twice: two", "-H", "x-amzn-lattice-identity: Principal=forged")
    assert (event["raw_path"], event["method"], event["body"], event["is_base64_encoded"]) == ("/v1/a%20b?x=1&x=2%20&y", "GET", "", False)
    assert event["query_string_parameters"] == {"x": "2%20", "y": ""}
    headers = event["headers"]
    assert (headers["x-twice"], headers["x-forwarded-for"], headers["host"]) == ("one, two", "10.77.1.10", mesh.service["dnsEntry"]["domainName"])
    assert f"TargetGroupArn={mesh.groups['v1']['arn']}" in headers["x-amzn-lattice-target"]
    assert headers["x-amzn-lattice-network"].startswith("SourceVpcArn=arn:aws:ec2:")
    assert "x-amzn-lattice-identity" not in headers
    assert "requestContext" not in event


def test_version_2_of_the_event(mesh: Mesh) -> None:
    before = time.time()
    event = mesh.event("/v2/x?a=1&a=2", "-H", "x-twice: one", "-H", "x-twice: two", "-H", "x-amzn-lattice-network: SourceVpcArn=forged", "-X", "PUT")
    assert (event["version"], event["path"], event["method"], event["isBase64Encoded"]) == ("2.0", "/v2/x?a=1&a=2", "PUT", False)
    assert event["queryStringParameters"] == {"a": ["1", "2"]}
    assert event["headers"]["x-twice"] == ["one", "two"]
    assert not [name for name in event["headers"] if name.startswith("x-amzn-lattice-")]
    context = event["requestContext"]
    assert (context["serviceArn"], context["targetGroupArn"]) == (mesh.service["arn"], mesh.groups["v2"]["arn"])
    assert (context["serviceNetworkArn"].rpartition("/")[2], context["region"]) == (mesh.network, mesh.functions.lab.region.name)
    assert context["identity"] == {"sourceVpcArn": context["identity"]["sourceVpcArn"]}
    assert context["identity"]["sourceVpcArn"].rpartition("/")[2].startswith("vpc-")
    assert before - 1 < int(context["timeEpoch"]) / 1e6 < time.time() + 1


@pytest.mark.parametrize(
    ("kind", "encoding", "encoded"),
    [
        ("application/json", "", False), ("text/csv; charset=utf-8", "", False), ("application/xml", "", False), ("application/javascript", "", False),
        ("application/json", "gzip", True), ("application/octet-stream", "", True), ("application/x-www-form-urlencoded", "", True),
    ],
)  # fmt: skip
def test_bodies_are_text_or_base64_by_their_type(mesh: Mesh, kind: str, encoding: str, encoded: bool) -> None:
    options = ["-H", f"content-type: {kind}", "--data-binary", '{"é": 1}', *(["-H", f"content-encoding: {encoding}"] if encoding else [])]
    event = mesh.event("/v2", *options)
    assert event["isBase64Encoded"] is encoded
    assert (base64.b64decode(event["body"]).decode() if encoded else event["body"]) == '{"é": 1}'


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/v1/teapot", 418, "short and stout"), ("/v2/none", 204, ""), ("/v1/malformed", 502, "Bad Gateway"), ("/v2/fail", 502, "Bad Gateway"),
        ("/v2/exit", 502, "Bad Gateway"), ("/v1/late", 502, "Bad Gateway"), ("/v2/large", 502, "Bad Gateway"),
    ],
)  # fmt: skip
def test_what_a_function_answers_becomes_a_response(mesh: Mesh, path: str, status: int, body: str) -> None:
    assert mesh.ask(path) == (status, body)


def test_bytes_come_through_both_ways(mesh: Mesh) -> None:
    program = "import hashlib, sys, urllib.request; print(hashlib.sha256(urllib.request.urlopen(sys.argv[1]).read()).hexdigest())"
    url = f"http://{mesh.service['dnsEntry']['domainName']}/v1/bytes"
    done = mesh.functions.lab.run(mesh.client, "python3", "-c", program, url)
    assert done.stdout.strip() == hashlib.sha256(bytes(range(256))).hexdigest(), done.stderr


def test_a_request_of_more_than_6_mb_is_refused(mesh: Mesh) -> None:
    send = ("head -c {size} /dev/zero | curl -s -m 14 -o /dev/null -w '%{{http_code}}' -H 'content-type: application/octet-stream' --data-binary @- {url}")
    url = f"http://{mesh.service['dnsEntry']['domainName']}/v2"
    large = mesh.functions.lab.run(mesh.client, "sh", "-c", send.format(size=6 * 1024 * 1024 + 1, url=url))
    assert large.stdout == "413"
    assert mesh.functions.lab.run(mesh.client, "sh", "-c", send.format(size=1024 * 1024, url=url)).stdout == "200"


def test_who_signed_is_in_the_event_once_policies_judge(mesh: Mesh) -> None:
    mesh.lattice.update_service(serviceIdentifier=mesh.service["id"], authType="AWS_IAM")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "vpc-lattice-svcs:Invoke", "Resource": "*",
                                                     "Condition": {"StringNotEqualsIgnoreCase": {"aws:PrincipalType": "anonymous"}}}]}  # fmt: skip
    mesh.lattice.put_auth_policy(resourceIdentifier=mesh.service["id"], policy=json.dumps(policy))
    until(lambda: mesh.ask("/v2")[0] == 403)
    lab = mesh.functions.lab
    url = f"http://{mesh.service['dnsEntry']['domainName']}"
    status, body = lab.signed(mesh.client, f"{url}/v2/signed")
    assert status == 200, body
    identity = json.loads(body)["requestContext"]["identity"]
    account = lab.client("sts").get_caller_identity()["Account"]
    assert (identity["type"], identity["sessionName"]) == ("AWS_IAM", mesh.client)
    assert identity["principal"] == f"arn:aws:sts::{account}:assumed-role/caller/{mesh.client}"
    _, body = lab.signed(mesh.client, f"{url}/v1/signed")
    assert f"Principal={identity['principal']}" in json.loads(body)["headers"]["x-amzn-lattice-identity"]
    mesh.lattice.update_service(serviceIdentifier=mesh.service["id"], authType="NONE")
    until(lambda: mesh.ask("/v2")[0] == 200)


def test_an_alias_is_a_target(mesh: Mesh) -> None:
    assert mesh.event("/live")["requestContext"]["targetGroupArn"] == mesh.groups["live"]["arn"]
    lattice, arn = mesh.lattice, mesh.functions.client.get_function(FunctionName="web")["Configuration"]["FunctionArn"]
    assert lattice.list_targets(targetGroupIdentifier=mesh.groups["live"]["id"])["items"] == [
        {"id": f"{arn}:live", "status": "UNAVAILABLE", "reasonCode": "HealthCheckNotSupported"}
    ]


def test_requests_are_answered_while_the_control_plane_is_away(mesh: Mesh) -> None:
    region = mesh.functions.lab.region
    os.kill(region.pid("control-plane"), signal.SIGSTOP)
    try:
        assert [mesh.ask(path)[0] for path in ("/v1", "/v2", "/live")] == [200] * 3
    finally:
        region.kill("control-plane")
    assert [mesh.ask(path)[0] for path in ("/v1", "/v2", "/live")] == [200] * 3
    until(lambda: _away(region.settle), 30)
    assert mesh.ask("/v2")[0] == 200


def _away(look: Any) -> bool:
    try:
        look()
    except Exception:  # noqa: BLE001 - whatever says that nobody is there yet
        return False
    return True


def test_without_permission_nothing_is_invoked(mesh: Mesh) -> None:
    client = mesh.functions.client
    policy = json.loads(client.get_policy(FunctionName="web")["Policy"])
    (given,) = [one for one in policy["Statement"] if one["Condition"]["ArnLike"]["AWS:SourceArn"] == mesh.groups["v1"]["arn"]]
    assert given["Principal"] == {"Service": "vpc-lattice.amazonaws.com"}
    client.remove_permission(FunctionName="web", StatementId=given["Sid"])
    until(lambda: mesh.ask("/v1")[0] == 503)
    assert mesh.ask("/v2")[0] == 200
    permission = {"Action": "lambda:InvokeFunction", "Principal": "vpc-lattice.amazonaws.com", "SourceArn": mesh.groups["v1"]["arn"]}
    client.add_permission(FunctionName="web", StatementId="by-hand", **permission)
    until(lambda: mesh.ask("/v1")[0] == 200)


def test_a_record_of_a_functions_request_has_no_target_address(mesh: Mesh) -> None:
    logs = mesh.functions.lab.client("logs")
    logs.create_log_group(logGroupName="/functions/access")
    arn = logs.describe_log_groups(logGroupNamePrefix="/functions/access")["logGroups"][0]["logGroupArn"]
    mesh.lattice.create_access_log_subscription(resourceIdentifier=mesh.service["id"], destinationArn=arn)

    def record() -> dict[str, Any] | None:
        mesh.ask("/v2/logged")
        found = logs.filter_log_events(logGroupName="/functions/access")["events"]
        records = (json.loads(event["message"]) for event in found)
        return next((record for record in records if record["requestPath"] == "/v2/logged"), None)

    found = until(record)
    assert (found["targetIpPort"], found["destinationVpcId"], found["responseCode"]) == ("-", "-", 200)
    assert found["targetGroupArn"] == mesh.groups["v2"]["arn"]


def test_a_deregistered_function_gets_nothing(mesh: Mesh) -> None:
    target = mesh.lattice.list_targets(targetGroupIdentifier=mesh.groups["live"]["id"])["items"][0]["id"]
    unknown = mesh.lattice.deregister_targets(targetGroupIdentifier=mesh.groups["live"]["id"], targets=[{"id": f"{target}x"}])
    assert unknown["unsuccessful"][0]["failureCode"] == "TargetNotFound"
    mesh.lattice.deregister_targets(targetGroupIdentifier=mesh.groups["live"]["id"], targets=[{"id": target}])
    until(lambda: mesh.ask("/live")[0] == 503)
