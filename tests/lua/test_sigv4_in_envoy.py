"""The verifier inside a real Envoy: its LuaJIT and its process (which has another crypto library in it) are not the test's own."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from real_signers import AKID, SECRET, SIGNERS, TOKEN
from test_sigv4_signers import key

from latticewall.auth.canonical import Head
from latticewall.dataplane.authorization.crypto import libcrypto
from latticewall.dataplane.envoy.lua_bundle import modules
from latticewall.policy.to_lua import literal

pytestmark = pytest.mark.engines
ENVOY = Path(sys.executable).parent / "envoy"
_FILTER = r"""
require("latticewall.sha256").load(CRYPTO)
local verify = require("latticewall.sigv4").verify
local function from_hex(text)
  return (text:gsub("..", function(digits) return string.char(tonumber(digits, 16)) end))
end
for scope, signing in pairs(RECORD.signing) do RECORD.signing[scope] = from_hex(signing) end
RECORD.ecdsa, RECORD.token_digest = from_hex(RECORD.ecdsa), from_hex(RECORD.token_digest)
local keys = { find = function(id) if id == RECORD.id then return RECORD end end }

function envoy_on_request(handle)
  local head = { names = {}, values = {}, by = {}, count = {}, n = 0 }
  for name, value in pairs(handle:headers()) do
    head.n = head.n + 1
    head.names[head.n], head.values[head.n] = name, value
    head.by[name], head.count[name] = head.by[name] or value, (head.count[name] or 0) + 1
  end
  head.method, head.path = head.by[":method"], head.by[":path"]
  local status, second, third = verify(head, keys, os.time(), "us-west-2", { skew = 300, strict_generic = false })
  handle:respond({ [":status"] = status == true and "200" or "403" }, status == true and second.id or tostring(third))
end
"""


def source() -> str:
    facts = key()
    record = {"id": facts.id, "signing": facts.signing(), "ecdsa": facts.point().hex(), "token_digest": facts.token_digest, "expires": 0}
    preload = "".join(f"package.preload[{literal(name)}] = function(...)\n{text}\nend\n" for name, text in modules().items())
    return f"{preload}local CRYPTO, RECORD = {literal(libcrypto())}, {literal(record)}\n{_FILTER}"


def configuration(ready: Path) -> dict[str, object]:
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "test",
        "normalize_path": False,
        "merge_slashes": False,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": []}]},
        "http_filters": [
            {
                "name": "lua",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
                    "default_source_code": {"inline_string": source()},
                },
            },
            {"name": "router", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}},
        ],
    }
    listener = {
        "name": "test",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return {"admin": {"address": {"pipe": {"path": str(ready)}}}, "static_resources": {"listeners": [listener]}}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where an Envoy listens that answers every request with who signed it."""
    folder = tmp_path_factory.mktemp("envoy")
    file, admin = folder / "envoy.json", folder / "admin"
    file.write_text(json.dumps(configuration(admin)))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([ENVOY, "-c", file, "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warning"], stdout=log, stderr=log)
    try:
        yield _port(admin, process, folder / "log")
    finally:
        process.terminate()
        process.wait(20)


def _port(admin: Path, process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        asked = subprocess.run(["curl", "-sS", "--unix-socket", admin, "http://admin/listeners?format=json"], capture_output=True, text=True)
        listeners = json.loads(asked.stdout).get("listener_statuses", []) if asked.returncode == 0 and asked.stdout.startswith("{") else []
        if listeners:
            return int(listeners[0]["local_address"]["socket_address"]["port_value"])
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def send(port: int, heads: Sequence[Head]) -> list[tuple[int, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    answers = []
    for head in heads:
        connection.putrequest(head.method, head.target, skip_host=True, skip_accept_encoding=True)
        for name, value in head.headers:
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        answers.append((response.status, response.read().decode("latin-1")))
    connection.close()
    return answers


REQUESTS = [("GET", target) for target in ("/", "/a%20b/c", "/a//b/", "/caf%C3%A9?lang=fran%C3%A7ais", "/q?a=1&b=two%20words&c=")]


@pytest.mark.parametrize("signer", ["botocore", "botocore S3", "awscrt", "awscrt SigV4A", "awscrt in the query"])
def test_envoy_verifies_what_real_clients_sign(port: int, signer: str) -> None:
    heads = SIGNERS[signer](REQUESTS)
    assert send(port, heads * 3) == [(200, AKID)] * len(heads) * 3
    for status, text in send(port, [Head("PUT", head.target, head.headers) for head in heads]):
        assert status == 403
        assert text.startswith("InvalidSignatureException: The request signature we calculated")


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_envoy_verifies_curl_in_both_versions_of_http(port: int, version: str) -> None:
    options = ["--noproxy", "*", "--max-time", "15", version, "--aws-sigv4", "aws:amz:us-west-2:vpc-lattice-svcs", "--user", f"{AKID}:{SECRET}"]
    headers = ["-H", f"x-amz-security-token: {TOKEN}", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]
    for path in ("/", "/orders/1?a=1&b=2", "/a%20b"):
        answer = subprocess.run(["curl", "-sS", *options, *headers, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True)
        assert answer.stdout == AKID


def test_the_clock_of_envoy_is_this_machines(port: int) -> None:
    """(The other tests rest on it.)"""
    head = SIGNERS["botocore"]([("GET", "/")])[0]
    early = (datetime.now(UTC) - timedelta(minutes=6)).strftime("%Y%m%dT%H%M%SZ")
    late = Head(head.method, head.target, tuple((name, early if name == "x-amz-date" else value) for name, value in head.headers))
    [(status, text)] = send(port, [late])
    assert (status, text.startswith(f"InvalidSignatureException: Signature expired: {early} is now earlier than")) == (403, True)


def test_a_second_authorization_header_makes_nobody_anonymous(port: int) -> None:
    """Envoy makes one header of both."""
    head = SIGNERS["botocore"]([("GET", "/")])[0]
    twice = [Head(head.method, head.target, (("Authorization", word), *head.headers)) for word in ("Bearer x", "Basic eDp5")]
    for status, text in send(port, twice):
        assert (status, text.startswith("IncompleteSignatureException: ")) == (403, True), text
