"""The process that holds a region together: it owns the namespaces and the API's listening socket, and starts, restarts and stops all others.

Standard library only, one thread, no knowledge of AWS. When it ends, for whatever reason, nothing of the region is left. `state` is the region's
folder, `isolation` the private namespaces, `specs` what it can be asked for, `supervisor` what runs, `spawn` and `instance` how that is
started, `server` the unix socket that the control plane asks through.
"""
