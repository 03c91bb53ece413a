"""A firewall policy and its rule groups -> the engine's rules, marks and stateless chain ("How AWS Network Firewall works").

Pure: takes the documents of DescribeFirewallPolicy and DescribeRuleGroup, returns `plan.firewall.FirewallEngine` or problems, never a
part of an engine. What the documents cannot say without the engine (does this rule parse?) is asked in `dataplane.suricata_check`.
"""
