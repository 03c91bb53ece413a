"""The text that Envoy runs, run by LuaJIT inside the test, with the few of Envoy's functions that the filter calls in front of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lupa import luajit21
from python_filter import Answer, Inquiry, utf8

from latticewall.auth.sigv4a import derive_ecdsa_public_key
from latticewall.compile.render.authorization import identity_chunk, key_chunk, layer_chunk
from latticewall.dataplane.authorization.crypto import libcrypto
from latticewall.dataplane.authorization.tables import Tables
from latticewall.dataplane.envoy.lua_bundle import bundle
from latticewall.plan.authorization import AuthorizationPlan

IDENTITY = "x-amzn-lattice-identity"
_ENVOY = r"""
local request = { names = {}, values = {}, n = 0 }
local added, facts, answer, problems = {}, {}, nil, {}
local context, source = "", ""

local headers = setmetatable({}, { __pairs = true })
-- LuaJIT without 5.2 compatibility has no __pairs: the filter's `pairs` is replaced for this one object.
local plain_pairs = pairs
function pairs(object)
  if object ~= headers then
    return plain_pairs(object)
  end
  local index = 0
  return function()
    index = index + 1
    if index <= request.n then
      return request.names[index], request.values[index]
    end
  end
end
function headers:get(wanted)
  for index = 1, request.n do
    if request.names[index] == wanted then
      return request.values[index]
    end
  end
  return nil
end
function headers:replace(name, value) added[name] = value end
function headers:remove(name) added[name] = false end

local metadata = {}
function metadata:set(_, name, value) facts[name] = value end
local info = {}
function info:dynamicMetadata() return metadata end
function info:downstreamDirectRemoteAddress() return (source:find(":", 1, true) and "[" .. source .. "]" or source) .. ":40000" end
local route = {}
function route:get(_) return context and context:match("^%S+ %S+") end

local handle = {}
function handle:headers() return headers end
function handle:streamInfo() return info end
function handle:filterContext() return route end
function handle:logErr(text) problems[#problems + 1] = text end
function handle:respond(head, body) answer = { head[":status"], body } end

function ask(names, values, n, at, entered, from)
  request.names, request.values, request.n = names, values, n
  added, facts, answer, problems, context, source = {}, {}, nil, {}, at, from
  added["x-amzn-lattice-identity"] = "pending"
  envoy_on_request(handle, entered)
  return added, facts, answer, problems
end
"""


class LuaFilter:
    """One Lua state with the filter in it, deciding from tables in a folder. now: epoch seconds, may be set before each question."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tables = Tables(folder)
        self.tables.extend(2**32 - 1)
        self.now = 0
        self.lua = luajit21.LuaRuntime(encoding="latin-1", unpack_returned_tuples=True)
        self.lua.execute(_ENVOY)
        source = bundle({"folder": str(folder), "crypto": libcrypto(), "skew": 300, "strict_generic": False})
        # the one thing taken from outside besides Envoy is the time
        source = source.replace("tonumber(ffi.C.time(nil))", "now()")
        self.lua.globals().now = lambda: self.now
        self.lua.execute(source)

    def put(self, plan: AuthorizationPlan, signing: Mapping[str, Mapping[str, bytes]], secrets: Mapping[str, str] | None = None) -> None:
        """What the applier does."""
        points = {key_id: derive_ecdsa_public_key(key_id, secret) for key_id, secret in (secrets or {}).items()}
        self.tables.write("networks", {layer.id: layer_chunk(layer) for layer in plan.networks})
        self.tables.write("services", {layer.id: layer_chunk(layer) for layer in plan.services})
        self.tables.write("identities", {item.id: identity_chunk(item) for item in plan.identities})
        keys = {key.access_key_id: key_chunk(key, signing.get(key.access_key_id, {}), points.get(key.access_key_id, b"")) for key in plan.keys}
        self.tables.write("keys", keys)
        self.tables.announce()

    def ask(self, headers: Sequence[tuple[str, str]], context: str | None, source_ip: str) -> tuple[dict[str, Any], dict[str, str], tuple[int, str] | None]:
        """headers: as Envoy has them, pseudo headers first. context: of only two words where the listener says nothing.

        (header changes, facts, (status, body) or None when it passes); fails on any other Lua error."""
        names = self.lua.table_from([name for name, _ in headers])
        values = self.lua.table_from([value for _, value in headers])
        # the service and its network are told by the route, the client's VPC, its owner and the port by the listener
        words = context.split(" ") if context is not None else None
        told = (" ".join(words[:2]), " ".join(words[2:]) or None) if words else (None, "")
        added, facts, answer, problems = self.lua.globals().ask(names, values, len(headers), *told, source_ip)
        self.problems = list(problems.values())
        assert not self.problems or told[1] is None, self.problems
        return dict(added), dict(facts), (int(answer[1]), str(answer[2])) if answer is not None else None

    def decide(self, inquiry: Inquiry) -> Answer:
        """As `python_filter.decide` answers. A request that is refused keeps the mark of one that is undecided."""
        head = inquiry.head
        pairs = [(":method", head.method), (":path", head.target), *head.headers]
        added, facts, answer = self.ask(pairs, inquiry.context, inquiry.source_ip)
        facts = {name: utf8(value) for name, value in facts.items() if name not in ("authDetail", "accessKeyId")}
        if answer is not None:
            assert added == {IDENTITY: "pending"}, added
            return Answer(answer[0], utf8(answer[1]), facts=facts)
        assert added[IDENTITY] != "pending", inquiry
        return Answer(0, headers=tuple(sorted((name, utf8(value)) for name, value in added.items() if value is not False)), facts=facts)
