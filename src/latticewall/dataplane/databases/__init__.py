"""Database servers: PostgreSQL as this machine has it, each in a network namespace on its VPC's routed paths, shut in by itself.

`programs` finds PostgreSQL, `server` is what the holder runs for each database, `session` talks to a server over its unix socket, `applier` brings servers and
what is in them to what the plan says.
"""
