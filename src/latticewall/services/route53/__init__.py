"""Route 53: hosted zones and their record sets; private zones answer in the VPCs they are associated with, public ones in all of the region
("Route 53 API Reference").

Routing is simple, weighted or multivalue; other routing policies and health checks are refused.
"""

from __future__ import annotations

from latticewall.resources.kind import Kind, Service
from latticewall.services.route53.semantics import OPERATIONS

HOSTED_ZONE = Kind("route53:HostedZone", arn="arn:aws:route53:::hostedzone/{id}", is_global=True)
SERVICE = Service("route53", (HOSTED_ZONE,), OPERATIONS)
