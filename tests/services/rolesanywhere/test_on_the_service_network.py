"""A SPIFFE identity from outside decides, in the proxy, what its holder may ask of a service; so does a token's subject. A real region."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import jwt
import pytest
from bench.region import Region, running, until
from botocore import UNSIGNED
from botocore.config import Config
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from latticewall.auth.certificate_signature import CertifiedKey

from .authority import SPIFFE, Authority, spiffe, trust
from .serving import served
from .test_credential_process import written

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
OTHER = SPIFFE.replace("cart", "stranger")
SUBJECT = "system:serviceaccount:shop:cart"


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


INVOKE = {"Effect": "Allow", "Action": "vpc-lattice-svcs:Invoke", "Resource": "*"}


@dataclass(frozen=True)
class Shop:
    """A service that answers 404 to whoever may ask, an instance to ask from, and a trust anchor."""

    region: Region
    folder: Path
    instance: str
    url: str
    authority: Authority
    arns: dict[str, str]

    def credentials(self, who: CertifiedKey) -> dict[str, str]:
        """By the command line, as a workload on the host."""
        options = [word for name in ("trust-anchor", "profile", "role") for word in (f"--{name}-arn", self.arns[name])]
        done = self.region.cli("credentials", *written(self.folder, who), *options)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def status(self, given: dict[str, str]) -> str:
        """Of a request from the instance, signed with these credentials."""
        program = [
            "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "5", "--aws-sigv4", f"aws:amz:{self.region.name}:vpc-lattice-svcs",
            "--user", f"{given['AccessKeyId']}:{given['SecretAccessKey']}", "-H", f"x-amz-security-token: {given['SessionToken']}",
            "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", self.url,
        ]  # fmt: skip
        return self.region.run(self.instance, *program).stdout


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with running() as region:
        yield opened(region, region.state.parent)


def opened(region: Region, folder: Path) -> Shop:
    instance, vpc = machine(region)
    lattice = region.client("vpc-lattice")
    network = lattice.create_service_network(name="mesh", authType="NONE")["id"]
    lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=vpc)
    service = lattice.create_service(name="cart", authType="AWS_IAM")
    region.settle()
    lattice.create_listener(serviceIdentifier=service["id"], name="http", protocol="HTTP", defaultAction={"fixedResponse": {"statusCode": 404}})
    lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=service["id"])
    wanted = {**INVOKE, "Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalTag/x509SAN/URI": SPIFFE}}}
    tokens = {**INVOKE, "Principal": "*", "Condition": {"StringLike": {"aws:FederatedProvider": "arn:aws:iam::*:oidc-provider/127.0.0.1*"}}}
    lattice.put_auth_policy(resourceIdentifier=service["id"], policy=policy(wanted, tokens))
    authority = Authority()
    return Shop(region, folder, instance, f"http://{service['dnsEntry']['domainName']}/", authority, anywhere(region, authority))


def machine(region: Region) -> tuple[str, str]:
    ec2 = region.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    image = ec2.describe_images()["Images"][0]
    size = "t4g.micro" if image["Architecture"] == "arm64" else "t3.micro"
    made = ec2.run_instances(ImageId=image["ImageId"], InstanceType=size, MinCount=1, MaxCount=1, SubnetId=subnet)
    return made["Instances"][0]["InstanceId"], vpc


def anywhere(region: Region, authority: Authority) -> dict[str, str]:
    iam, api = region.client("iam"), region.client("rolesanywhere")
    role = iam.create_role(RoleName="outside", AssumeRolePolicyDocument=trust())["Role"]["Arn"]
    iam.put_role_policy(RoleName="outside", PolicyName="invoke", PolicyDocument=policy(INVOKE))
    source = {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": authority.pem}}
    anchor = api.create_trust_anchor(name="spire", source=source, enabled=True)["trustAnchor"]["trustAnchorArn"]
    profile = api.create_profile(name="shop", roleArns=[role], enabled=True)["profile"]["profileArn"]
    return {"trust-anchor": anchor, "profile": profile, "role": role}


def test_the_identity_of_the_certificate_decides(shop: Shop) -> None:
    cart, stranger = (shop.credentials(spiffe(shop.authority, uri)) for uri in (SPIFFE, OTHER))
    until(lambda: shop.status(cart) == "404")
    assert shop.status(stranger) == "403"
    shop.region.client("iam").delete_role_policy(RoleName="outside", PolicyName="invoke")
    try:
        until(lambda: shop.status(cart) == "403")
    finally:
        shop.region.client("iam").put_role_policy(RoleName="outside", PolicyName="invoke", PolicyDocument=policy(INVOKE))


def test_the_identity_of_a_token_decides(shop: Shop) -> None:
    """The provider is a server on the host, outside the region's network, and publishes its keys there."""
    key = ec.generate_private_key(ec.SECP256R1())
    keys = {"keys": [{**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "e", "alg": "ES256", "use": "sig"}]}

    class Provider(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = keys if self.path == "/keys" else {"jwks_uri": f"http://{self.headers['Host']}/keys"}
            body = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    iam = shop.region.client("iam")
    with served(Provider) as issuer:
        arn = iam.create_open_id_connect_provider(Url=issuer, ClientIDList=["sts.amazonaws.com"])["OpenIDConnectProviderArn"]
        name = arn.partition("/")[2]
        statement = {
            "Effect": "Allow", "Principal": {"Federated": arn}, "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{name}:sub": SUBJECT}},
        }  # fmt: skip
        role = iam.create_role(RoleName="pod", AssumeRolePolicyDocument=policy(statement))["Role"]["Arn"]
        iam.put_role_policy(RoleName="pod", PolicyName="invoke", PolicyDocument=policy(INVOKE))
        now = int(time.time())
        claims = {"iss": issuer, "sub": SUBJECT, "aud": "sts.amazonaws.com", "iat": now, "exp": now + 600}
        token = jwt.encode(claims, key, "ES256", headers={"kid": "e"})
        sts = boto3.client("sts", region_name=shop.region.name, endpoint_url=shop.region.session.endpoint, config=Config(signature_version=UNSIGNED))
        given = sts.assume_role_with_web_identity(RoleArn=role, RoleSessionName="pod", WebIdentityToken=token)["Credentials"]
    until(lambda: shop.status(given) == "404")
    iam.delete_role_policy(RoleName="pod", PolicyName="invoke")
    iam.delete_role(RoleName="pod")
    until(lambda: shop.status(given) == "403")
