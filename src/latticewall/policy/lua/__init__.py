"""Policies as Lua source text, for the proxy. `literals` writes values, `chunk` collects a chunk's parts, `patterns`, `keys` and `conditions` write the
tests of a statement, `statements` puts them together. Nothing of a policy enters a text except through `literals.quote`."""
