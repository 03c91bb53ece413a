"""World -> plan: every decision as a value before it is an act. Pure: no I/O, no clock, no randomness; names derive from ids.

One file per concern, `node` puts them together; `render/` turns plans into the text of nft, ip, Envoy and Suricata.
"""
