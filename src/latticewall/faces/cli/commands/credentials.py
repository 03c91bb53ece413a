"""`latticewall credentials`: a role's credentials for a workload outside, from its X.509 certificate, in the form of `credential_process`.

Pages: "Get temporary security credentials from IAM Roles Anywhere", "Process credential provider" (AWS SDKs and Tools Reference Guide).
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from latticewall.auth.certificate_signature import CertifiedKey, PrivateKey, sign_with_certificate
from latticewall.faces.cli.client import Refused
from latticewall.faces.cli.command import Command
from latticewall.faces.cli.output import Output
from latticewall.faces.cli.problem import Problem
from latticewall.faces.cli.session import Session

ENDPOINTS = ("AWS_ENDPOINT_URL_ROLESANYWHERE", "AWS_ENDPOINT_URL")
SECONDS = 30.0
"""How long an answer may take."""
FORM_VERSION = 1
"""Of the JSON that SDKs expect from a credential process."""


def run(session: Session, arguments: argparse.Namespace, _: Output) -> int:
    """Prints JSON in either output mode: programs read it."""
    holder = _holder(arguments)
    region = (arguments.trust_anchor_arn.split(":") + [""] * 4)[3]
    if not region:
        raise Problem(f"`{arguments.trust_anchor_arn}` is not the ARN of a trust anchor")
    body = {"trustAnchorArn": arguments.trust_anchor_arn, "profileArn": arguments.profile_arn, "roleArn": arguments.role_arn}
    optional = {"durationSeconds": arguments.session_duration, "roleSessionName": arguments.role_session_name}
    body |= {member: value for member, value in optional.items() if value is not None}
    answer = _asked(_endpoint(session, arguments), holder, region, json.dumps(body).encode())
    given = answer["credentialSet"][0]["credentials"]
    document = {
        "Version": FORM_VERSION, "AccessKeyId": given["accessKeyId"], "SecretAccessKey": given["secretAccessKey"], "SessionToken": given["sessionToken"],
        "Expiration": given["expiration"],
    }  # fmt: skip
    print(json.dumps(document), flush=True)
    return 0


def _endpoint(session: Session, arguments: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> str:
    """The endpoint given, else the one that the SDKs use, else that of the region of the state folder."""
    named = next((environment[name] for name in ENDPOINTS if environment.get(name)), "")
    return str(arguments.endpoint or named or session.endpoint).rstrip("/")


def _holder(arguments: argparse.Namespace) -> CertifiedKey:
    """The certificate with its key and chain: the certificate's own file may hold the chain too, as an X.509-SVID's does. Raises Problem."""
    certificate, *chain = _certificates(arguments.certificate)
    if arguments.intermediates:
        chain += _certificates(arguments.intermediates)
    key = _private_key(arguments.private_key)
    if certificate.public_key() != key.public_key():
        raise Problem(f"{arguments.private_key} is not the private key of {arguments.certificate}")
    return CertifiedKey(certificate, key, chain)


def _certificates(path: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(path))
    except (ValueError, UnsupportedAlgorithm):
        raise Problem(f"{path} holds no X.509 certificate in PEM form") from None


def _private_key(path: str) -> PrivateKey:
    try:
        key = load_pem_private_key(_read(path), password=None)
    except TypeError:
        raise Problem(f"{path} is encrypted: a credential process needs a key without a passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise Problem(f"{path} holds no private key in PEM form") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise Problem(f"{path} holds neither an RSA nor an EC key: Roles Anywhere takes no others")
    return key


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Problem(f"{path} cannot be read: {error.strerror}") from None


def _asked(endpoint: str, holder: CertifiedKey, region: str, body: bytes) -> Any:
    """The answer to CreateSession. Raises Refused with AWS's code and words, Problem when nobody answers."""
    url = f"{endpoint}/sessions"
    headers = sign_with_certificate(url, {"Content-Type": "application/json"}, body, holder, region, datetime.now(UTC))
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=SECONDS)
    try:
        connection.request("POST", parts.path, body, headers)
        answer = connection.getresponse()
        status, text, code = answer.status, answer.read(), answer.getheader("x-amzn-errortype") or ""
        document = json.loads(text)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Problem(f"the region at {endpoint} does not answer: {error or type(error).__name__}") from None
    finally:
        connection.close()
    if status != http.HTTPStatus.CREATED:
        raise Refused(str(document.get("message", "")), code, status)
    return document


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--certificate", metavar="FILE", required=True, help="the workload's certificate, PEM; the rest of its chain may follow in the file")
    parser.add_argument("--private-key", metavar="FILE", required=True, help="its private key, PEM, without a passphrase")
    parser.add_argument("--intermediates", metavar="FILE", help="further certificates of the chain, PEM")
    parser.add_argument("--trust-anchor-arn", metavar="ARN", required=True)
    parser.add_argument("--profile-arn", metavar="ARN", required=True)
    parser.add_argument("--role-arn", metavar="ARN", required=True)
    parser.add_argument("--session-duration", metavar="SECONDS", type=int, help="default: the profile's")
    parser.add_argument("--role-session-name", metavar="NAME", help="default: the certificate's serial number; the profile must accept names")
    parser.add_argument("--endpoint", metavar="URL", help=f"the region's endpoint (default: ${ENDPOINTS[1]}, else the region of the state folder)")


COMMAND = Command(
    "credentials",
    "obtain a role's credentials with an X.509 certificate (IAM Roles Anywhere), for credential_process",
    (
        "latticewall credentials --certificate svid.pem --private-key svid.key --trust-anchor-arn A --profile-arn P --role-arn R",
        "latticewall credentials --endpoint http://127.0.0.1:4566 --certificate web.pem --private-key web.key ...",
    ),
    run,
    arguments,
)
