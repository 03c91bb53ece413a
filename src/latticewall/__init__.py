"""latticewall: VPC Lattice, Network Firewall and Transit Gateway on any Linux machine, with real packets."""
