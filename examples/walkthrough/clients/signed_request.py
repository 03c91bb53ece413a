"""A GET signed by botocore, the core of boto3, for VPC Lattice. Prints the body, and the status as the last line.

Run on an instance, it finds the credentials of the instance's role by itself. The options make the signature wrong in one way each, and
`--credentials` takes others' credentials (the JSON of `aws sts assume-role`) from standard input.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import urllib.request
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.session import get_session

SERVICE = "vpc-lattice-svcs"
METADATA = "http://169.254.169.254/latest"
SECONDS = 5


class ShiftedAuth(SigV4Auth):
    """Signature Version 4 by a clock that is wrong."""

    offset = timedelta()

    def _modify_request_before_signing(self, request: AWSRequest) -> None:
        request.context["timestamp"] = (datetime.now(timezone.utc) + self.offset).strftime(SIGV4_TIMESTAMP)  # noqa: UP017 (Python 3.9 runs this)
        super()._modify_request_before_signing(request)


def credentials_of(document: str) -> Credentials:
    """From the answer of AssumeRole, or its member Credentials."""
    answer = json.loads(document)
    found = answer.get("Credentials", answer)
    return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])


def region_of_instance() -> str:
    """Instance metadata, version 2."""
    ask = urllib.request.Request(f"{METADATA}/api/token", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "300"})
    with urllib.request.urlopen(ask, timeout=SECONDS) as answer:
        token = answer.read().decode()
    ask = urllib.request.Request(f"{METADATA}/meta-data/placement/region", headers={"X-aws-ec2-metadata-token": token})
    with urllib.request.urlopen(ask, timeout=SECONDS) as answer:
        return answer.read().decode()


def signed_headers(url: str, credentials: Credentials, region: str, offset: timedelta) -> dict[str, str]:
    request = AWSRequest("GET", url, headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    signer = ShiftedAuth(credentials, SERVICE, region)
    signer.offset = offset
    signer.add_auth(request)
    return {name: str(value) for name, value in request.headers.items()}


def get(url: str, path: str, headers: dict[str, str]) -> tuple[str, int]:
    """Body and status of the answer to this path of the URL's host."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=SECONDS)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.read().decode(errors="replace"), answer.status
    finally:
        connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="a GET signed by botocore for VPC Lattice")
    parser.add_argument("url")
    parser.add_argument("--credentials", action="store_true", help="take the credentials from standard input, as `aws sts assume-role` prints them")
    parser.add_argument("--wrong-secret", action="store_true", help="sign with a secret access key that is not the credentials'")
    parser.add_argument("--clock-offset", type=int, default=0, metavar="SECONDS", help="sign by a clock that is wrong by so much")
    parser.add_argument("--send-path", metavar="PATH", help="send another path than the one that was signed")
    chosen = parser.parse_args()
    credentials = credentials_of(sys.stdin.read()) if chosen.credentials else get_session().get_credentials()
    if credentials is None:
        sys.exit("signed_request.py: this instance has no role, so there are no credentials")
    frozen = credentials.get_frozen_credentials()
    secret = "wrong" + frozen.secret_key[5:] if chosen.wrong_secret else frozen.secret_key
    headers = signed_headers(
        chosen.url, Credentials(frozen.access_key, secret, frozen.token), region_of_instance(), timedelta(seconds=chosen.clock_offset)
    )
    print(*get(chosen.url, chosen.send_path or urlsplit(chosen.url).path or "/", headers), sep="\n")


if __name__ == "__main__":
    main()
