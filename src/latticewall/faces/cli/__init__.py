"""The `latticewall` command: starts and stops a region, and asks a running one over its endpoint.

`commands` is the table of sub-commands, one module each; `session` is a region as the command line sees it (its state folder and, when it is up, its
endpoint), `client` signs the requests, `output` prints text or JSON, `entering` goes into an instance's namespaces. Nothing is decided here: what is
shown was asked for from the region. Standard library, `auth`, and rich for tables; system calls come from `dataplane.syscalls`.
"""
