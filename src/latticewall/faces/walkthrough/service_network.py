"""Scenario 2: no route between the VPCs; a service network carries HTTP to the logging service and TCP to Redis, and knows who calls."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from latticewall.faces.walkthrough.accounts import Foreigner
from latticewall.faces.walkthrough.records import Record, resource_fields, service_fields
from latticewall.faces.walkthrough.scene import Scene
from latticewall.faces.walkthrough.stacks import until
from latticewall.faces.walkthrough.trials import PATIENCE, Expectation, Trial, answers, curl, http, prints, redis, set_and_get, times_out

SERVERS = {"Logging": 5044, "Redis": 6379}
URL = "http://logging.example.com:5044/health"
CLIENTS = (("Web", "web"), ("WebDev", "web-dev"))
_STALE_SECONDS = -600
_CHANGE_SECONDS = 20
_MISMATCH = "InvalidSignatureException: The request signature we calculated does not match the signature you provided."
_STALE = re.compile(r"InvalidSignatureException: Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 5 min\.\)")


def check(scene: Scene, restrict: Callable[[], None], foreigner: Foreigner) -> None:
    """All checks. restrict: restricts the network's auth policy to the organization's principals, and returns when that is acknowledged."""
    scene.await_servers(**SERVERS)
    scene.await_applied()
    scene.carry_out(*(Trial(f"{name}: plain curl, before the policy is restricted", instance, curl(URL), http(200)) for instance, name in CLIENTS))
    _change_of_policy(scene, restrict)
    scene.carry_out(*_callers(scene, foreigner), *_resource())
    _policy_of_resource(scene)
    _logs(scene, foreigner)


def denial(scene: Scene, caller: str, path: str = "/health") -> str:
    """AWS's one line for a caller whom the network's policy does not allow."""
    resource = f"{scene.outputs['LoggingServiceArn']}{path}"
    action = "vpc-lattice-svcs:Invoke"
    who = f"AccessDeniedException: User: {caller} is not authorized to perform: {action} on resource: {resource}"
    return f"{who} because no network-based policy allows the {action} action"


# -- HTTP ----------------------------------------------------------------------------------------------------------------------------------


def _change_of_policy(scene: Scene, restrict: Callable[[], None]) -> None:
    """The policy changes under an open connection."""
    processes = _serving(scene)
    asking = scene.start("Web", scene.client("keep_alive.py", URL, str(_CHANGE_SECONDS)), seconds=_CHANGE_SECONDS + 10)
    until(lambda: asking.output or not asking.running, 10)
    restrict()
    outcome = asking.wait()
    answers = [json.loads(line) for line in outcome.out.splitlines()]
    statuses = [answer.get("status") for answer in answers]
    seen = ", then ".join(f"{answer['status']} from request {answer['requests']} on" if "status" in answer else str(answer) for answer in answers)
    kept = outcome.code == 0 and statuses == [200, 403]
    scene.add("the policy is restricted while a client keeps a connection open", "200, then 403 on the same connection", seen or outcome.err, kept)
    same = _serving(scene) == processes
    seen = "the same process" if same else "it was started again"
    scene.add("Envoy meanwhile", "runs on, no restart", seen, same)


def _serving(scene: Scene) -> dict[str, Any]:
    processes = scene.session.ask("status")["processes"]
    return {item["name"]: (item["pid"], item["restarts"]) for item in processes if item["name"] == "envoy"}


def _callers(scene: Scene, foreigner: Foreigner) -> list[Trial]:
    """Who may call now, and who may not."""
    script, signed = scene.client("signed.sh", "-m", "5", "-w", r"\n%{http_code}", URL), scene.client("signed_request.py", URL)
    anonymous = http(403, denial(scene, "anonymous"))
    return [
        *(Trial(f"{name}: plain curl", instance, curl(URL), anonymous) for instance, name in CLIENTS),
        *(Trial(f"{name}: curl --aws-sigv4, its role's credentials from metadata", instance, script, http(200)) for instance, name in CLIENTS),
        *(Trial(f"{name}: signed by botocore", instance, signed, http(200)) for instance, name in CLIENTS),
        Trial("web: signed with a wrong secret", "Web", (*signed, "--wrong-secret"), http(403, holding=_MISMATCH)),
        Trial("web: signed ten minutes ago", "Web", (*signed, "--clock-offset", str(_STALE_SECONDS)), _stale()),
        Trial("web: another path than the signed one", "Web", (*signed, "--send-path", "/"), http(403, holding=_MISMATCH)),
        Trial(
            "web: signed by a role of another organization", "Web", (*signed, "--credentials"), http(403, denial(scene, foreigner.arn)), foreigner.credentials
        ),
        Trial("web-norole: plain curl", "WebNoRole", curl(URL), anonymous),
        Trial("web-outside: curl (not in the association's security group)", "WebOutside", curl(URL, seconds=PATIENCE), times_out()),
    ]


def _stale() -> Expectation:
    words = "403 InvalidSignatureException: Signature expired: (then) is now earlier than (limit) ((now) - 5 min.)"
    return Expectation(words, lambda outcome: outcome.code == 0 and bool(_STALE.fullmatch(outcome.out.strip().removesuffix("\n403"))))


# -- Redis ---------------------------------------------------------------------------------------------------------------------------------


def _resource() -> list[Trial]:
    """The guide's default: the network's policy is not asked, only the association's security group."""
    client, impatient = redis("redis.example.com"), redis("redis.example.com", PATIENCE)
    return [
        Trial("web: redis-cli, PING SET GET at redis.example.com", "Web", client, answers("web"), set_and_get("web")),
        Trial("web-norole: redis-cli PING (the network's policy does not cover resources)", "WebNoRole", client, prints("PONG"), "PING\n"),
        Trial("web-outside: redis-cli PING (not in the association's security group)", "WebOutside", impatient, times_out(), "PING\n"),
    ]


def _policy_of_resource(scene: Scene) -> None:
    """An auth policy on the resource configuration itself is enforced for the connecting instance's role; without it, the guide's default again."""
    resource = {"resourceIdentifier": scene.outputs["RedisConfigurationArn"]}
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": scene.outputs["WebRoleArn"]},
        "Action": "vpc-lattice-svcs:Connect",
        "Resource": "*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    scene.session.call("vpc-lattice:PutAuthPolicy", {**resource, "policy": policy})
    scene.await_applied()
    scene.carry_out(
        Trial("auth policy on the resource, for web's role: web, redis-cli", "Web", redis("redis.example.com"), answers("allowed"), set_and_get("allowed")),
        Trial("the same policy: web-norole, redis-cli PING", "WebNoRole", redis("redis.example.com", PATIENCE), times_out(), "PING\n"),
        Trial("the same policy: web-dev, redis-cli PING (another role)", "WebDev", redis("redis.example.com", PATIENCE), times_out(), "PING\n"),
    )
    scene.session.call("vpc-lattice:DeleteAuthPolicy", resource)
    scene.await_applied()
    scene.carry_out(Trial("the policy is deleted: web-norole, redis-cli PING", "WebNoRole", redis("redis.example.com"), prints("PONG"), "PING\n"))


# -- logs ----------------------------------------------------------------------------------------------------------------------------------


def _logs(scene: Scene, foreigner: Foreigner) -> None:
    role = scene.outputs["WebRoleArn"].rpartition("/")[2]
    requests: dict[str, Callable[[Record], bool]] = {
        "a plain 200": lambda record: record["responseCode"] == 200 and record["callerPrincipal"] == "-",
        "a plain 403": lambda record: record["responseCode"] == 403 and (record["resolvedUser"], record["authDeniedReason"]) == ("Anonymous", "Network"),
        "web's role": lambda record: record["responseCode"] == 200 and f":assumed-role/{role}/" in record["callerPrincipal"],
        "a signature that does not fit": lambda record: record["responseCode"] == 403 and record["resolvedUser"] == "Unknown",
        "the other organization's role": lambda record: record["responseCode"] == 403 and record["callerPrincipal"] == foreigner.arn,
    }
    scene.log_has("access log of the service", scene.outputs["ServiceLogGroup"], requests, service_fields)
    address = f"{scene.outputs['RedisAddress']}:6379"
    configuration = scene.outputs["RedisConfigurationArn"]
    connections: dict[str, Callable[[Record], bool]] = {
        "web to redis": lambda record: (
            record["sourceIpPort"].startswith(f"{scene.outputs['WebAddress']}:")
            and (record["resourceIpPort"], record["resourceConfigurationArn"]) == (address, configuration)
        )
    }
    scene.log_has("access log of the resource", scene.outputs["ResourceLogGroup"], connections, resource_fields)
    scene.logs_show(scene.outputs["ServiceLogGroup"], scene.outputs["ResourceLogGroup"])


def same_addresses(scene: Scene) -> None:
    """Production and Dev have one CIDR, web and web-dev one address."""
    scene.await_servers(**SERVERS)
    scene.await_applied()
    addresses = {scene.outputs[f"{instance}Address"] for instance, _ in CLIENTS}
    scene.add("web and web-dev in VPCs with the same CIDR", "one address", ", ".join(sorted(addresses)), len(addresses) == 1)
    scene.carry_out(
        *(Trial(f"{name} (the same address): curl logging.example.com:5044", instance, curl(URL), http(200)) for instance, name in CLIENTS),
        *(Trial(f"{name} (the same address): redis-cli PING", instance, redis("redis.example.com"), prints("PONG"), "PING\n") for instance, name in CLIENTS),
    )
