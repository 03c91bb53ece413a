"""The AWS service models as data: services, operations, shapes, constraints, pages and error dialects.

The only room that imports botocore, and it imports its loader alone: everything else here is our own typed view of the JSON. Deviations
from the models live in `overlays/<service>.json`, each with its source. May import `base`. Never enters: a request, a row, a clock.
"""
