"""The script of sticky sessions, run with a stand-in for Envoy's handle: what a cookie says comes back, and from nobody else's."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lupa import luajit21

from latticewall.dataplane.authorization.crypto import libcrypto
from latticewall.dataplane.envoy.stickiness import script, write_script

HANDLE = """
return function(context, lines)
  local own, kept = {}, {}
  local headers = {}
  for at = 1, #lines, 2 do own[#own + 1] = {lines[at], lines[at + 1]} end
  function headers:get(name) for _, pair in ipairs(own) do if pair[1] == name then return pair[2] end end end
  function headers:getNumValues(name) local n = 0 for _, pair in ipairs(own) do if pair[1] == name then n = n + 1 end end return n end
  function headers:getAtIndex(name, at)
    for _, pair in ipairs(own) do if pair[1] == name then if at == 0 then return pair[2] end at = at - 1 end end
  end
  function headers:remove(name) for at = #own, 1, -1 do if own[at][1] == name then table.remove(own, at) end end end
  function headers:add(name, value) own[#own + 1] = {name, value} end
  function headers:replace(name, value) headers:remove(name) headers:add(name, value) end
  local metadata = {}
  function metadata:set(filter, key, value) kept[filter] = kept[filter] or {} kept[filter][key] = value end
  function metadata:get(filter) return kept[filter] end
  local handle, said = {own = own}, {}
  function said:get(key) return context[key] end
  function handle:clearRouteCache() end
  function handle:headers() return headers end
  function handle:filterContext() return said end
  function handle:streamInfo() return {dynamicMetadata = function() return metadata end} end
  return handle
end
"""
SAID = {
    "balancer": "app/web/1", "secure": False, "group": "web/1", "group_seconds": 0, "kind": "lb_cookie", "cookie": "AWSALB", "application": "", "seconds": 60,
}  # fmt: skip
Run = Callable[..., dict[str, str]]
"""Headers of a request (or, with answer=True, of an answer) -> those that are there afterwards, the last of each name."""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    write_script(tmp_path, tmp_path, libcrypto(), _Random())
    lua = luajit21.LuaRuntime(unpack_returned_tuples=True)
    found, make = lua.execute(script(tmp_path / "stickiness.key", libcrypto())), lua.execute(HANDLE)

    def run(*lines: str, answer: bool = False, **said: Any) -> dict[str, str]:
        context = lua.table_from({**SAID, **said})
        handle = make(context, lua.table_from(lines))
        (found.on_response if answer else found.on_request)(handle)
        return {pair[1]: pair[2] for pair in handle.own.values()}

    return run


class _Random:
    def token_bytes(self, count: int) -> bytes:
        return bytes(range(count))


def given(run: Run, **said: Any) -> str:
    """The value of the cookie of an answer from 10.0.0.1:80."""
    answer = run("x-latticewall-target", base64.b64encode(b"10.0.0.1:80").decode(), answer=True, **said)
    assert set(answer) == {"set-cookie"}
    return answer["set-cookie"].partition("=")[2].partition(";")[0]


def test_what_a_cookie_says_comes_back(run: Run) -> None:
    value = given(run)
    asked = run("cookie", f"a=b; AWSALB={value}")
    assert base64.b64decode(asked["x-latticewall-target"]) == b"10.0.0.1:80"


@pytest.mark.parametrize("change", [{"balancer": "app/web/2"}, {"group": "web/2"}, {"seconds": -1}], ids=lambda change: next(iter(change)))
def test_what_another_cookie_says_does_not(run: Run, change: Any) -> None:
    assert "x-latticewall-target" not in run("cookie", f"AWSALB={given(run, **change)}")


def test_no_changed_byte_opens(run: Run) -> None:
    value = base64.b64decode(given(run))
    for at in range(len(value)):
        changed = base64.b64encode(value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]).decode()
        assert "x-latticewall-target" not in run("cookie", f"AWSALB={changed}")


def test_one_kind_of_cookie_is_no_other(run: Run) -> None:
    value = given(run)
    asked = run("cookie", f"AWSALBTG={value}; AWSALBAPP-0={value}", group_seconds=60)
    assert set(asked) == {"cookie"}
