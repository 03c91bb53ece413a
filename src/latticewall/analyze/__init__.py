"""What would happen and why: interprets worlds, plans and policies for a person who asks.

Every gate a request meets, the statement that decided, the smallest change; and for a wrong signature, what the client must have signed.

Pure: no I/O, no clock, no randomness, no store; facts that only the running data plane knows (a target's health, a log record) arrive as
arguments. May import `compile`, `world`, `plan`, `policy`, `auth`'s computations and `base`. Nothing here decides: the decision is
`policy.lattice`'s, the path is the plan's. What never enters: appliers, rows, the text of the command line.
"""
