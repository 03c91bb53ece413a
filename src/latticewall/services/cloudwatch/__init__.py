"""Amazon CloudWatch metrics: of the region's own services (AWS/VpcLattice), and custom ones ("Amazon CloudWatch API Reference").

Points are kept per minute for 15 days (`store.metrics`). Alarms, dashboards, metric math and resolutions below a minute are not there yet.
"""

from __future__ import annotations

from latticewall.resources.kind import Service
from latticewall.services.cloudwatch.getting import OPERATIONS as GETTING
from latticewall.services.cloudwatch.putting import OPERATIONS as PUTTING

SERVICE = Service("cloudwatch", (), {**GETTING, **PUTTING})
