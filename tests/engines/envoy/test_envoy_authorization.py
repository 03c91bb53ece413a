"""Requests through a real Envoy and the filter inside it: who may pass, and what the others are told."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from envoy_lab import ALLOW_ALL, ALLOW_ORGANIZATION, HOST, POWERLESS, REGION, STRANGER, WEB, Key, Lab, authorization, plan, service_arn, virtual_host
from envoy_rig import SERVICES, until

from latticewall.auth.sigv4 import Credentials, sign
from latticewall.base.secret import Secret
from latticewall.dataplane.authorization.applier import LIFE, AuthorizationApplier
from latticewall.dataplane.envoy.server import XdsServer
from latticewall.plan.names import NamesPlan
from latticewall.plan.node import NodePlan
from latticewall.plan.proxy import HttpRoute, ProxyPlan, RouteMatch
from latticewall.telemetry import access_log

pytestmark = [pytest.mark.netns, pytest.mark.engines]

ANONYMOUS_DENIED = (
    f"AccessDeniedException: User: anonymous is not authorized to perform: vpc-lattice-svcs:Invoke on resource: {service_arn('svc-orders')}/a/b "
    "because no network-based policy allows the vpc-lattice-svcs:Invoke action"
)


@pytest.fixture(autouse=True)
def guarded(lab: Lab) -> None:
    """Each test starts from a service with AWS_IAM, whose network lets the organization's principals pass."""
    lab.authorize(authorization(ALLOW_ORGANIZATION))
    if lab.snapshot.routes["http-vpc-client-80 svc-orders"]["virtual_hosts"][0]["typed_per_filter_config"]["envoy.filters.http.lua"].get("disabled"):
        lab.publish(plan(virtual_host(authorize=True)))


def test_an_unsigned_request_gets_the_one_line_refusal(lab: Lab) -> None:
    answer = lab.rig.request("/a/b?x=1", host=HOST)
    assert (answer.status, answer.body) == (403, ANONYMOUS_DENIED)
    assert answer.header("content-type") == "text/plain"
    assert answer.header("x-amzn-requestid")


def test_a_refusal_where_a_rule_would_answer_has_its_id_too(lab: Lab) -> None:
    """Envoy adds the route's headers to what filters answer only where the rule forwards."""
    lab.publish(plan(virtual_host(routes=[HttpRoute(RouteMatch(), "r1", fixed_status=404)], authorize=True)))
    answer = lab.rig.request("/a/b", host=HOST, headers=[("x-amzn-requestid", "mine")])
    assert (answer.status, answer.body, answer.header("x-amzn-requestid")) == (403, ANONYMOUS_DENIED, "mine")
    bad = lab.rig.request("/a/../b", host=HOST, headers=[("x-amzn-requestid", "mine")])
    assert (bad.status, bad.header("x-amzn-requestid")) == (400, "mine")
    assert lab.rig.request("/a/b", host=HOST, headers=WEB.sign("/a/b")).status == 404
    lab.publish(plan(virtual_host(authorize=True)))
    assert [name.lower() for name, _ in lab.rig.request("/", host=HOST).headers].count("x-amzn-requestid") == 1


def test_a_request_signed_by_botocore_passes_with_the_callers_identity(lab: Lab) -> None:
    answer = lab.rig.request("/a/b?x=1&y=", host=HOST, headers=WEB.sign("/a/b?x=1&y="))
    assert answer.status == 200, answer.body
    assert answer.seen("x-amzn-lattice-identity") == [
        f"Principal={WEB.principal.arn}; PrincipalOrgID=o-ours; PrincipalOrgPaths=o-ours/r-1/; SessionName=i-1; Type=AWS_IAM"
    ]
    assert answer.seen("x-amzn-lattice-identity-tags") == [
        rf"principal={WEB.principal.arn};principalorgid=o-ours;principalorgpath=o-ours/r-1/;team=a\;b"
    ]
    assert answer.seen("authorization")


def test_a_service_asked_for_in_capitals_is_decided_like_any_other(lab: Lab) -> None:
    """What was signed is the host as it is spelt."""
    shouted = HOST.upper()
    signed = [item for item in WEB.sign("/a/b", headers=[("host", shouted)]) if item[0].lower() != "host"]
    answer = lab.rig.request("/a/b", host=shouted, headers=signed)
    assert (answer.status, answer.seen("host")) == (200, [shouted])
    assert answer.seen("x-amzn-lattice-identity")[0].startswith(f"Principal={WEB.principal.arn};")
    unsigned = lab.rig.request("/a/b", host=shouted)
    assert (unsigned.status, unsigned.body) == (403, ANONYMOUS_DENIED)
    assert lab.rig.request("/a/c", host=shouted, headers=signed).status == 403
    logged = [(service_arn("svc-orders"), status) for status in (200, 403, 403)]

    def lines() -> list[tuple[str, int]]:
        return [(line["serviceArn"], line["responseCode"]) for line in lab.rig.log_lines() if line["hostHeader"] == shouted]

    assert until(lambda: lines() if len(lines()) == len(logged) else None, "they are logged") == logged
    assert lab.rig.request("/a/b", host="NOBODY.example.com", headers=signed).status == 404


def test_a_request_signed_by_curl_passes(lab: Lab) -> None:
    command = ["curl", "-s", "--max-time", "10", "--resolve", f"{HOST}:80:{SERVICES}", "--aws-sigv4", f"aws:amz:{REGION}:vpc-lattice-svcs"]
    command += ["--user", f"{WEB.id}:{WEB.secret}", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", f"http://{HOST}/by-curl"]
    curl = lab.rig.spawn("i-client", command, stdout=subprocess.PIPE)
    output, _ = curl.communicate(timeout=20)
    assert '"path": "/by-curl"' in output


def test_a_signed_request_over_http2_passes(lab: Lab) -> None:
    command = ["curl", "-s", "--max-time", "10", "--http2-prior-knowledge", "--resolve", f"{HOST}:80:{SERVICES}"]
    command += ["--aws-sigv4", f"aws:amz:{REGION}:vpc-lattice-svcs", "--user", f"{WEB.id}:{WEB.secret}", "-w", "%{http_version}"]
    curl = lab.rig.spawn("i-client", [*command, "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", f"http://{HOST}/h2"], stdout=subprocess.PIPE)
    output, _ = curl.communicate(timeout=20)
    assert '"path": "/h2"' in output
    assert output.endswith("}2")


def refused(lab: Lab, headers: list[tuple[str, str]], path: str = "/") -> str:
    answer = lab.rig.request(path, host=HOST, headers=headers)
    assert answer.status == 403
    return answer.body


def test_a_wrong_secret_is_refused(lab: Lab) -> None:
    headers = Key(WEB.principal, secret="not the secret").sign()
    assert refused(lab, headers).startswith("InvalidSignatureException: The request signature we calculated does not match the signature you provided.")


def test_a_changed_path_is_refused(lab: Lab) -> None:
    assert refused(lab, WEB.sign("/orders/1"), "/orders/2").startswith("InvalidSignatureException: The request signature we calculated does not match")


def test_a_stale_date_is_refused(lab: Lab) -> None:
    old = datetime.now(UTC) - timedelta(minutes=6)
    credentials = Credentials(WEB.id, Secret(WEB.secret))
    headers = sign("GET", f"http://{HOST}/", {}, credentials, "vpc-lattice-svcs", REGION, old, payload_hash="UNSIGNED-PAYLOAD")
    headers.pop("Host")
    assert refused(lab, list(headers.items())).startswith(f"InvalidSignatureException: Signature expired: {old:%Y%m%dT%H%M%SZ} is now earlier than")


def test_an_unknown_key_is_refused(lab: Lab) -> None:
    lab.authorize(authorization(ALLOW_ORGANIZATION, keys=(STRANGER,)))
    assert refused(lab, WEB.sign()) == "UnrecognizedClientException: The security token included in the request is invalid."


def test_a_bad_signature_does_not_become_anonymous(lab: Lab) -> None:
    lab.authorize(authorization(ALLOW_ALL))
    assert lab.rig.request(host=HOST).status == 200
    assert refused(lab, WEB.sign("/x"), "/y").startswith("InvalidSignatureException")


def test_another_organization_and_a_role_without_permission_are_refused_by_their_layer(lab: Lab) -> None:
    assert "User: arn:aws:sts::999988887777:assumed-role/x/s is not" in refused(lab, STRANGER.sign())
    assert "because no network-based policy allows" in refused(lab, STRANGER.sign())
    assert "because no identity-based policy allows" in refused(lab, POWERLESS.sign())


def test_a_changed_policy_takes_effect_on_an_open_connection(lab: Lab) -> None:
    first = lab.rig.request(host=HOST, connection="kept")
    lab.authorize(authorization(ALLOW_ALL))
    second = lab.rig.request(host=HOST, connection="kept")
    lab.authorize(authorization(ALLOW_ORGANIZATION))
    third = lab.rig.request(host=HOST, connection="kept")
    assert [first.status, second.status, third.status] == [403, 200, 403]
    assert first.port == second.port == third.port


def test_a_changed_auth_type_takes_effect_on_an_open_connection(lab: Lab) -> None:
    first = lab.rig.request(host=HOST, connection="type")
    lab.publish(plan(virtual_host(authorize=False)))
    second = lab.rig.request(host=HOST, connection="type")
    lab.publish(plan(virtual_host(authorize=True)))
    third = lab.rig.request(host=HOST, connection="type")
    assert [first.status, second.status, third.status] == [403, 200, 403]
    assert first.port == second.port == third.port


def test_a_broken_or_missing_table_closes_the_service_and_it_recovers(lab: Lab) -> None:
    lab.authorize(authorization(ALLOW_ALL))
    for kind, name in (("services", "svc-orders"), ("networks", "sn-0a"), ("identities", "AROAWEB"), ("keys", WEB.id)):
        file = lab.rig.tables / kind / name
        content = file.read_text()
        for broken in (None, "", "--x\nreturn", "--x\nerror('no')", "--x\nreturn 1", "--x\nreturn {}", "\x1bLJ\x02", content[: len(content) // 2]):
            file.unlink(missing_ok=True)
            if broken is not None:
                file.write_text(broken)
            lab.applier._tables.announce()
            assert lab.rig.request(host=HOST, headers=WEB.sign()).status == 403, (kind, broken)
        file.write_text(content)
        lab.applier._tables.announce()
        assert lab.rig.request(host=HOST, headers=WEB.sign()).status == 200, kind


def test_tables_past_their_life_close_every_service(lab: Lab) -> None:
    lab.authorize(authorization(ALLOW_ALL))
    assert lab.rig.request(host=HOST).status == 200
    lab.applier._tables.extend(int(datetime.now(UTC).timestamp()) - 1)
    assert refused(lab, WEB.sign()) == "AccessDeniedException: the service network cannot decide about requests"
    lab.authorize(authorization(ALLOW_ALL))
    assert lab.rig.request(host=HOST).status == 200


def around(lab: Lab, end: datetime, headers: list[tuple[str, str]]) -> tuple[set[int], set[int], str]:
    """Statuses of requests over one kept connection that were answered before a moment, and of those that began 100 ms after it or later; the last body."""
    answers = []
    while not answers or answers[-1][0] < end + timedelta(seconds=0.2):
        begun = datetime.now(UTC)
        answer = lab.rig.request(host=HOST, headers=headers, connection=f"until {end}")
        answers.append((begun, datetime.now(UTC), answer))
    assert len({answer.port for *_, answer in answers}) == 1
    before = {answer.status for _, ended, answer in answers if ended < end}
    return before, {answer.status for begun, _, answer in answers if begun >= end + timedelta(seconds=0.1)}, answers[-1][2].body


def soon() -> datetime:
    """The end of a second, one or two from now."""
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)


def test_a_session_ends_on_an_open_connection_at_its_time(lab: Lab) -> None:
    """The signature is good for minutes still."""
    token, end = "the session's token", soon()
    digest = hashlib.sha256(token.encode()).hexdigest()
    session = Key(replace(WEB.principal, access_key_id="ASIASESSION", expires=end.isoformat(), token_digest=digest))
    lab.authorize(authorization(ALLOW_ORGANIZATION, keys=(session,)))
    credentials = Credentials(session.id, Secret(session.secret), Secret(token))
    signed = sign("GET", f"http://{HOST}/", {}, credentials, "vpc-lattice-svcs", REGION, datetime.now(UTC), payload_hash="UNSIGNED-PAYLOAD")
    before, after, body = around(lab, end, [item for item in signed.items() if item[0].lower() != "host"])
    assert (before, after) == ({200}, {403})
    assert body == "ExpiredTokenException: The security token included in the request is expired"


def test_tables_end_on_an_open_connection_with_their_life(lab: Lab) -> None:
    """As when the control plane was killed, and nobody started it again."""
    end = soon()
    lab.applier._tables.extend(int(end.timestamp()))
    before, after, body = around(lab, end, WEB.sign())
    assert (before, after) == ({200}, {403})
    assert body == "AccessDeniedException: the service network cannot decide about requests"
    lab.authorize(authorization(ALLOW_ORGANIZATION))
    assert lab.rig.request(host=HOST, headers=WEB.sign()).status == 200


def test_a_revoked_key_ends_on_an_open_connection(lab: Lab) -> None:
    first = lab.rig.request(host=HOST, headers=WEB.sign(), connection="revoked")
    lab.authorize(authorization(ALLOW_ORGANIZATION, keys=(STRANGER,)))
    second = lab.rig.request(host=HOST, headers=WEB.sign(), connection="revoked")
    lab.authorize(authorization(ALLOW_ORGANIZATION))
    third = lab.rig.request(host=HOST, headers=WEB.sign(), connection="revoked")
    assert [first.status, second.status, third.status] == [200, 403, 200]
    assert first.port == second.port == third.port


@pytest.mark.parametrize(("step", "status"), [(-LIFE - timedelta(seconds=1), 403), (-LIFE / 2, 200), (LIFE / 2, 200)], ids=["a life behind", "behind", "ahead"])
def test_a_control_plane_whose_clock_has_stepped(lab: Lab, step: timedelta, status: int) -> None:
    """It says by its own clock how long the tables last; whether they do is seen by the proxy's."""

    class Stepped:
        def now(self) -> datetime:
            return datetime.now(UTC) + step

    stepped = AuthorizationApplier(lab.applier._tables, lambda _: Secret(WEB.secret), Stepped())
    stepped.apply(NodePlan(1, (), (), (), ProxyPlan(), authorization(ALLOW_ORGANIZATION), NamesPlan(), ()))
    try:
        assert lab.rig.request(host=HOST, headers=WEB.sign()).status == status
    finally:
        lab.authorize(authorization(ALLOW_ORGANIZATION))
    assert lab.rig.request(host=HOST, headers=WEB.sign()).status == 200


def test_what_the_filter_leaves_undecided_is_refused(lab: Lab) -> None:
    """A filter that does nothing stands for one that failed: Envoy itself would let the request go on."""
    lab.authorize(authorization(ALLOW_ALL))
    file = lab.rig.folder / "idle.lua"
    file.write_text("function envoy_on_request(handle) end")
    paths = lab.rig.paths
    lab.rig.paths = replace(paths, authorization=str(file))
    try:
        lab.publish(plan(virtual_host(authorize=True)))
        assert until(lambda: lab.rig.request("/unguarded", host=HOST, headers=WEB.sign()).status == 403, "the idle filter is in place")
        line = until(lambda: next((line for line in lab.rig.log_lines() if line["requestPath"] == "/unguarded"), None), "the refusal is logged")
        record = access_log.read(json.dumps(line))
        assert record is not None
        assert record.record["failureReason"] == "InternalError"
        assert lab.rig.request(host=HOST, headers=WEB.sign()).body == "AccessDeniedException: the request could not be decided"
    finally:
        lab.rig.paths = paths
        lab.publish(plan(virtual_host(authorize=True)))
    until(lambda: lab.rig.request(host=HOST).status == 200, "the filter is back")


def test_a_tunnel_is_asked_for_in_vain(lab: Lab) -> None:
    """No rule of a service takes CONNECT, so that it comes in nowhere: not found, and nothing for the filter to complain of."""
    command = ["curl", "-sS", "--max-time", "10", "--proxytunnel", "--proxy", f"http://{SERVICES}:80", "http://10.0.0.10:8080/"]
    curl = lab.rig.spawn("i-client", command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, _ = curl.communicate(timeout=20)
    assert curl.returncode != 0
    assert "404" in output
    assert "could not be decided" not in (lab.rig.folder / "envoy.log").read_text()


def test_a_service_that_is_not_in_the_tables_is_closed(lab: Lab) -> None:
    lab.authorize(authorization(ALLOW_ALL, service="svc-other"))
    assert refused(lab, WEB.sign()) == "AccessDeniedException: the request came in where no service is configured"


def test_an_audited_network_logs_what_it_would_have_denied(lab: Lab) -> None:
    lab.authorize(authorization(ALLOW_ORGANIZATION, audit=True))
    assert lab.rig.request("/audited", host=HOST).status == 200
    assert lab.rig.request("/audited-forged", host=HOST, headers=WEB.sign("/other")).status == 200

    def lines() -> dict[str, dict[str, Any]]:
        return {line["requestPath"]: line for line in lab.rig.log_lines()}

    until(lambda: {"/audited", "/audited-forged"} <= lines().keys(), "both are logged")
    record = access_log.read(json.dumps(lines()["/audited"]))
    assert record is not None
    assert (record.record["authDeniedReason"], record.record["responseCode"], record.record["resolvedUser"]) == ("Network", 200, "Anonymous")
    assert json.loads(lines()["/audited-forged"]["authDetail"])["refused"].startswith("InvalidSignatureException")


def test_what_the_client_says_about_itself_never_reaches_the_target(lab: Lab) -> None:
    lab.authorize(authorization(ALLOW_ALL))
    forged = [("X-Amzn-Lattice-Identity", "Principal=root"), ("x-amzn-lattice-identity-tags", "a=b"), ("x-amzn-lattice-target", "t")]
    forged += [("x_amzn_lattice_identity", "Principal=root"), ("x-amzn-lattice-", ""), ("X_AMZN-source_vpc", "vpc-evil")]
    answer = lab.rig.request(host=HOST, headers=[*forged, ("x-amzn-source-vpc", "vpc-evil"), ("x-forwarded-for", "1.2.3.4")])
    assert answer.status == 200
    assert answer.seen("x-amzn-lattice-identity") == []
    assert answer.seen("x-amzn-lattice-identity-tags") == []
    assert "root" not in answer.body
    assert "evil" not in answer.body
    assert answer.seen("x-amzn-source-vpc") == ["vpc-client"]
    assert len(answer.seen("x-amzn-lattice-target")) == 1
    assert answer.seen("x-forwarded-for") == ["10.0.0.10"]


@pytest.mark.parametrize("path", ["/a/../b", "/a/./b", "/%2e%2e/b", "/bad%zz"])
def test_paths_that_could_be_read_in_two_ways_are_refused(lab: Lab, path: str) -> None:
    lab.authorize(authorization(ALLOW_ALL))
    assert lab.rig.request(path, host=HOST).status == 400


def test_a_restarted_control_plane_is_not_noticed(lab: Lab) -> None:
    lab.authorize(authorization(ALLOW_ALL))
    before = lab.rig.request(host=HOST, connection="through")
    observed = lab.xds.observed()
    lab.xds.stop()
    assert lab.rig.request(host=HOST, connection="through").port == before.port
    lab.xds = XdsServer(lab.rig.sockets.xds)
    lab.xds.start()
    lab.xds.publish(lab.snapshot)
    assert lab.xds.wait_settled(10).settled
    assert lab.xds.observed() == observed
    after = lab.rig.request(host=HOST, connection="through")
    assert (after.status, after.port) == (200, before.port)


def test_the_access_log_says_who_was_let_in_and_who_was_not(lab: Lab) -> None:
    lab.rig.request("/denied?secret=1", host=HOST, headers=[("user-agent", "test/1")])
    lab.rig.request("/allowed", host=HOST, headers=WEB.sign("/allowed"))
    lab.rig.request("/forged", host=HOST, headers=WEB.sign("/other"))

    def records() -> dict[str, dict[str, object]]:
        found = (access_log.read(json.dumps(line)) for line in lab.rig.log_lines())
        return {item.record["requestPath"]: item.record for item in found if item is not None}

    until(lambda: {"/denied", "/allowed", "/forged"} <= records().keys(), "three lines")
    denied, allowed, forged = (records()[path] for path in ("/denied", "/allowed", "/forged"))
    assert denied["resolvedUser"] == "Anonymous"
    assert denied["authDeniedReason"] == "Network"
    assert (denied["responseCode"], denied["failureReason"], denied["targetIpPort"]) == (403, "ClientAccessDenied", "-")
    assert denied["userAgent"] == "test/1"
    assert allowed["resolvedUser"] == allowed["callerPrincipal"] == WEB.principal.arn
    assert (allowed["callerPrincipalOrgID"], allowed["callerPrincipalTags"]) == ("o-ours", '{"team":"a;b"}')
    assert (allowed["responseCode"], allowed["failureReason"], allowed["targetIpPort"]) == (200, "-", "10.0.0.10:8080")
    assert (forged["resolvedUser"], forged["responseCode"]) == ("Unknown", 403)
