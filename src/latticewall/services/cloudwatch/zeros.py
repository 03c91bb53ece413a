"""What is reported without having been counted: the zeros of VPC Lattice's metrics ("CloudWatch metrics for Amazon VPC Lattice").

They are not stored but found when they are asked for: from the first minute in which a service or target group received traffic (in a zone, for its series)
up to now, as long as it is there. A period in which something was counted stays as it is, so that averages and percentiles are those of requests.
"""

from __future__ import annotations

from latticewall.base.faults import Invalid
from latticewall.base.lattice_metrics import NAMESPACE, SERVICE, TARGET_GROUP, Metric, metrics_of
from latticewall.base.metrics import Statistics
from latticewall.resources.context import GONE, Context
from latticewall.store.metrics import RETENTION_MINUTES

MOST_POINTS = 100_800
"""Data points that AWS answers one GetMetricData with."""
LATE_MINUTES = 1
"""What happened in a minute may be counted a little after its end: zero is said of it no sooner than this."""
Dimensions = tuple[tuple[str, str], ...]
KINDS = {SERVICE: "vpc-lattice:Service", TARGET_GROUP: "vpc-lattice:TargetGroup"}


def reported(ctx: Context, dimensions: Dimensions) -> dict[str, Metric]:
    """The metrics that VPC Lattice always reports of a service or target group of the caller's that is there; none of anything else."""
    for kind, id_ in ((KINDS[name], value) for name, value in dimensions if name in KINDS):
        row = ctx.tx.get(kind, id_, ctx.caller.account, ctx.caller.region)
        if row is not None and row.status not in GONE:
            protocol = str((row.document.get("config") or {}).get("protocol") or "")
            return dict(metrics_of(dimensions, protocol))
    return {}


def zeros(ctx: Context, namespace: str, name: str, dimensions: Dimensions, window: tuple[int, int], period: int) -> dict[int, tuple[Statistics, str]]:
    """Minute at which a period begins -> one zero, and its unit, for all periods in which a metric is reported. Raises Invalid if there are too many."""
    metrics = reported(ctx, dimensions) if namespace == NAMESPACE else {}
    if name not in metrics:
        return {}
    first = ctx.tx.metrics.first(ctx.caller.account, ctx.caller.region, NAMESPACE, metrics, dimensions)
    if first is None:
        return {}
    now = int(ctx.now_datetime.timestamp()) // 60
    start, end = max(window[0], first, now - RETENTION_MINUTES), min(window[1], now - LATE_MINUTES)
    return {minute: (_zero(), metrics[name].unit) for minute in range(start - start % period, end, period)}


def check(windows: list[tuple[tuple[int, int], int]]) -> None:
    """Raises Invalid if questions, each (window, period), could be answered by too many points. Periods begin within what is kept."""
    most = sum(min(end - start, RETENTION_MINUTES) // period + 1 for (start, end), period in windows)
    if most > MOST_POINTS:
        message = f"You have requested up to {most} datapoints, which exceeds the limit of {MOST_POINTS:,}."
        raise Invalid(f"{message} Ask for fewer metrics at once, a larger Period or a shorter time range.", code="InvalidParameterCombination")


def _zero() -> Statistics:
    found = Statistics()
    found.add(0.0)
    return found
