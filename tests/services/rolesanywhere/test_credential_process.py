"""The command line outside: boto3 obtains its credentials by itself, from a certificate, over a socket, and finds out who it is."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.region import ACCOUNT, NAME, Region

from latticewall.auth.certificate_signature import CertifiedKey
from latticewall.faces.cli.main import main
from latticewall.wire.message import HttpRequest

from .authority import Authority, Scene, scene, spiffe, subject
from .serving import served

COMMAND = [sys.executable, "-P", "-m", "latticewall.faces.cli.main", "credentials"]


class RealTime:
    def now(self) -> datetime:
        return datetime.now(UTC)


@contextmanager
def endpoint_of(region: Region) -> Iterator[str]:
    """The region's endpoint over HTTP."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            path, _, query = self.path.partition("?")
            answer = region.endpoint.answer(HttpRequest("POST", path, query, tuple(self.headers.items()), body), self.client_address[0])
            self.send_response(answer.status)
            for name, value in (*answer.headers, ("Content-Length", str(len(answer.body)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: Any) -> None: ...

    with served(Handler) as url:
        yield url


@pytest.fixture
def ours(tmp_path: Path) -> Scene:
    """Signatures are verified, at the time that clients sign with."""
    made = scene(Region(tmp_path, clock=RealTime()))
    made.region = Region(tmp_path, clock=RealTime(), open_mode=False)
    return made


def written(folder: Path, who: CertifiedKey) -> list[str]:
    """The certificate with its chain and the key, as options."""
    form = PrivateFormat.PKCS8
    (folder / "web.key").write_bytes(who.key.private_bytes(Encoding.PEM, form, NoEncryption()))
    (folder / "web.pem").write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in (who.certificate, *who.chain)))
    return ["--certificate", str(folder / "web.pem"), "--private-key", str(folder / "web.key")]


def options(ours: Scene, endpoint: str) -> list[str]:
    return ["--trust-anchor-arn", ours.anchor, "--profile-arn", ours.profile, "--role-arn", ours.role, "--endpoint", endpoint]


def test_boto3_becomes_the_role_by_its_configuration_alone(ours: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with endpoint_of(ours.region) as endpoint:
        words = [*COMMAND, *written(tmp_path, spiffe(Authority("Workloads", ours.authority))), *options(ours, endpoint)]
        (tmp_path / "config").write_text(f"[profile web]\nregion = {NAME}\nendpoint_url = {endpoint}\ncredential_process = {shlex.join(words)}\n")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_PROFILE", "web")
        who = botocore.session.Session().create_client("sts").get_caller_identity()
    assert who["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/outside/1f71c5114a"


def test_what_the_command_prints(ours: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with endpoint_of(ours.region) as endpoint:
        assert main(["credentials", *written(tmp_path, ours.authority.issue()), *options(ours, endpoint), "--session-duration", "900"]) == 0
    given = json.loads(capsys.readouterr().out)
    assert sorted(given) == ["AccessKeyId", "Expiration", "SecretAccessKey", "SessionToken", "Version"]
    assert given["Version"] == 1
    assert 880 < (datetime.fromisoformat(given["Expiration"]) - datetime.now(UTC)).total_seconds() <= 900


def test_refusals_are_one_line(ours: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stranger = written(tmp_path, Authority().issue(subject(COMMON_NAME="mallory")))
    with endpoint_of(ours.region) as endpoint:
        assert main(["credentials", *stranger, *options(ours, endpoint)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("latticewall: the region refuses: Untrusted signing certificate")
    assert "AccessDeniedException" in printed.err


def test_files_that_do_not_fit(ours: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = written(tmp_path, ours.authority.issue())
    (tmp_path / "other.key").write_bytes(ours.authority.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "none.pem").write_text("nothing\n")
    nowhere = options(ours, "http://127.0.0.1:1")
    for words, said in (
        ([*good[:2], "--private-key", str(tmp_path / "other.key")], "is not the private key of"),
        ([*good[:2], "--private-key", str(tmp_path / "none.pem")], "holds no private key"),
        (["--certificate", str(tmp_path / "none.pem"), *good[2:]], "holds no X.509 certificate"),
        (["--certificate", str(tmp_path / "gone.pem"), *good[2:]], "cannot be read"),
        (good, "does not answer"),
    ):
        assert main(["credentials", *words, *nowhere]) == 2
        assert said in capsys.readouterr().err
