"""The IAM policy language: documents, their evaluation, how layers combine, the Lattice data plane's decision, explanations, a linter, and Lua.

Pure: no I/O, no clock, no randomness; time arrives inside the request's context. May import `base` only. What never enters: signatures
(`auth`), storage, services. `spec` defines the language, `engine` and `to_lua` answer fast; where they differ, `spec` is right.
"""
