"""Amazon Data Firehose: streams that take records and deliver them to S3 in batches ("Amazon Data Firehose API Reference").

A record is kept from the moment it is acknowledged (`tx.pending`); batches are delivered by `control_plane.delivery`. Other sources than DirectPut, other
destinations than S3, processing, format conversion and dynamic partitioning are not there yet.
"""

from __future__ import annotations

from latticewall.resources.kind import Kind, Service
from latticewall.services.firehose.records import OPERATIONS as RECORDS
from latticewall.services.firehose.streams import OPERATIONS as STREAMS
from latticewall.services.firehose.streams import STREAM

DELIVERY_STREAM = Kind(
    STREAM, name_member="DeliveryStreamName", arn="arn:aws:firehose:{region}:{account}:deliverystream/{name}", unique="region", by_name=True,
)  # fmt: skip
SERVICE = Service("firehose", (DELIVERY_STREAM,), {**STREAMS, **RECORDS})
