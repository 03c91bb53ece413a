"""Functions as the API keeps and shows them; nothing runs here."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import urllib.parse
import zipfile
from typing import Any

import pytest
from tests.region import ACCOUNT, NAME, Region, client

from latticewall.control_plane.functions import FunctionsPort
from latticewall.services.lambda_ import code

TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
ARN = f"arn:aws:lambda:{NAME}:{ACCOUNT}:function:f"


def package(text: str = "def handler(event, context): pass\n", name: str = "index.py") -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), text)
    return held.getvalue()


@pytest.fixture
def functions(region: Region) -> Any:
    region.iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))
    region.iam.create_role(RoleName="other", AssumeRolePolicyDocument=json.dumps(TRUST).replace("lambda.", "ec2."))
    return client("lambda")


def given(**more: Any) -> dict[str, Any]:
    return {
        "FunctionName": "f", "Runtime": "python3.12", "Role": f"arn:aws:iam::{ACCOUNT}:role/r", "Handler": "index.handler",
        "Code": {"ZipFile": package()}, **more,
    }  # fmt: skip


def test_a_function_is_pending_until_it_is_there(region: Region, functions: Any) -> None:
    made = functions.create_function(**given(Tags={"a": "b"}))
    assert region.last_status == 201
    digest = base64.b64encode(hashlib.sha256(package()).digest()).decode()
    assert (made["FunctionArn"], made["State"], made["LastUpdateStatus"], made["Version"]) == (ARN, "Pending", "InProgress", "$LATEST")
    assert (made["CodeSha256"], made["CodeSize"], made["Timeout"], made["MemorySize"]) == (digest, len(package()), 3, 128)
    assert made["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"}
    assert (made["EphemeralStorage"], made["PackageType"], made["Architectures"]) == ({"Size": 512}, "Zip", ["x86_64"])
    with region.refused("ResourceConflictException", "currently in the following state: Pending"):
        functions.invoke(FunctionName="f")
    with region.refused("ResourceConflictException", "An update is in progress"):
        functions.update_function_configuration(FunctionName="f", Timeout=5)
    region.settle()
    found = functions.get_function(FunctionName=ARN)
    assert (found["Configuration"]["State"], found["Configuration"]["LastUpdateStatus"], found["Tags"]) == ("Active", "Successful", {"a": "b"})
    location = urllib.parse.urlsplit(found["Code"]["Location"])
    download = region.endpoint.download
    assert download is not None
    assert download(location.path, dict(urllib.parse.parse_qsl(location.query))).body == package()
    assert download(location.path, {}).status == 403


def test_a_change_is_in_progress_until_the_data_plane_has_it(region: Region, functions: Any) -> None:
    before = functions.create_function(**given())
    region.settle()
    changed = functions.update_function_configuration(FunctionName="f", Timeout=900, MemorySize=10240, Environment={"Variables": {"AB": "c"}})
    assert (changed["LastUpdateStatus"], changed["State"], changed["Timeout"], changed["Environment"]) == (
        "InProgress", "Active", 900, {"Variables": {"AB": "c"}},
    )  # fmt: skip
    assert changed["RevisionId"] != before["RevisionId"]
    region.settle({ARN: "its code cannot be unpacked"})
    failed = functions.get_function_configuration(FunctionName="f")
    assert (failed["State"], failed["LastUpdateStatus"], failed["LastUpdateStatusReason"]) == ("Active", "Failed", "its code cannot be unpacked")
    with region.refused("PreconditionFailedException"):
        functions.update_function_code(FunctionName="f", ZipFile=package("x"), RevisionId="00000000-0000-4000-a000-000000000000")
    assert functions.update_function_code(FunctionName="f", ZipFile=package("x = 1\n"), DryRun=True)["CodeSha256"] != failed["CodeSha256"]
    assert functions.get_function_configuration(FunctionName="f")["CodeSha256"] == failed["CodeSha256"]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"Role": f"arn:aws:iam::{ACCOUNT}:role/other"}, "The role defined for the function cannot be assumed by Lambda."),
    ({"Role": f"arn:aws:iam::{ACCOUNT}:role/none"}, "The role defined for the function cannot be assumed by Lambda."),
    ({"Role": "arn:aws:iam::999988887777:role/r"}, "Cross-account pass role is not allowed."),
    ({"Timeout": 901}, "less than or equal to 900"),
    ({"MemorySize": 10241}, "less than or equal to 10240"),
    ({"MemorySize": 127}, "greater than or equal to 128"),
    ({"Runtime": "java21"}, "The runtime java21 is not there: python3.x and nodejs are"),
    ({"Runtime": "cobol"}, "runtime"),
    ({"Code": {"ZipFile": b"no zip"}}, "Could not unzip uploaded file"),
    ({"Code": {"ZipFile": package(name="../outside")}}, "Could not unzip uploaded file"),
    ({"Code": {"ZipFile": package(name="/etc/passwd")}}, "Could not unzip uploaded file"),
    ({"Code": {}}, "Please provide a source for function code."),
    ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "reserved keys"),
    ({"Environment": {"Variables": {"AB": "x" * 4096}}}, "exceeded the 4KB limit"),
    ({"VpcConfig": {"SubnetIds": ["subnet-1"]}}, "Functions in a VPC are not supported"),
    ({"Layers": ["arn:aws:lambda:eu-north-7:111122223333:layer:l:1"]}, "layers are not there"),
    ({"PackageType": "Image", "Code": {"ImageUri": "x"}}, "package type Zip"),
    ({"Handler": None}, "Handler is mandatory"),
]


@pytest.mark.parametrize(("change", "words"), REFUSED, ids=lambda value: value if isinstance(value, str) else next(iter(value)))
def test_what_cannot_be_is_refused_with_its_name(region: Region, functions: Any, change: dict[str, Any], words: str) -> None:
    params = {name: value for name, value in given(**change).items() if value is not None}
    with region.refused("InvalidParameterValueException", words):
        functions.create_function(**params)


def test_names_arns_and_qualifiers(region: Region, functions: Any) -> None:
    functions.create_function(**given())
    with region.refused("ResourceConflictException", "Function already exist: f"):
        functions.create_function(**given())
    region.settle()
    for name in ("f", ARN, f"{ACCOUNT}:function:f", "function:f"):
        assert functions.get_function_configuration(FunctionName=name)["FunctionArn"] == ARN
    assert functions.get_function_configuration(FunctionName="f:$LATEST")["FunctionArn"] == f"{ARN}:$LATEST"
    for name in ("g", ARN.replace(ACCOUNT, "999988887777"), ARN.replace(NAME, "eu-north-8"), "f:1", "f:none"):
        with region.refused("ResourceNotFoundException", "Function not found: arn:aws:lambda:"):
            functions.get_function(FunctionName=name)
        assert region.last_status == 404
    with region.refused("InvalidParameterValueException", "derived qualifier"):
        functions.get_function(FunctionName="f:1", Qualifier="2")
    assert [one["FunctionName"] for one in functions.list_functions()["Functions"]] == ["f"]
    functions.delete_function(FunctionName="f")
    with region.refused("ResourceNotFoundException"):
        functions.delete_function(FunctionName="f")
    functions.create_function(**given())


def test_versions_and_aliases(region: Region, functions: Any) -> None:
    functions.create_function(**given(Publish=True))
    region.settle()
    assert functions.publish_version(FunctionName="f")["Version"] == "1"
    functions.update_function_code(FunctionName="f", ZipFile=package("x = 1\n"))
    region.settle()
    second = functions.publish_version(FunctionName="f", Description="second")
    assert (second["Version"], second["FunctionArn"], second["Description"]) == ("2", f"{ARN}:2", "second")
    assert [one["Version"] for one in functions.list_versions_by_function(FunctionName="f")["Versions"]] == ["$LATEST", "1", "2"]
    page = functions.list_versions_by_function(FunctionName="f", MaxItems=2)
    assert [one["Version"] for one in functions.list_versions_by_function(FunctionName="f", Marker=page["NextMarker"])["Versions"]] == ["2"]
    weights = {"AdditionalVersionWeights": {"2": 0.25}}
    alias = functions.create_alias(FunctionName="f", Name="live", FunctionVersion="1", RoutingConfig=weights)
    assert (alias["AliasArn"], alias["RoutingConfig"]) == (f"{ARN}:live", weights)
    assert functions.get_function_configuration(FunctionName="f:live")["Version"] == "1"
    with region.refused("ResourceConflictException", "Alias already exists"):
        functions.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    with region.refused("ResourceNotFoundException", f"{ARN}:7"):
        functions.create_alias(FunctionName="f", Name="next", FunctionVersion="7")
    for version in ("1", "2"):
        with region.refused("ResourceConflictException", "it is used by alias: live"):
            functions.delete_function(FunctionName="f", Qualifier=version)
    functions.update_alias(FunctionName="f", Name="live", RoutingConfig={"AdditionalVersionWeights": {}})
    assert [one["Name"] for one in functions.list_aliases(FunctionName="f", FunctionVersion="1")["Aliases"]] == ["live"]
    functions.delete_alias(FunctionName="f", Name="live")
    functions.delete_alias(FunctionName="f", Name="live")
    functions.delete_function(FunctionName="f", Qualifier="1")
    with region.refused("ResourceNotFoundException"):
        functions.get_alias(FunctionName="f", Name="live")


def test_a_policy_has_statements_for_each_qualifier(region: Region, functions: Any) -> None:
    functions.create_function(**given(Publish=True))
    region.settle()
    with region.refused("ResourceNotFoundException", "does not exist"):
        functions.get_policy(FunctionName="f")
    source = f"arn:aws:vpc-lattice:{NAME}:{ACCOUNT}:targetgroup/tg-1"
    permission = {"Action": "lambda:InvokeFunction", "Principal": "vpc-lattice.amazonaws.com", "SourceArn": source}
    statement = json.loads(functions.add_permission(FunctionName="f", StatementId="s", **permission)["Statement"])
    assert statement == {
        "Sid": "s", "Effect": "Allow", "Principal": {"Service": "vpc-lattice.amazonaws.com"}, "Action": "lambda:InvokeFunction", "Resource": ARN,
        "Condition": {"ArnLike": {"AWS:SourceArn": permission["SourceArn"]}},
    }  # fmt: skip
    with region.refused("ResourceConflictException", "The statement id (s) provided already exists"):
        functions.add_permission(FunctionName="f", StatementId="s", **permission)
    functions.add_permission(FunctionName="f", StatementId="s", Qualifier="1", Action="lambda:InvokeFunction", Principal=ACCOUNT)
    (other,) = json.loads(functions.get_policy(FunctionName="f:1")["Policy"])["Statement"]
    assert (other["Principal"], other["Resource"]) == ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, f"{ARN}:1")
    with region.refused("InvalidParameterValueException", "principal was invalid"):
        functions.add_permission(FunctionName="f", StatementId="t", Action="lambda:InvokeFunction", Principal="nobody")
    with region.refused("ResourceNotFoundException", "Statement none is not found"):
        functions.remove_permission(FunctionName="f", StatementId="none")
    functions.remove_permission(FunctionName="f", StatementId="s")
    with region.refused("ResourceNotFoundException"):
        functions.get_policy(FunctionName="f")


def test_concurrency_can_be_reserved_as_far_as_it_goes(region: Region, functions: Any) -> None:
    functions.create_function(**given())
    assert "ReservedConcurrentExecutions" not in functions.get_function_concurrency(FunctionName="f")
    with region.refused("InvalidParameterValueException", "UnreservedConcurrentExecution below its minimum value of [100]"):
        functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=101)
    functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=40)
    limit = functions.get_account_settings()["AccountLimit"]
    assert (limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]) == (200, 160)
    functions.delete_function_concurrency(FunctionName="f")
    assert functions.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 200


def test_tags(region: Region, functions: Any) -> None:
    functions.create_function(**given())
    functions.tag_resource(Resource=ARN, Tags={"a": "b", "c": "d"})
    functions.untag_resource(Resource=ARN, TagKeys=["a"])
    assert functions.list_tags(Resource=ARN)["Tags"] == {"c": "d"}


def test_policies_decide_who_may(region: Region, functions: Any) -> None:
    """Making a function takes iam:PassRole; invoking one is lambda:InvokeFunction, whatever the spelling of its name."""
    functions.create_function(**given())
    region.settle()

    def user(*statements: dict[str, Any]) -> Any:
        return region.as_user("lambda", json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))

    everything = {"Effect": "Allow", "Action": "lambda:*", "Resource": "*"}
    plain = user(everything)
    with region.refused("AccessDeniedException", "iam:PassRole"):
        plain.create_function(**given(FunctionName="g"))
    passing = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}}
    user(everything, passing).create_function(**given(FunctionName="g"))
    denied = user(everything, {"Effect": "Deny", "Action": "lambda:InvokeFunction", "Resource": ARN})
    for name in ("f", ARN, f"{ACCOUNT}:function:f", "f:$LATEST"):
        with region.refused("AccessDeniedException", "lambda:InvokeFunction"):
            denied.invoke(FunctionName=name, InvocationType="DryRun")
    allowed = user({"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": ARN})
    assert allowed.invoke(FunctionName="f", InvocationType="DryRun")["StatusCode"] == 204
    with region.refused("AccessDeniedException", "lambda:GetFunction"):
        allowed.get_function(FunctionName="f")
    nothing = user({"Effect": "Allow", "Action": "lambda:ListFunctions", "Resource": "*"})
    with region.refused("AccessDeniedException", "lambda:InvokeFunction"):
        nothing.invoke(FunctionName="f", InvocationType="DryRun")
    alice = f"arn:aws:iam::{ACCOUNT}:user/alice"
    functions.add_permission(FunctionName="f", StatementId="alice", Action="lambda:InvokeFunction", Principal=alice)
    assert nothing.invoke(FunctionName="f", InvocationType="DryRun")["StatusCode"] == 204


def test_a_payload_is_looked_at_before_anything_runs(region: Region, functions: Any) -> None:
    functions.create_function(**given())
    region.settle()
    with region.refused("InvalidRequestContentException", "Could not parse request body into json"):
        functions.invoke(FunctionName="f", Payload=b"{")
    with region.refused("RequestTooLargeException", "6291457 byte payload is too large for the RequestResponse invocation type"):
        functions.invoke(FunctionName="f", Payload=b'"' + b"x" * 6291455 + b'"')
    with region.refused("InvalidRequestContentException", "Client context"):
        functions.invoke(FunctionName="f", ClientContext="!")
    with region.refused("InvalidRequestContentException", "Client context"):
        functions.invoke(FunctionName="f", ClientContext=base64.b64encode(b"[" * 100_000).decode())
    with region.refused("ServiceException", "the functions process does not answer"):
        functions.invoke(FunctionName="f", Payload=b"{}")


def test_code_comes_from_s3_to_those_who_may_read_it(region: Region, functions: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="code", CreateBucketConfiguration={"LocationConstraint": NAME})
    s3.put_object(Bucket="code", Key="f/1.zip", Body=package())
    source = {"S3Bucket": "code", "S3Key": "f/1.zip"}
    assert functions.create_function(**given(Code=source))["CodeSize"] == len(package())
    for wrong, words in (({**source, "S3Key": "none"}, "NoSuchKey"), ({**source, "S3Bucket": "other"}, "NoSuchBucket")):
        with region.refused("InvalidParameterValueException", words):
            functions.create_function(**given(FunctionName="g", Code=wrong))
    with monkeypatch.context() as patched, region.refused("InvalidParameterValueException", "Unzipped size must be smaller"):
        patched.setattr(code, "LARGEST_OBJECT", len(package()) - 1)
        patched.setattr(FunctionsPort, "keep", lambda *_: pytest.fail("read before it was judged"))
        functions.create_function(**given(FunctionName="g", Code=source))
    statements = [{"Effect": "Allow", "Action": ["lambda:*", "iam:PassRole"], "Resource": "*"}]
    user = region.as_user("lambda", json.dumps({"Version": "2012-10-17", "Statement": statements}))
    with region.refused("AccessDeniedException", "s3:GetObject on resource: arn:aws:s3:::code/f/1.zip"):
        user.create_function(**given(FunctionName="g", Code=source))
    statements.append({"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::code/f/*"})
    user = region.as_user("lambda", json.dumps({"Version": "2012-10-17", "Statement": statements}))
    user.create_function(**given(FunctionName="g", Code=source))
    closed = {"Effect": "Deny", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::code/*"}
    s3.put_bucket_policy(Bucket="code", Policy=json.dumps({"Version": "2012-10-17", "Statement": [closed]}))
    with region.refused("AccessDeniedException", "s3:GetObject"):
        user.create_function(**given(FunctionName="h", Code=source))


def test_no_function_is_signed_or_watched_for_loops(region: Region, functions: Any) -> None:
    functions.create_function(**given())
    assert functions.get_function_code_signing_config(FunctionName="f")["FunctionName"] == "f"
    assert functions.get_function_recursion_config(FunctionName="f")["RecursiveLoop"] == "Allow"
    for question in (functions.get_function_code_signing_config, functions.get_function_recursion_config):
        with region.refused("ResourceNotFoundException", "Function not found"):
            question(FunctionName="nobody")


def test_a_name_may_end_in_the_word_that_leads_to_names(region: Region, functions: Any) -> None:
    functions.create_function(**given(FunctionName="myfunction"))
    region.settle()
    functions.publish_version(FunctionName="myfunction")
    arn = ARN.rpartition(":")[0] + ":myfunction"
    for name in ("myfunction", "myfunction:1", "function:myfunction:1", f"{ACCOUNT}:function:myfunction:1", arn, f"{arn}:1"):
        assert functions.get_function(FunctionName=name)["Configuration"]["FunctionName"] == "myfunction"
    for name in ("999988887777:function:myfunction:1", "myfunction:2", "function:function:1"):
        with region.refused("ResourceNotFoundException"):
            functions.get_function(FunctionName=name)
