"""The Lua that runs inside Envoy, put together from the files in `lua/`: modules by name, then the filter."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources

from latticewall.policy.to_lua import literal

MAIN = "filter"


def modules() -> dict[str, str]:
    """Sources by module name (`latticewall.sigv4`), the filter itself left out."""
    folder = resources.files("latticewall.dataplane.envoy") / "lua"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".lua")), key=lambda file: file.name)
    return {f"latticewall.{file.name.removesuffix('.lua')}": file.read_text() for file in files if file.name != f"{MAIN}.lua"}


def bundle(settings: Mapping[str, str | int | bool]) -> str:
    """One source text: what Envoy is given. settings: what `require("latticewall.settings")` returns (folder, crypto, skew, strict_generic)."""
    main = (resources.files("latticewall.dataplane.envoy") / "lua" / f"{MAIN}.lua").read_text()
    parts = [f"package.preload[{literal(name)}] = function(...)\n{source}\nend\n" for name, source in modules().items()]
    parts.append(f"package.preload[{literal('latticewall.settings')}] = function() return {literal(dict(settings))} end\n")
    return "".join(parts) + main
