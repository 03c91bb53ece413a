"""Appliers and the processes they run: namespaces, links, routes, nft, Envoy, Suricata, names, instances. Imports plan, compile.render and base.

Everything here observes, compares and acts, so that repeating is harmless; what does not carry our mark is never touched.
"""
