"""Requests to HTTPS listeners: the same gates as with HTTP, and what policies see of the transport."""

from __future__ import annotations

from pathlib import Path

import pytest

from .lab import ALLOW_ALL, Lab, gate, policy

SECURE = {**ALLOW_ALL, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    made = Lab(tmp_path)
    made._let_in(made.door_group, made.client_group, 443)
    forward = {"forward": {"targetGroups": [{"targetGroupIdentifier": made.targets, "weight": 100}]}}
    made.lattice.create_listener(serviceIdentifier=made.service, name="secure", protocol="HTTPS", defaultAction=forward)
    made.region.settle()
    return made


def test_a_request_passes_the_gates_of_a_request(lab: Lab) -> None:
    answer = lab.explainer({"url": f"https://{lab.host}/any", "source": "web"})
    assert answer["verdict"] == "allowed", answer
    assert answer["decision"]["action"] == "vpc-lattice-svcs:Invoke"
    assert "port 443" in gate(answer, "listener")["detail"]
    assert gate(answer, "identity-policy")["outcome"] == "pass"


def test_policies_see_the_transport(lab: Lab) -> None:
    lab.put_policy(lab.service, policy(SECURE))
    verdicts = [lab.explainer({"url": f"{scheme}://{lab.host}/today", "source": "web"})["verdict"] for scheme in ("https", "http")]
    assert verdicts == ["allowed", "denied"]


def test_a_port_without_an_https_listener(lab: Lab) -> None:
    answer = lab.explainer({"url": f"http://{lab.host}:443/", "source": "web"})
    assert "no listener for HTTP 443, it has HTTP 80, HTTPS 443" in gate(answer, "listener")["detail"]
