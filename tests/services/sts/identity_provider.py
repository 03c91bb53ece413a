"""An OpenID Connect provider of the test: its keys, its key set, and tokens signed with them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from tests.region import ACCOUNT, Region, client

from .words import role, trust

ISSUER = "https://id.example.com/realm"
NAME = "id.example.com/realm"
ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{NAME}"
CLIENT = "sts.amazonaws.com"
SUBJECT = "system:serviceaccount:shop:cart"


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    """One for the whole run: they take long to make."""
    return rsa.generate_private_key(65537, 2048)


@dataclass
class Provider:
    """`path` is where its key set lies."""

    region: Region
    path: Path
    issuer: str = ISSUER
    rsa: rsa.RSAPrivateKey = field(default_factory=rsa_key)
    ec: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        self.path.write_text(json.dumps(self.key_set()))

    def key_set(self) -> dict[str, Any]:
        of_rsa = RSAAlgorithm.to_jwk(self.rsa.public_key(), as_dict=True)
        of_ec = ECAlgorithm.to_jwk(self.ec.public_key(), as_dict=True)
        return {"keys": [{**of_rsa, "kid": "r", "use": "sig", "alg": "RS256"}, {**of_ec, "kid": "e", "use": "sig", "alg": "ES256"}]}

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(self.region.clock.now().timestamp())
        found = {"iss": self.issuer, "sub": SUBJECT, "aud": CLIENT, "iat": now, "nbf": now, "exp": now + 600, **changed}
        return {name: value for name, value in found.items() if value is not None}

    def token(self, *, key: Any = None, algorithm: str = "RS256", headers: dict[str, Any] | None = None, **changed: Any) -> str:
        default = self.rsa if algorithm.startswith("RS") else self.ec
        kid = {"kid": "r" if algorithm.startswith("RS") else "e"}
        return jwt.encode(self.claims(**changed), key or default, algorithm=algorithm, headers=kid if headers is None else headers)


def provider(region: Region, folder: Path) -> Provider:
    """Registered with IAM, its keys in a file."""
    made = Provider(region, folder / "jwks.json")
    region.iam.create_open_id_connect_provider(
        Url=ISSUER, ClientIDList=[CLIENT, "other"], ThumbprintList=["0" * 40], Tags=[{"Key": "latticewall:jwks", "Value": str(made.path)}]
    )
    return made


def trusting(region: Region, *actions: str, name: str = "web", **condition: Any) -> str:
    """A role that lets the provider's identities in."""
    return role(region, trust({"Federated": ARN}, *(actions or ("sts:AssumeRoleWithWebIdentity",)), **condition), name)


def become(arn: str, token: str, **more: Any) -> dict[str, Any]:
    """The answer to AssumeRoleWithWebIdentity."""
    answer = client("sts").assume_role_with_web_identity(**{"RoleArn": arn, "RoleSessionName": "pod", "WebIdentityToken": token, **more})
    return dict(answer)
