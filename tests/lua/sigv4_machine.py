"""The Lua that verifies signatures inside the proxy, run by LuaJIT inside the test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lupa import luajit21

from latticewall.auth.canonical import Head
from latticewall.auth.lattice import DerivedKey, Refusal, verify_lattice
from latticewall.auth.sigv4 import derive_signing_key
from latticewall.auth.sigv4a import derive_ecdsa_public_key
from latticewall.dataplane.authorization.crypto import libcrypto
from latticewall.dataplane.envoy.lua_bundle import modules

_PARTS = ("sha256", "octets", "canonical_path", "canonical", "signature", "sigv4a", "claim_checks", "sigv4")
_GLUE = r"""
local sigv4, sha256 = require("latticewall.sigv4"), require("latticewall.sha256")
local records = {}
local keys = { find = function(id) return records[id] end }
-- one head, reused for every request as the filter does
local head = { names = {}, values = {}, by = {}, count = {}, n = 0 }

function from_hex(text)
  return (text:gsub("..", function(digits) return string.char(tonumber(digits, 16)) end))
end

function put_record(id, signing, ecdsa, token_digest, expires)
  local record = { id = id, signing = {}, ecdsa = from_hex(ecdsa), token_digest = from_hex(token_digest), expires = expires }
  for scope, key in pairs(signing) do record.signing[scope] = from_hex(key) end
  records[id] = record
end

function fill_head(method, path, names, values, n)
  head.method, head.path, head.by, head.count = method, path, {}, {}
  for index = n + 1, head.n do head.names[index], head.values[index] = nil, nil end
  head.n = n
  for index = 1, n do
    local name, value = names[index], values[index]
    head.names[index], head.values[index] = name, value
    head.count[name] = (head.count[name] or 0) + 1
    if head.by[name] == nil then head.by[name] = value end
  end
  head.authority = head.by[":authority"]
  return head
end

function ask(how, method, path, names, values, n, now, region, options)
  local status, second, third = sigv4[how](fill_head(method, path, names, values, n), keys, now, region, options)
  if status == true then return true, second.id end
  return status, second, third
end
"""


@dataclass(frozen=True)
class KeyFacts:
    """What a test knows of an access key. days: for which signing keys were derived."""

    id: str
    secret: str
    token_digest: str = ""
    expires: datetime | None = None
    days: tuple[str, ...] = ()
    region: str = "us-west-2"
    service: str = "vpc-lattice-svcs"
    asymmetric: bool = True

    def signing(self) -> dict[str, str]:
        return {f"{day}/{self.region}": derive_signing_key(self.secret, day, self.region, self.service).hex() for day in self.days}

    def point(self) -> bytes:
        return derive_ecdsa_public_key(self.id, self.secret) if self.asymmetric else b""


Verdict = str | Refusal | None


@dataclass
class LuaVerifier:
    """One Lua state with the modules in it. keys: those it knows. A Lua error fails the test."""

    keys: list[KeyFacts] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lua = luajit21.LuaRuntime(encoding="latin-1", unpack_returned_tuples=True)
        sources = modules()
        for part in _PARTS:
            name = f"latticewall.{part}"
            self.lua.globals().package.preload[name] = self.lua.eval("loadstring")(sources[name], f"={part}")
        self.lua.execute("require('latticewall.sha256').load(...)", libcrypto())
        self.lua.execute(_GLUE)
        for key in self.keys:
            self.put(key)

    def put(self, key: KeyFacts) -> None:
        expires = int(key.expires.timestamp()) if key.expires else 0
        self.lua.globals().put_record(key.id, self.lua.table_from(key.signing()), key.point().hex(), key.token_digest, expires)

    def fields(self, head: Head) -> tuple[Any, ...]:
        """A head as the functions of the glue take it."""
        names = [name.encode("latin-1").lower().decode("latin-1") for name, _ in head.headers]
        return head.method, head.target, self.lua.table_from(names), self.lua.table_from([value for _, value in head.headers]), len(names)

    def verify(self, head: Head, now: datetime, region: str = "us-west-2", *, how: str = "verify", **options: object) -> Verdict:
        """How verify_lattice answers. how: or verify_signature."""
        asked = self.lua.table_from({"skew": 300, "strict_generic": False, **options})
        answer = self.lua.globals().ask(how, *self.fields(head), int(now.timestamp()), region, asked)
        status, *rest = answer if isinstance(answer, tuple) else (answer,)
        if status is None:
            return None
        return str(rest[0]) if status else Refusal(int(rest[0]), str(rest[1]))


def python_verdict(keys: Mapping[str, KeyFacts], head: Head, now: datetime, region: str = "us-west-2", *, strict: bool = False) -> Verdict:
    """What the Python verifier says with the same keys."""

    def derived(access_key_id: str, day: str) -> DerivedKey | None:
        key = keys.get(access_key_id)
        if key is None:
            return None
        signing = key.signing().get(f"{day}/{region}", "")
        return DerivedKey(bytes.fromhex(signing), key.token_digest, key.expires, key.point())

    return verify_lattice(head, derived, now, region, strict_generic=strict)


def utc(stamp: str) -> datetime:
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

