"""Who is calling: AWS Signature Version 4, both making and checking it, and the minting of credentials.

May import `base` (and `store`, not needed so far: what is known of a key arrives as a look-up function). What never enters: policies, decisions
about what a caller may do, HTTP servers.
"""
