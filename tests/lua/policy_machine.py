"""Compiled policies asked from Python: the proxy's own Lua files in a LuaJIT machine, and requests as the questions it is given there.

Texts cross the border as bytes (UTF-8, surrogateescape), as they do in the proxy.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from typing import Any

from lupa import luajit21

from latticewall.policy.document import Policy
from latticewall.policy.lua.literals import to_bytes
from latticewall.policy.request import Principal, Request, canonical_key
from latticewall.policy.to_lua import compile_set

MODULES = ("glob", "values", "policy")
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
