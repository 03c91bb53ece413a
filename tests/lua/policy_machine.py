"""Compiled policies asked from Python: the proxy's own Lua files in a LuaJIT machine, and requests as the questions it is given there.

Texts cross the border as bytes (UTF-8, surrogateescape), as they do in the proxy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from lupa import luajit21

from latticewall.policy.document import Policy
from latticewall.policy.lattice import Route, invoke_request
from latticewall.policy.lua.literals import to_bytes
from latticewall.policy.request import Principal, Request, ResourceOwner, canonical_key, global_context, principal_context
from latticewall.policy.to_lua import compile_set

MODULES = ("addresses", "glob", "values", "policy")
SOURCES = resources.files("latticewall.dataplane.envoy") / "lua"


def to_lua_bytes(text: str) -> bytes:
    written = to_bytes(text)
    assert written is not None, "a request holds only what bytes can say"
    return written


class Machine:
    """One LuaJIT with the run-time library loaded."""

    def __init__(self) -> None:
        self.lua = luajit21.LuaRuntime(encoding=None, unpack_returned_tuples=True)
        for name in MODULES:
            self.preload(f"latticewall.{name}", (SOURCES / f"{name}.lua").read_bytes())
        self.library = self.lua.execute(b'return require("latticewall.policy")')

    def preload(self, name: str, source: bytes) -> None:
        load = self.lua.execute(b"return function(name, text) package.preload[name] = assert(loadstring(text, '=' .. name)) end")
        load(name.encode(), source)

    def execute(self, source: str, *arguments: Any) -> Any:
        """Run a piece of Lua; `...` are the arguments."""
        return self.lua.execute(b"return function(...) " + source.encode() + b" end")(*arguments)

    def load(self, text: str) -> Any:
        """The evaluator of a compiled text, loaded as the contract says."""
        return self.execute("return assert(loadstring((...)))()(select(2, ...))", text.encode("ascii"), self.library)

    def compile(self, policies: Iterable[Policy]) -> Any:
        return self.load(compile_set(policies))

    def table(self, value: Any) -> Any:
        """Mappings, sequences and texts as Lua has them."""
        if isinstance(value, str):
            return to_lua_bytes(value)
        if isinstance(value, dict):
            return self.lua.table_from({self.table(key): self.table(own) for key, own in value.items() if own is not None})
        if isinstance(value, list | tuple):
            return self.lua.table_from([self.table(own) for own in value])
        return value

    def question(self, request: Request, **more: Any) -> Any:
        """The request with all its keys in `values`."""
        values = {canonical_key(key): value for key, value in request.context.items()}
        return self.table(
            {"action": request.action.lower(), "resource": request.resource, "principal": who(request.principal), "p": {}, "c": {}, "values": values, **more}
        )

    def ask(self, evaluator: Any, request: Request) -> tuple[int, int]:
        outcome, statement = evaluator(self.question(request))
        return outcome, statement


def who(principal: Principal) -> dict[str, str]:
    """The caller as the tables of the proxy describe him."""
    return {
        "type": principal.type,
        "arn": principal.arn,
        "account": principal.account,
        "role_arn": principal.role_arn,
        "role_id": principal.userid.split(":")[0] if principal.role_arn else "",
        "userid": principal.userid,
    }


@dataclass(frozen=True)
class Inquiry:
    """A request as it reaches the proxy, together with what the proxy knows of it. headers: lower-case names, in the order of arrival."""

    principal: Principal
    method: str = "GET"
    target: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    route: Route = field(default_factory=Route)
    owner: ResourceOwner = field(default_factory=ResourceOwner)
    now: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    source_ip: str = "10.1.0.10"
    region: str = "us-west-2"

    def first(self, name: str) -> str:
        return next((value for own, value in self.headers if own == name), "")

    def request(self) -> Request:
        """The question as Python asks it."""
        keys = global_context(
            self.principal,
            now=self.now,
            region=self.region,
            source_ip=self.source_ip,
            user_agent=self.first("user-agent"),
            referer=self.first("referer"),
            owner=self.owner,
        )
        return invoke_request(self.principal, self.route, self.method, self.target, self.headers, keys)

    def question(self) -> dict[str, Any]:
        """The question as the proxy asks it."""
        known: dict[str, Any] = {"aws:SecureTransport": "false", "aws:ViaAWSService": "false", "aws:RequestedRegion": self.region, **self.route.context()}
        known |= {"aws:ResourceAccount": self.owner.account or None, "aws:ResourceOrgID": self.owner.org_id or None}
        known |= {"aws:ResourceOrgPaths": self.owner.org_paths or None, **{f"aws:ResourceTag/{key}": value for key, value in self.owner.tags.items()}}
        path, mark, query = self.target.partition("?")
        names = [name for name, _ in self.headers]
        return {
            "action": "vpc-lattice-svcs:invoke",
            "resource": self.request().resource,
            "principal": who(self.principal),
            "p": {canonical_key(key): value for key, value in principal_context(self.principal).items()},
            "c": {canonical_key(key): value for key, value in known.items()},
            "method": self.method,
            "path": path,
            "query": query if mark else None,
            "head": {
                "n": len(self.headers),
                "names": names,
                "values": [value for _, value in self.headers],
                "by": {name: self.first(name) for name in names},
                "count": {name: names.count(name) for name in names},
            },
            "now": int(self.now.timestamp()),
            "source_ip": self.source_ip,
        }
