"""What engines write down -> records in log groups: access logs, EVE, flow logs. May import base only; formats are read here and nowhere else."""
