"""What the data plane must be: the compiled intermediate representation.

Frozen dataclasses of plain values: comparable, printable, hashable by content. `compile` makes them, appliers realise them, `analyze` interprets
them. No I/O, no clock; never a secret in clear (`base.secret`).
"""
