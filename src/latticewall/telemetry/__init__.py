"""What engines write down -> AWS's records: access, alert and flow logs, metrics, objects in buckets. Formats are read here and nowhere else.

May import `plan` and `base`.
"""
