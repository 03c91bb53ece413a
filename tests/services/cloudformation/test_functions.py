"""Lambda's types: inline code, versions, aliases, permissions, and a function behind VPC Lattice."""

from __future__ import annotations

import io
import json
import urllib.parse
import zipfile
from typing import Any

from .region import Region, client
from .test_stacks import template
from .test_types import att, of, ref

TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
SOURCE = "def handler(event, context):\n    return {n}\n"


def stack(number: int, timeout: int, version: str, weight: list[dict[str, Any]], **function: Any) -> dict[str, Any]:
    return template(
        {
            "Name": {"Value": ref("Function")}, "Arn": {"Value": att("Function", "Arn")}, "Number": {"Value": att("First", "Version")},
            "Version": {"Value": ref("First")}, "Alias": {"Value": ref("Live")}, "Permission": {"Value": ref("Permission")},
        },
        Role=of("IAM::Role", AssumeRolePolicyDocument=TRUST),
        Function=of(
            "Lambda::Function", Runtime="python3.12", Handler="index.handler", Role=att("Role", "Arn"), Timeout=timeout,
            Code={"ZipFile": SOURCE.format(n=number)}, Tags=[{"Key": "team", "Value": str(number)}], **function,
        ),
        First=of("Lambda::Version", FunctionName=ref("Function")),
        Live=of(
            "Lambda::Alias", FunctionName=ref("Function"), Name="live", FunctionVersion=version or att("First", "Version"),
            **({"RoutingConfig": {"AdditionalVersionWeights": weight}} if weight else {}),
        ),
        Permission=of(
            "Lambda::Permission", FunctionName=ref("Live"), Action="lambda:InvokeFunction", Principal="vpc-lattice.amazonaws.com",
            SourceAccount="111122223333",
        ),
        Group=of("VpcLattice::TargetGroup", Type="LAMBDA", Config={"LambdaEventStructureVersion": "V2"}, Targets=[{"Id": att("Function", "Arn")}]),
    )  # fmt: skip


def code_of(region: Region, name: str) -> str:
    """The source that GetFunction's location serves."""
    location = urllib.parse.urlsplit(client("lambda").get_function(FunctionName=name)["Code"]["Location"])
    answer = region.functions.download(location.path, dict(urllib.parse.parse_qsl(location.query)))
    assert answer.status == 200
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        return archive.read("index.py").decode()


def test_functions_come_change_in_place_and_go(region: Region) -> None:
    assert region.deploy(stack(1, 3, "", [])) == "CREATE_COMPLETE", region.reasons()
    outputs = region.outputs()
    name = outputs["Name"]
    assert outputs["Arn"] == f"arn:aws:lambda:eu-north-7:111122223333:function:{name}"
    assert (outputs["Version"], outputs["Number"], outputs["Alias"]) == (f"{outputs['Arn']}:1", "1", f"{outputs['Arn']}:live")
    functions = client("lambda")
    assert code_of(region, name) == SOURCE.format(n=1)
    (statement,) = json.loads(functions.get_policy(FunctionName=name, Qualifier="live")["Policy"])["Statement"]
    assert (statement["Sid"], statement["Resource"]) == (outputs["Permission"], outputs["Alias"])
    (group,) = region.lattice.list_target_groups()["items"]
    assert group["lambdaEventStructureVersion"] == "V2"
    assert [item["id"] for item in region.lattice.list_targets(targetGroupIdentifier=group["id"])["items"]] == [outputs["Arn"]]
    kept = {key: found["PhysicalResourceId"] for key, found in region.resources().items()}
    changed = stack(2, 9, "$LATEST", [], Environment={"Variables": {"NAME": "value"}}, ReservedConcurrentExecutions=5)
    assert region.deploy(changed) == "UPDATE_COMPLETE", region.reasons()
    assert {key: found["PhysicalResourceId"] for key, found in region.resources().items()} == kept
    found = functions.get_function(FunctionName=name)
    configuration = found["Configuration"]
    assert (configuration["Timeout"], configuration["Environment"]["Variables"]) == (9, {"NAME": "value"})
    assert (found["Concurrency"], found["Tags"]["team"]) == ({"ReservedConcurrentExecutions": 5}, "2")
    assert code_of(region, name) == SOURCE.format(n=2)
    assert functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"] == "$LATEST"
    assert region.deploy(stack(2, 3, "1", [])) == "UPDATE_COMPLETE", region.reasons()
    configuration = functions.get_function(FunctionName=name)["Configuration"]
    assert (configuration["Timeout"], configuration["Environment"]["Variables"]) == (3, {})
    assert "Concurrency" not in functions.get_function(FunctionName=name)
    assert region.delete() == "DELETE_COMPLETE", region.reasons()
    assert not region.counts()


def test_inline_code_needs_a_runtime_of_files(region: Region) -> None:
    wrong = template({}, Function=of("Lambda::Function", Runtime="java21", Handler="a", Role="arn:aws:iam::111122223333:role/r", Code={"ZipFile": "x"}))
    assert region.deploy(wrong) == "ROLLBACK_COMPLETE"
    assert "ZipFile can only be used when Runtime is set to either of nodejs, python" in region.reasons()
