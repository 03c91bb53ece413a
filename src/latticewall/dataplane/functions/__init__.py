"""Lambda functions: one process (`functions`) that keeps execution environments and invokes them, for the Lambda API and for VPC Lattice.

`applier` writes the process's file; `config` is that file; `process` follows it; `pool` keeps the environments of each version, `environment` is one of
them, `sandbox` the program that shuts it in, `runtime/` what runs inside; `lattice_events` and `lattice` speak with Envoy, `door` with the control
plane, `spool` keeps asynchronous events, `log_lines` writes what goes to CloudWatch Logs. The process outlives the control plane.
"""
