"""How many policy decisions a second: the compiled engine beside the definition. `python -m bench.policy` prints them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import process_time

from bench.table import Figure, Section
from latticewall.policy import spec
from latticewall.policy.document import Form, Policy, parse_policy
from latticewall.policy.engine import PolicySet
from latticewall.policy.request import Principal, Request, principal_context

ACCOUNT = "111122223333"
SERVICE = f"arn:aws:vpc-lattice:us-west-2:{ACCOUNT}:service/svc-0172f5b22a68d46bc"
INVOKE = "vpc-lattice-svcs:Invoke"
CALLER = Principal(
    f"arn:aws:sts::{ACCOUNT}:assumed-role/web/i-0abc",
    ACCOUNT,
    "AssumedRole",
    role_arn=f"arn:aws:iam::{ACCOUNT}:role/web",
    userid="AROAWEBWEBWEBWEBWEBWE:i-0abc",
    tags={"team": "blue", "stage": "prod"},
    org_id="o-exampleorg",
    org_paths=("o-exampleorg/r-ab12/ou-ab12-11111111/",),
    session_keys={"aws:TokenIssueTime": "2026-01-02T03:00:00Z", "aws:MultiFactorAuthPresent": "false"},
)
AUTH_POLICY = [
    {
        "Effect": "Allow",
        "Principal": "*",
        "Action": INVOKE,
        "Resource": f"{SERVICE}/*",
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorg", "vpc-lattice-svcs:SourceVpc": ["vpc-1a2b3c4d", "vpc-9"]}},
    },
    {
        "Effect": "Allow",
        "Principal": {"AWS": [f"arn:aws:iam::{ACCOUNT}:role/batch", f"arn:aws:iam::{ACCOUNT}:role/web"]},
        "Action": INVOKE,
        "Resource": f"{SERVICE}/rates/*",
        "Condition": {"StringEquals": {"vpc-lattice-svcs:RequestMethod": ["GET", "HEAD"]}},
    },
    {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "*",
        "Resource": "*",
        "Condition": {"StringNotEqualsIgnoreCase": {"aws:PrincipalType": "assumedrole"}},
    },
]
IDENTITY_POLICY = [
    {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": ["arn:aws:s3:::assets", "arn:aws:s3:::assets/*"]},
    {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"},
    {"Effect": "Allow", "Action": "vpc-lattice-svcs:Invoke", "Resource": f"{SERVICE}/*"},
    {"Effect": "Allow", "Action": "vpc-lattice-svcs:*", "Resource": "arn:aws:vpc-lattice:*:*:service/*/${aws:PrincipalTag/team}/*"},
    {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"},
    {"Effect": "Allow", "Action": "sqs:*", "Resource": f"arn:aws:sqs:*:{ACCOUNT}:web-*"},
    {
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": {"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "172.16.0.0/12"]}, "Bool": {"aws:ViaAWSService": "false"}},
    },
    {"Effect": "Deny", "Action": "vpc-lattice-svcs:Invoke", "Resource": "arn:aws:vpc-lattice:*:*:service/*/internal/*"},
    {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": f"arn:aws:iam::{ACCOUNT}:role/shared-*"},
    {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}}},
]
COMMON = principal_context(CALLER) | {
    "aws:SecureTransport": "false",
    "aws:RequestedRegion": "us-west-2",
    "aws:ViaAWSService": "false",
    "vpc-lattice-svcs:ServiceArn": SERVICE,
    "vpc-lattice-svcs:ServiceNetworkArn": f"arn:aws:vpc-lattice:us-west-2:{ACCOUNT}:servicenetwork/sn-0123456789abcdef0",
    "vpc-lattice-svcs:Port": "80",
    "vpc-lattice-svcs:SourceVpc": "vpc-1a2b3c4d",
    "vpc-lattice-svcs:SourceVpcOwnerAccount": ACCOUNT,
}
"""What the requests of one caller through one listener share, so that only what differs is put together for each."""


@dataclass(frozen=True)
class Case:
    """A set of policies and what is asked of it."""

    what: str
    policies: tuple[Policy, ...]


CASES = (
    Case("auth policy of 3 statements", (parse_policy(json.dumps({"Version": "2012-10-17", "Statement": AUTH_POLICY}), Form.AUTH, "auth"),)),
    Case(
        "identity policy of 10 statements",
        (parse_policy(json.dumps({"Version": "2012-10-17", "Statement": IDENTITY_POLICY}), Form.IDENTITY, "web"),),
    ),
)


def fresh_request(number: int) -> Request:
    """A new request, as the data plane would put it together; paths and methods differ from one to the next."""
    path = ("/rates/eur", "/rates/usd", "/blue/x", "/health")[number & 3]
    return Request(
        INVOKE,
        SERVICE + path,
        CALLER,
        {
            **COMMON,
            "aws:CurrentTime": "2026-01-02T03:04:05Z",
            "aws:SourceIp": f"10.0.{number & 3}.{number & 63}",
            "vpc-lattice-svcs:RequestMethod": "POST" if number & 4 else "GET",
            "vpc-lattice-svcs:RequestPath": path,
            "vpc-lattice-svcs:RequestHeader/x-env": "prod",
        },
    )


def decisions_per_second(decide: Callable[[Request], object], seconds: float) -> float:
    """Fresh requests built and decided, per second of this process's own processor time."""
    done = 0
    started = process_time()
    while (spent := process_time() - started) < seconds:
        for number in range(done, done + 64):
            decide(fresh_request(number))
        done += 64
    return done / spent


def decisions(seconds: float = 1.0) -> Section:
    """Engine and definition on the same requests; seconds: for each of them."""
    figures = []
    for case in CASES:
        compiled = PolicySet(case.policies)
        for number in range(64):
            request = fresh_request(number)
            assert compiled.evaluate(request) == spec.evaluate(case.policies, request)
        engine = decisions_per_second(compiled.evaluate, seconds)
        defined = decisions_per_second(lambda request, policies=case.policies: spec.evaluate(policies, request), seconds)  # type: ignore[misc]
        figures.append(Figure(case.what, engine, "decisions/s", defined, "the definition (policy.spec)"))
    how = "Each decision builds its request anew and is made on one core; typical policies, compiled beforehand."
    return Section("Policy decisions in Python", how, tuple(figures))


def main(arguments: Sequence[str]) -> int:
    """arguments: seconds of each measurement."""
    for figure in decisions(float(arguments[0]) if arguments else 1.0).figures:
        print(f"{figure.what}: {figure.value:,.0f} {figure.unit}, {figure.ratio:.0f} times {figure.peer_name} ({figure.peer:,.0f})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
