"""What every room may use: ARNs, ids, CIDRs, documents, faults, rows, ports. Standard library only; no I/O, no clock, no randomness."""
