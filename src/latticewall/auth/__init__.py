"""Who is calling, and what the caller holds: signatures, credentials and sessions, the policies that count for a principal, the region's authority.

Signature Version 4 and 4A are made and checked here; what is known of a key arrives as a look-up function. Principals and resources are read from rows
(`permissions`, `resource_policies`); the decisions about them are made where they are asked for. May import `base`, `policy`, `store`. What never
enters: HTTP servers, what a resource means.
"""
