"""HTTPS listeners in a whole region: from the API to the packets, with curl, openssl, h2load and gRPC inside an instance."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bench.region import running, until
from tests.scenario.https_site import KEEPING, LOAD, OTHER, RAW, SHOP, Site, allow, answers, build, change_everything

from latticewall.auth.sigv4 import Credentials, sign
from latticewall.base.secret import Secret

pytestmark = [pytest.mark.netns, pytest.mark.engines, pytest.mark.scenario, pytest.mark.timeout(240)]

SERVERS = Path(__file__).with_name("https_servers.py")
TLS12 = (
    "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-SHA", "AES128-GCM-SHA256", "AES128-SHA",
    "AES256-GCM-SHA384", "AES256-SHA",
)  # fmt: skip
"""The documented suites of TLS 1.2 in the server's order."""
TLS13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
NOT_OFFERED = ("ECDHE-RSA-CHACHA20-POLY1305", "DHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256", "AES128-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running() as region:
        folder = region.state.parent
        folder.chmod(0o755)
        found = build(region, folder)
        found.self_signed("target")
        shutil.copy(SERVERS, folder / "servers.py")
        serving = region.inside(found.target, sys.executable, str(folder / "servers.py"), str(folder / "target.pem"), str(folder / "target.key"))
        with subprocess.Popen(serving, stdin=subprocess.DEVNULL) as server:
            until(lambda: found.curl(f"https://{found.names['shop']}/")[1] == "200")
            yield found
            server.kill()


def test_both_names_are_served_with_certificates_that_instances_trust(site: Site) -> None:
    for name in (site.names["shop"], SHOP):
        assert site.curl(f"https://{name}/", "--http1.1") == ("1.1", "200")
        assert site.curl(f"https://{name}/", "--http2") == ("2", "200")
        assert site.curl(f"https://{name}/", "--no-alpn") == ("1.1", "200")
    got = site.echoed(f"https://{SHOP}/")
    assert (got["x-forwarded-proto"], got["x-forwarded-port"], got["host"]) == ("https", "443", SHOP)
    assert "x-amzn-lattice-version" not in got
    generated = site.handshake(site.names["shop"])
    assert f"subject=CN = *.{site.names['shop'].split('.', 1)[1]}" in generated
    assert f"subject=CN = {SHOP}" in site.handshake(SHOP)


@pytest.mark.parametrize("name", ["", "nobody.example.com", OTHER, "a.b.c.on.aws"])
def test_what_has_no_certificate_gets_no_handshake(site: Site, name: str) -> None:
    assert "no peer certificate available" in site.handshake(name)


def test_a_name_of_no_service_is_404(site: Site) -> None:
    unknown = f"nobody-0123.{site.names['shop'].split('.', 1)[1]}"
    address = ("--resolve", f"{unknown}:443:169.254.171.32")
    assert site.curl(f"https://{unknown}/", *address) == ("2", "404")


def test_three_protocols_share_a_port(site: Site) -> None:
    """HTTPS, HTTP and TLS_PASSTHROUGH, each of another service, all at 443."""
    assert site.curl(f"https://{SHOP}/")[1] == "200"
    assert site.curl(f"http://{OTHER}:443/") == ("1.1", "500")
    assert "subject=CN = target" in site.handshake(RAW)


def test_versions_and_suites_are_the_documented_ones(site: Site) -> None:
    assert site.suites("-tls1_2 -cipher", *TLS12, *NOT_OFFERED) == list(TLS12)
    assert site.suites("-tls1_3 -ciphersuites", *TLS13) == list(TLS13)
    shuffled = ":".join(reversed(TLS12))
    assert f"Cipher is {TLS12[0]}" in site.handshake(SHOP, "-tls1_2", "-cipher", shuffled)
    assert "Cipher is (NONE)" in site.handshake(SHOP, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    assert "ALPN protocol: h2" in site.handshake(SHOP, "-alpn", "http/1.1,h2")
    assert "ALPN protocol: http/1.1" in site.handshake(SHOP, "-alpn", "http/1.1")


@pytest.mark.parametrize(
    ("path", "options", "status"),
    [
        ("/", ("--http1.1",), "200"),
        ("/", ("--http2",), "200"),
        ("/secure", ("--http1.1",), "200"),
        ("/secure", ("--http2",), "200"),
        ("/two", ("--http1.1",), "400"),
        ("/api.parking/x", ("--http1.1",), "400"),
        ("/api.parking/x", ("--http1.1", "-d", "x"), "400"),
        ("/api.parking/x", ("--http2",), "400"),
    ],
)
def test_a_group_takes_what_it_speaks(site: Site, path: str, options: tuple[str, ...], status: str) -> None:
    assert site.curl(f"https://{SHOP}{path}", *options)[1] == status
    if status == "400":
        record = site.logged(path)
        assert (record["responseCode"], record["failureReason"], record["targetIpPort"]) == (400, "ClientProtocolError", "-")


def test_grpc_by_method(site: Site) -> None:
    rates, watch, missing, two, one = "/api.parking/GetRates", "/api.parking/Watch", "/api.parking/Nothing", "/two/x", "/plain/x"
    found = site.grpc(rates, watch, missing, two, one)
    assert json.loads(found[rates])["metadata"]["x-forwarded-proto"] == "https"
    assert found[watch] == ["0", "1", "2"]
    assert found[missing] == "NOT_FOUND"
    assert found[two] == "UNIMPLEMENTED"  # the target's own answer: groups of HTTP2 take gRPC
    assert found[one] == "INTERNAL"  # a group of HTTP1 does not
    record = site.logged(missing)
    assert (record["grpcResponseCode"], record["responseCode"], record["protocol"], record["requestMethod"]) == (5, 200, "HTTP/2", "POST")


@pytest.mark.skipif(shutil.which("h2load") is None, reason="h2load is not installed (in Debian's and Ubuntu's package nghttp2-client)")
@pytest.mark.parametrize(("path", "grpc"), [("/streams", False), ("/api.parking/GetRates", True)], ids=["HTTP1", "GRPC"])
def test_many_streams_share_a_connection(site: Site, path: str, grpc: bool) -> None:
    """By h2load: 20 streams at a time on each of 4 connections, to groups of either protocol version."""
    message = site.folder / "message"
    message.write_bytes(b"\0\0\0\0\1x")  # not compressed, of one byte
    message.chmod(0o644)
    call = ("-d", str(message), "-H", "content-type: application/grpc", "-H", "te: trailers") if grpc else ()
    said = site.region.run(site.client, "h2load", "-n", "400", "-c", "4", "-m", "20", *call, f"https://{SHOP}{path}").stdout
    assert "Application protocol: h2\n" in said, said
    assert "TLS Protocol: TLSv1.3" in said
    assert "requests: 400 total, 400 started, 400 done, 400 succeeded, 0 failed, 0 errored, 0 timeout" in said
    assert "status codes: 400 2xx, 0 3xx, 0 4xx, 0 5xx" in said

    def logged() -> list[dict[str, Any]]:
        found = [record for record in site.records(path) if record["userAgent"].startswith("h2load")]
        return found if len(found) == 400 else []

    records = until(logged)
    assert len({record["sourceIpPort"] for record in records}) == 4
    assert {(record["protocol"], record["grpcResponseCode"]) for record in records} == {("HTTP/2", 0 if grpc else "-")}


def test_the_log_tells_of_the_tls(site: Site) -> None:
    site.curl(f"https://{SHOP}/told", "--http2", "--tls-max", "1.2")
    record = site.logged("/told")
    told = ("listenerType", "protocol", "serverNameIndication", "tlsVersion", "sslCipher", "responseCode", "hostHeader")
    assert [record[name] for name in told] == ["HTTPS", "HTTP/2", SHOP, "TLSv1.2", TLS12[0], 200, SHOP]
    site.curl(f"http://{SHOP}/plain")
    record = site.logged("/plain")
    assert [record[name] for name in told] == ["HTTP", "HTTP/1.1", "-", "-", "-", 200, SHOP]


def test_another_certificate_closes_no_connection(site: Site) -> None:
    """By re-import and by UpdateService: a connection that was there goes on, the next one is shown the new certificate."""
    first = site.serial(SHOP)
    imported = site.acm.import_certificate(**site.self_signed(SHOP))["CertificateArn"]
    keeping = subprocess.Popen(
        site.region.inside(site.client, sys.executable, "-c", KEEPING, SHOP), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )  # fmt: skip
    with keeping:
        assert keeping.stdin is not None
        assert keeping.stdout is not None
        assert keeping.stdout.readline() == "open\n"

        def asks() -> str:
            keeping.stdin.write("\n")  # type: ignore[union-attr] - see above
            return keeping.stdout.readline().strip()  # type: ignore[union-attr]

        assert asks() == "200 kept"
        site.lattice.update_service(serviceIdentifier=site.services["shop"], certificateArn=imported)
        site.region.settle()
        second = until(lambda: site.serial(SHOP) != first and site.serial(SHOP))
        assert second == site.acm.describe_certificate(CertificateArn=imported)["Certificate"]["Serial"]
        assert asks() == "200 kept"
        site.acm.import_certificate(CertificateArn=imported, **site.self_signed(SHOP))
        site.region.settle()
        third = until(lambda: site.serial(SHOP) != second and site.serial(SHOP))
        assert third == site.acm.describe_certificate(CertificateArn=imported)["Certificate"]["Serial"]
        assert asks() == "200 kept"
        keeping.stdin.close()


def test_changes_under_load_fail_no_request(site: Site) -> None:
    """Certificates, rules, targets and services come, change and go, and the control plane is killed, while requests go on."""
    words = site.region.inside(site.client, sys.executable, "-c", LOAD, site.names["shop"], SHOP)
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as loading:
        assert loading.stdin is not None
        assert loading.stdout is not None
        assert loading.stdout.readline() == "asking\n"
        for number in range(3):
            change_everything(site, f"load{number}")
            if number == 1:
                site.region.kill("control-plane")
                until(lambda: answers(site.region))
        loading.stdin.close()
        told = json.loads(loading.stdout.read())
    assert told["failures"] == []
    assert min(told["counts"]) > 20, told


def test_policies_and_signatures_are_as_with_http(site: Site) -> None:
    """aws:SecureTransport and the port; a signature over HTTP/1.1, HTTP/2."""
    secure = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}
    only_443 = {**secure, "Condition": {"NumericEquals": {"vpc-lattice-svcs:Port": "443"}}}
    signed = {**secure, "Condition": {"StringEquals": {"aws:PrincipalType": "User"}}}
    address, trust = site.names["shop"], ()
    site.lattice.update_service(serviceIdentifier=site.services["shop"], authType="AWS_IAM")
    try:
        for statement in (secure, only_443):
            allow(site, statement)
            assert [site.curl(f"{scheme}://{address}/", *trust)[1] for scheme in ("http", "https")] == ["403", "200"]
        allow(site, signed)
        iam = site.region.client("iam")
        iam.create_user(UserName="ann")
        allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "vpc-lattice-svcs:Invoke", "Resource": "*"}]}
        iam.put_user_policy(UserName="ann", PolicyName="invoke", PolicyDocument=json.dumps(allowed))
        key = iam.create_access_key(UserName="ann")["AccessKey"]
        site.region.settle()
        sigv4 = (f"aws:amz:{site.region.name}:vpc-lattice-svcs", f"{key['AccessKeyId']}:{key['SecretAccessKey']}")
        signing = ("--aws-sigv4", sigv4[0], "--user", sigv4[1], "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD")
        for version in ("--http1.1", "--http2"):
            assert site.curl(f"https://{address}/", version)[1] == "403"
            assert site.curl(f"https://{address}/", version, *signing)[1] == "200"
        assert "user/ann" in site.echoed(f"https://{address}/", *signing)["x-amzn-lattice-identity"]
        rates, credentials = "/api.parking/GetRates", Credentials(key["AccessKeyId"], Secret(key["SecretAccessKey"]))
        unsigned, scope = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, ("vpc-lattice-svcs", site.region.name, datetime.now(UTC))
        headers = sign("POST", f"https://{address}{rates}", unsigned, credentials, *scope, payload_hash="UNSIGNED-PAYLOAD")
        metadata = {name.lower(): value for name, value in headers.items() if name.lower() != "host"}
        assert "user/ann" in json.loads(site.grpc(rates, metadata=metadata)[rates])["metadata"]["x-amzn-lattice-identity"]
        assert site.grpc("/api.parking/Denied") == {"/api.parking/Denied": "PERMISSION_DENIED"}
        record = site.logged("/api.parking/Denied")
        assert (record["grpcResponseCode"], record["failureReason"], record["resolvedUser"]) == (7, "ClientAccessDenied", "Anonymous")
    finally:
        site.lattice.update_service(serviceIdentifier=site.services["shop"], authType="NONE")
        site.region.settle()


def test_no_file_log_or_answer_of_the_region_holds_a_private_key(site: Site) -> None:
    """But the database and the authority's own file, which only the region's user can read."""
    state = site.folder / "state"
    holding = [path.name for path in state.rglob("*") if path.is_file() and not path.is_symlink() and b"PRIVATE KEY" in path.read_bytes()]
    assert set(holding) <= {"region.db", "region.db-wal", "key.pem"}
    for name in holding:
        for path in state.rglob(name):
            assert path.stat().st_mode & 0o077 == 0, path
    assert "PRIVATE KEY" not in site.region.cli("plan", "--output", "json").stdout
