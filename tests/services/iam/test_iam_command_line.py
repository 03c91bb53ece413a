"""The AWS CLI's own code, in this process: its parameters, pages, `--query` and waiters against IAM."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from awscli.clidriver import create_clidriver  # type: ignore[import-untyped]
from tests.region import ACCOUNT, NAME, WIRE, Region

Aws = Callable[..., Any]
ALLOW = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})


@cache
def _driver() -> Any:
    """Made once: it takes longer than all its calls."""
    driver = create_clidriver()
    driver.session.register("before-send.*", WIRE.send)
    return driver


@pytest.fixture
def aws(region: Region, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Aws:
    """`aws iam WORDS`, as the account's root: what it printed, read as JSON. Any exit code but 0 fails with what it wrote."""
    known = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": NAME, "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}
    for name, value in {**known, "AWS_CONFIG_FILE": str(tmp_path / "none"), "HOME": str(tmp_path), "AWS_PAGER": ""}.items():
        monkeypatch.setenv(name, value)

    def run(*words: str) -> Any:
        code = _driver().main(["iam", *words])
        out, err = capsys.readouterr()
        assert code == 0, err
        return json.loads(out) if out.strip() else None

    return run


def test_identities_step_by_step(aws: Aws, tmp_path: Path) -> None:
    (tmp_path / "allow.json").write_text(ALLOW)
    aws("create-group", "--group-name", "net")
    aws("put-group-policy", "--group-name", "net", "--policy-name", "all", "--policy-document", f"file://{tmp_path}/allow.json")
    assert aws("get-group-policy", "--group-name", "net", "--policy-name", "all", "--query", "PolicyDocument") == json.loads(ALLOW)
    aws("create-user", "--user-name", "alice", "--tags", "Key=team,Value=net")
    aws("wait", "user-exists", "--user-name", "alice")
    aws("add-user-to-group", "--group-name", "net", "--user-name", "alice")
    assert aws("list-groups-for-user", "--user-name", "alice", "--query", "Groups[].GroupName") == ["net"]
    policy = aws("create-policy", "--policy-name", "look", "--policy-document", ALLOW, "--query", "Policy.Arn")
    aws("wait", "policy-exists", "--policy-arn", policy)
    aws("create-policy-version", "--policy-arn", policy, "--policy-document", ALLOW, "--set-as-default")
    assert aws("list-policy-versions", "--policy-arn", policy, "--query", "Versions[].[VersionId,IsDefaultVersion]") == [["v2", True], ["v1", False]]
    aws("attach-user-policy", "--user-name", "alice", "--policy-arn", policy)
    aws("update-user", "--user-name", "alice", "--new-user-name", "alicia")
    assert aws("get-account-authorization-details", "--filter", "User", "--query", "UserDetailList[].[UserName,GroupList]") == [["alicia", ["net"]]]
    assert aws("get-account-summary", "--query", "SummaryMap.Users") == 1


def test_pages(aws: Aws) -> None:
    for number in range(7):
        aws("create-group", "--group-name", f"g{number}")
    names = [f"g{number}" for number in range(7)]
    assert aws("list-groups", "--page-size", "3", "--query", "Groups[].GroupName") == names
    first = aws("list-groups", "--max-items", "4")
    assert [group["GroupName"] for group in first["Groups"]] == names[:4]
    assert aws("list-groups", "--starting-token", first["NextToken"], "--query", "Groups[].GroupName") == names[4:]


def test_the_simulator(aws: Aws) -> None:
    entry = "ContextKeyName='s3:prefix',ContextKeyValues='home',ContextKeyType=string"
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"StringEquals": {"s3:prefix": "home"}}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    words = ("simulate-custom-policy", "--policy-input-list", policy, "--action-names", "s3:ListBucket", "--query", "EvaluationResults[].EvalDecision")
    assert aws(*words) == ["implicitDeny"]
    assert aws(*words, "--context-entries", entry) == ["allowed"]
    assert aws("get-context-keys-for-custom-policy", "--policy-input-list", policy) == {"ContextKeyNames": ["s3:prefix"]}


def test_an_identity_provider(aws: Aws) -> None:
    more = ("--client-id-list", "one", "--tags", "Key=latticewall:jwks,Value=/srv/keys.json")
    arn = aws("create-open-id-connect-provider", "--url", "https://issuer.example", *more, "--query", "OpenIDConnectProviderArn")
    assert aws("get-open-id-connect-provider", "--open-id-connect-provider-arn", arn, "--query", "[Url,ClientIDList]") == ["issuer.example", ["one"]]
