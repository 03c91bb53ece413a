"""The tables that Envoy's authorization filter decides from: policies compiled to Lua, and signing keys already derived for a day, region and service.

May import plan, compile.render, auth, base. What never enters: decisions (they are made in `dataplane/envoy/lua`), and secret access keys beyond the
moment a key is derived from one.
"""
