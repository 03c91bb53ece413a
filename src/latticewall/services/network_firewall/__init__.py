"""AWS Network Firewall: rule groups, policies, firewalls with an endpoint per subnet, logging ("AWS Network Firewall API Reference").

Not there yet: TLS inspection, Transit Gateway attached firewalls, endpoint associations, managed rule groups, flow operations, analysis reports, the proxy.
"""

from __future__ import annotations

from latticewall.resources import verbs
from latticewall.resources.kind import Service
from latticewall.services.network_firewall import firewalls, logging, policies, rule_groups
from latticewall.services.network_firewall.kinds import KINDS

SERVICE = Service(
    "network-firewall",
    KINDS,
    {
        **rule_groups.OPERATIONS,
        **policies.OPERATIONS,
        **firewalls.OPERATIONS,
        **logging.OPERATIONS,
        "TagResource": verbs.tag_resource("ResourceArn", "Tags"),
        "UntagResource": verbs.untag_resource("ResourceArn", "TagKeys"),
        "ListTagsForResource": verbs.list_tags("ResourceArn", "Tags", as_map=False),
    },
)
