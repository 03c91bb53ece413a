"""Signatures of identity documents, verified with OpenSSL as AWS's pages tell."""

from __future__ import annotations

import base64
import stat
import subprocess
from pathlib import Path

import pytest

from latticewall.dataplane.names.identity import CERTIFICATE, KEY, IdentitySigner

DOCUMENT = '{\n  "instanceId" : "i-0123456789abcdef0"\n}'


def openssl(*arguments: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", *arguments], input=text, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("name", ["pkcs7", "rsa2048"])
def test_the_enveloped_forms_hold_the_document_and_verify(tmp_path: Path, name: str) -> None:
    text = f"-----BEGIN PKCS7-----\n{IdentitySigner(tmp_path).sign(DOCUMENT)[name]}\n-----END PKCS7-----\n"
    verify = ("smime", "-verify", "-inform", "PEM", "-certfile", tmp_path / CERTIFICATE, "-noverify", "-nointern")
    done = openssl(*verify, text=text)
    assert (done.returncode, done.stdout) == (0, DOCUMENT), done.stderr
    other = tmp_path / "other"
    IdentitySigner(other)
    assert openssl(*verify[:5], other / CERTIFICATE, *verify[6:], text=text).returncode != 0


def test_the_bare_signature_is_of_the_documents_bytes(tmp_path: Path) -> None:
    signature, document, key = tmp_path / "signature", tmp_path / "document", tmp_path / "public.pem"
    signature.write_bytes(base64.b64decode(IdentitySigner(tmp_path / "identity").sign(DOCUMENT)["signature"]))
    document.write_text(DOCUMENT)
    key.write_text(openssl("x509", "-pubkey", "-noout", "-in", tmp_path / "identity" / CERTIFICATE).stdout)
    verify = ("dgst", "-sha256", "-verify", key, "-signature", signature, document)
    assert openssl(*verify).returncode == 0
    document.write_text(DOCUMENT.replace("f0", "f1"))
    assert openssl(*verify).returncode != 0


def test_the_certificate_is_made_once_and_its_key_is_private(tmp_path: Path) -> None:
    first = IdentitySigner(tmp_path).sign(DOCUMENT)
    assert IdentitySigner(tmp_path).sign(DOCUMENT) == first
    assert stat.S_IMODE((tmp_path / KEY).stat().st_mode) == 0o600
