"""Lambda: functions of Python and Node.js, their versions, aliases, policies and invocations ("Lambda API Reference").

Event source mappings, function URLs, layers, container images, provisioned concurrency, destinations and functions in a VPC are not there.
"""

from __future__ import annotations

from latticewall.resources.kind import Kind, Lifecycle, Service
from latticewall.services.lambda_ import functions, invoke, permissions
from latticewall.services.lambda_.configuration import shown
from latticewall.services.lambda_.names import ALIAS, FUNCTION, VERSION

_SETTLES = Lifecycle(settles=True)
KINDS = (
    Kind(
        FUNCTION, name_member="FunctionName", arn="arn:aws:lambda:{region}:{account}:function:{name}", arn_member="FunctionArn", unique="region",
        by_name=True, owns=(VERSION, ALIAS), lifecycle=_SETTLES, view=shown, cloudformation="AWS::Lambda::Function",
    ),
    Kind(VERSION, arn="{id}", lifecycle=_SETTLES, view=shown, cloudformation="AWS::Lambda::Version"),
    Kind(ALIAS, arn="{id}", cloudformation="AWS::Lambda::Alias"),
)  # fmt: skip
SERVICE = Service("lambda", KINDS, {**functions.OPERATIONS, **permissions.OPERATIONS, **invoke.OPERATIONS})
