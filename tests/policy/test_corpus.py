"""The corpus: policies as people write them, requests, and the decision each must get. A file per situation, in corpus/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from asking import ACCOUNT, ANONYMOUS, SERVICE

from latticewall.policy.combine import PrincipalPolicies
from latticewall.policy.document import Form, parse_policy
from latticewall.policy.engine import PolicySet
from latticewall.policy.explain import explain_invoke
from latticewall.policy.lattice import LayerAuth, Route, decide_invoke, denial_text, invoke_request
from latticewall.policy.request import Principal, principal_context

FILES = sorted((Path(__file__).parent / "corpus").glob("*.json"))
CASES = [
    pytest.param(document, case, id=f"{file.stem}-{number}")
    for file in FILES
    for document in [json.loads(file.read_text())]
    for number, case in enumerate(document["cases"])
]


def layer(written: dict[str, Any]) -> LayerAuth:
    document = written.get("policy")
    return LayerAuth(written["authType"], PolicySet([parse_policy(json.dumps(document), Form.AUTH)]) if document else None)


def test_the_corpus_is_there() -> None:
    assert len(FILES) >= 10


@pytest.mark.parametrize(("document", "case"), CASES)
def test_corpus(document: dict[str, Any], case: dict[str, Any]) -> None:
    principal = ANONYMOUS if case["principal"] == "anonymous" else Principal(**case["principal"])
    route = Route("arn:aws:vpc-lattice:us-west-2:111122223333:servicenetwork/sn-1", SERVICE, case.get("port", 80), case.get("source_vpc", "vpc-9"), ACCOUNT)
    headers = [(name, value) for name, value in case["headers"]]
    request = invoke_request(principal, route, case["method"], case["target"], headers, principal_context(principal))
    identity = PrincipalPolicies(PolicySet(parse_policy(json.dumps(own), Form.IDENTITY) for own in document["identity"]))
    network, service = layer(document["network"]), layer(document["service"])
    decision = decide_invoke(request, network, service, identity)
    outcome = "allow" if decision.allowed else f"{decision.layer}{' explicit' if decision.explicit else ''}"
    assert outcome == case["expect"], "\n".join(explain_invoke(request, network, service, identity).lines())
    if not decision.allowed:
        assert f"{str(decision.layer).lower()}-based policy" in denial_text(decision, request)
