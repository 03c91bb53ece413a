"""Bytes to documents and back, for the protocols AWS speaks: rest-json, json, query, ec2, rest-xml, and their errors.

Everything follows the shapes of `apimodel`; no operation has code of its own. Pure: no sockets, no clock, no randomness. May import `base`
and `apimodel`. Never enters: who calls, what a resource is. A request that cannot be read is `faults.Invalid` with the service's own code.
"""
