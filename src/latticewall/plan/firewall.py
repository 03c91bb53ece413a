"""What one firewall engine must be: its rules, the marks by which its verdicts leave it, and the stateless rules before it."""

from __future__ import annotations

from dataclasses import dataclass

from latticewall.plan.nft import Ruleset


@dataclass(frozen=True)
class Signature:
    """What a rule of the engine stands for; (gid, sid) is how the engine's log names it.

    group_arn: the rule group, "" for a default action of the policy. signature_id, message: the rule's own, as AWS logs them.
    verdict: pass, drop, reject or alert. severity: the rule's own. position: rank in strict order, equal for all engine rules made of one
    rule; 0 where the engine's own order decides. logged: False for a rule that is in the engine's log only to tell which packet it
    matched. whole_flow: what it decides also holds for the rest of the flow.
    """

    gid: int
    sid: int
    group_arn: str
    signature_id: int
    message: str
    verdict: str
    severity: int = 3
    position: int = 0
    logged: bool = True
    whole_flow: bool = False

    @property
    def default(self) -> bool:
        return not self.group_arn


@dataclass(frozen=True)
class CustomMetric:
    """A custom action of a stateless rule: the nft counter that counts its packets, and the CustomAction dimension's value."""

    counter: str
    dimension: str


@dataclass(frozen=True)
class FirewallEngine:
    """A firewall policy, compiled for one endpoint.

    rules: the engine's rule file. action_order: the engine's order of actions. stream_exception_policy: DROP, REJECT or CONTINUE.
    tcp_idle_timeout: seconds. ruleset: the stateless engine, and after the queue the chain that carries out what the marks say.
    queue_mark: packets with this bit go to the engine. restart_key: changes when the engine must be restarted; reload_key: when its
    rules must be reloaded.
    """

    rules: str
    signatures: tuple[Signature, ...]
    action_order: tuple[str, ...]
    stream_exception_policy: str
    tcp_idle_timeout: int
    ruleset: Ruleset
    queue_mark: int
    custom_metrics: tuple[CustomMetric, ...]
    restart_key: str
    reload_key: str
