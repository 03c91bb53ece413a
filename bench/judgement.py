"""The judgement on one request, by the Lua that Envoy runs, without Envoy: signature and three layers of policies, in LuaJIT on one core."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

from bench.region import REGION
from bench.table import Figure, Section, skipped
from latticewall.auth.sigv4 import Credentials, derive_signing_key, sign
from latticewall.base.secret import Secret
from latticewall.compile.render.authorization import identity_chunk, key_chunk, layer_chunk
from latticewall.dataplane.authorization.crypto import libcrypto
from latticewall.dataplane.authorization.tables import Tables
from latticewall.dataplane.envoy.lua_bundle import modules
from latticewall.plan.authorization import AuthIdentity, AuthKey, AuthLayer

ROUNDS = 200_000
SERVICE, ACCOUNT, SECRET, TOKEN = "vpc-lattice-svcs", "111122223333", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "T" * 384
_BASE = f"arn:aws:vpc-lattice:{REGION}:{ACCOUNT}"
_NETWORK, _ARN, _ROLE = f"{_BASE}:servicenetwork/sn-1", f"{_BASE}:service/svc-1", f"arn:aws:iam::{ACCOUNT}:role/web"
_ALLOW = {"Effect": "Allow", "Action": f"{SERVICE}:Invoke"}
_LOOP = """
local judge, names, values, n, at, place, rounds = require("latticewall.judge"), ...
local head, own, texts = judge.head, {}, {}
for index = 1, n do
  own[index], texts[index] = names[index], values[index]
end
local function run(times)
  for _ = 1, times do
    for index = 1, n do
      head.names[index], head.values[index] = own[index], texts[index]
    end
    head.n = n
    assert(judge.judge(at, place) == judge.PASS)
  end
end
run(rounds / 10)
local started = os.clock()
run(rounds)
return (os.clock() - started) / rounds * 1e6
"""


def judgement(folder: Path) -> Section:
    """Microseconds for a signed request and for an anonymous one."""
    how = (
        f"LuaJIT in Python, {ROUNDS} times, a session's request with a token of {len(TOKEN)} characters; network, service and identity policy of one "
        "statement each."
    )
    names = {"signed": "signed: signature and three layers", "anonymous": "not signed: two layers"}
    try:
        from lupa import luajit21
    except ImportError:
        return Section("Judgement in Lua", how, tuple(skipped(text, "us", "lupa is not installed") for text in names.values()))
    now = datetime.now(UTC)
    _write_tables(Tables(folder), now)
    lua = luajit21.LuaRuntime(encoding="latin-1")
    for name, source in modules().items():
        lua.globals().package.preload[name] = lua.eval("function(...) return assert(loadstring(...)) end")(source, f"={name}")
    settings = lua.table_from({"folder": str(folder), "crypto": libcrypto(), "skew": 300, "strict_generic": False})
    lua.eval("function(settings) require('latticewall.judge').open(settings, function() return '10.0.0.10' end) end")(settings)
    credentials = Credentials("ASIABENCH", Secret(SECRET), Secret(TOKEN))
    plain = {"accept": "*/*", "user-agent": "curl/8.14.1"}
    signed = sign("GET", "http://svc.test/r/1", plain, credentials, SERVICE, REGION, now, payload_hash="UNSIGNED-PAYLOAD")
    loop = lua.eval("function(text) return assert(loadstring(text)) end")(_LOOP)
    context = (f"{_ARN} {_NETWORK}", f"vpc-1 {ACCOUNT} 80")

    def measured(headers: dict[str, str]) -> float:
        fields = [(":method", "GET"), (":path", "/r/1"), (":authority", "svc.test"), ("x-amzn-requestid", "1"), ("x-amzn-lattice-identity", "pending")]
        fields += [(name.lower(), text) for name, text in headers.items() if name != "Host"]
        columns = (lua.table_from([field[column] for field in fields]) for column in (0, 1))
        return float(loop(*columns, len(fields), *context, ROUNDS))

    return Section("Judgement in Lua", how, (Figure(names["signed"], measured(signed), "us"), Figure(names["anonymous"], measured(plain), "us")))


def _write_tables(tables: Tables, now: datetime) -> None:
    by_organization = {**_ALLOW, "Principal": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceAccount": ACCOUNT}}}
    methods = {"StringEquals": {f"{SERVICE}:RequestMethod": ["GET", "POST"]}}
    by_path = {**_ALLOW, "Principal": "*", "Resource": [f"{_ARN}/r/*", f"{_ARN}/health"], "Condition": methods}
    key = AuthKey(
        "ASIABENCH", "AROAWEB", f"arn:aws:sts::{ACCOUNT}:assumed-role/web/i-1", ACCOUNT, "AssumedRole", "AROAWEB:i-1", _ROLE,
        expires="2100-01-01T00:00:00Z", token_digest=hashlib.sha256(TOKEN.encode()).hexdigest(),
    )  # fmt: skip
    scope = (f"{now:%Y%m%d}", REGION)
    signing = {"/".join(scope): derive_signing_key(SECRET, *scope, SERVICE)}
    tables.write("networks", {"sn-1": layer_chunk(AuthLayer("sn-1", _NETWORK, "AWS_IAM", _document(by_organization)))})
    tables.write("services", {"svc-1": layer_chunk(AuthLayer("svc-1", _ARN, "AWS_IAM", _document(by_path)))})
    tables.write("identities", {"AROAWEB": identity_chunk(AuthIdentity("AROAWEB", (_document({**_ALLOW, "Resource": "*"}),)))})
    tables.write("keys", {"ASIABENCH": key_chunk(key, signing, b"")})
    tables.extend(2**32 - 1)
    tables.announce()


def _document(statement: dict[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
