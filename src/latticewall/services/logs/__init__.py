"""CloudWatch Logs: groups, streams and events, where access, alert and flow logs are delivered ("CloudWatch Logs API Reference").

Filter patterns: plain terms, quoted terms, and JSON property comparisons. Metric filters, subscriptions and Insights are not there yet.
"""

from __future__ import annotations

from latticewall.resources.kind import Kind, Service
from latticewall.services.logs.semantics import OPERATIONS

LOG_GROUP = Kind(
    "logs:LogGroup", name_member="logGroupName", arn="arn:aws:logs:{region}:{account}:log-group:{name}", unique="region", by_name=True,
    owns=("logs:LogStream",),
)  # fmt: skip
LOG_STREAM = Kind("logs:LogStream", name_member="logStreamName", unique="parent")
SERVICE = Service("logs", (LOG_GROUP, LOG_STREAM), OPERATIONS)
