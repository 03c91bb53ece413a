"""Resolver and instance metadata of every VPC, in one small process, and the applier that feeds it.

`python -m latticewall.dataplane.names --config names.json` reads one JSON file and reloads it when it changes; it needs nothing from the control
plane to go on answering. May import plan, base, dnspython and the standard library. What a name means is decided in `compile.names`, never here.
"""
