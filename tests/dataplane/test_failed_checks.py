"""Why checks of targets failed, as Envoy tells it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import grpc
import pytest
from envoy.data.accesslog.v3 import accesslog_pb2
from envoy.service.accesslog.v3 import als_pb2
from tests.dataplane.region import until

from latticewall.dataplane.envoy.failed_checks import SERVICE, FailedChecks

Entry = accesslog_pb2.HTTPAccessLogEntry


def entry(cluster: str, at: str, code: str = "", *, late: bool = False) -> Entry:
    found = Entry()
    found.common_properties.route_name = cluster
    found.common_properties.response_flags.downstream_connection_termination = late
    found.request.authority = at
    if code:
        found.response.response_headers["x-latticewall-code"] = code
    return found


@pytest.fixture
def socket(tmp_path: Path) -> str:
    return str(tmp_path / "checks.sock")


@pytest.fixture
def checks(socket: str) -> Iterator[FailedChecks]:
    found = FailedChecks(socket)
    found.start()
    yield found
    found.stop()


def tell(socket: str, *entries: Entry) -> None:
    """As one of Envoy's threads."""
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        stream = channel.stream_unary(
            f"/{SERVICE}/StreamAccessLogs", als_pb2.StreamAccessLogsMessage.SerializeToString, als_pb2.StreamAccessLogsResponse.FromString
        )
        logs = als_pb2.StreamAccessLogsMessage.HTTPAccessLogEntries(log_entry=entries)
        stream(iter([als_pb2.StreamAccessLogsMessage(http_logs=logs)]))


def test_the_last_reason_of_every_target_is_known(checks: FailedChecks, socket: str) -> None:
    tell(socket, entry("web@1", "10.0.0.1:80", "502"), entry("web@1", "10.0.0.2:80"), entry("web@2", "10.0.0.1:80", "404"), entry("web@1", "[fd00::1]:81", "5"))
    assert checks.of("web@1") == {("10.0.0.1", 80): "502", ("10.0.0.2", 80): "", ("fd00::1", 81): "5"}
    tell(socket, entry("web@1", "10.0.0.1:80", late=True), entry("web@1", "10.0.0.2:80", "503"))
    assert checks.of("web@1") == {("10.0.0.1", 80): "timeout", ("10.0.0.2", 80): "503", ("fd00::1", 81): "5"}
    assert (checks.of("web@2"), checks.of("web")) == ({("10.0.0.1", 80): "404"}, {})


def test_an_envoy_that_goes_leaves_what_it_told(checks: FailedChecks, socket: str, caplog: pytest.LogCaptureFixture) -> None:
    gone = Event()

    def messages() -> Iterator[als_pb2.StreamAccessLogsMessage]:
        logs = als_pb2.StreamAccessLogsMessage.HTTPAccessLogEntries(log_entry=[entry("web@1", "10.0.0.1:80", "502")])
        yield als_pb2.StreamAccessLogsMessage(http_logs=logs)
        gone.wait(10)

    channel = grpc.insecure_channel(f"unix:{socket}")
    stream = channel.stream_unary(
        f"/{SERVICE}/StreamAccessLogs", als_pb2.StreamAccessLogsMessage.SerializeToString, als_pb2.StreamAccessLogsResponse.FromString
    )
    call = stream.future(messages())
    until(lambda: checks.of("web@1"))
    call.cancel()
    gone.set()
    channel.close()
    tell(socket, entry("web@1", "10.0.0.2:80", "404"))
    assert checks.of("web@1") == {("10.0.0.1", 80): "502", ("10.0.0.2", 80): "404"}
    assert caplog.records == []
