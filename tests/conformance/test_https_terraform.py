"""Terraform requests, validates and imports certificates, and serves with them: HTTPS listeners and target groups of HTTP/2 and gRPC."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .lab import Lab
from .test_terraform import HERE, Terraform, pytestmark

__all__ = ["pytestmark"]


def self_signed(folder: Path, name: str, days: int) -> tuple[str, str]:
    """The files of a certificate for the service's name, and of its key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subject = ["-subj", "/CN=shop.terraform.test", "-addext", "subjectAltName=DNS:shop.terraform.test"]
    options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(days), *subject]
    subprocess.run(["openssl", "req", *options, "-out", certificate, "-keyout", key], check=True, capture_output=True)
    return str(certificate), str(key)


def test_certificates_come_are_replaced_and_go(lab: Lab, tmp_path: Path) -> None:
    terraform = Terraform(tmp_path, lab, HERE / "https")
    body, key = self_signed(tmp_path, "first", 9)
    renewed_body, renewed_key = self_signed(tmp_path, "renewed", 99)
    # the provider waits half a minute for every change of Route 53: one is enough
    zone = lab.client("route53").create_hosted_zone(Name="terraform.test", CallerReference="terraform.test")["HostedZone"]["Id"].rpartition("/")[2]
    first = ("-var", f"body={body}", "-var", f"key={key}", "-var", f"zone={zone}")
    own = (*first, "-var", "own=true", "-var", f"renewed_body={renewed_body}", "-var", f"renewed_key={renewed_key}")
    acm, lattice = lab.client("acm"), lab.client("vpc-lattice")
    try:
        terraform.run("apply", "-auto-approve", *first)
        terraform.run("plan", "-detailed-exitcode", *first)
        found = terraform.outputs()
        assert (found["found"], found["port"]) == (found["issued"], 443)
        assert lattice.get_service(serviceIdentifier=found["service"])["certificateArn"] == found["issued"]
        terraform.run("apply", "-auto-approve", *own)
        assert acm.get_certificate(CertificateArn=found["imported"])["Certificate"] == Path(renewed_body).read_text()
        assert lattice.get_service(serviceIdentifier=found["service"])["certificateArn"] == found["imported"]
        terraform.run("state", "rm", "aws_acm_certificate.issued", "aws_vpclattice_listener.https")
        terraform.run("import", *own, "aws_acm_certificate.issued", found["issued"])
        listener = lattice.list_listeners(serviceIdentifier=found["service"])["items"][0]["id"]
        terraform.run("import", *own, "aws_vpclattice_listener.https", f"{found['service']}/{listener}")
        terraform.run("plan", "-detailed-exitcode", *own)
    finally:
        terraform.run("destroy", "-auto-approve", *first)
    assert not {found["issued"], found["imported"]} & {one["CertificateArn"] for one in acm.list_certificates()["CertificateSummaryList"]}
