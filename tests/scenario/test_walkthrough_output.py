"""What the walkthrough prints, and when a trial counts as expected."""

from __future__ import annotations

import io

import pytest

from latticewall.faces.walkthrough.inside import KILLED, Outcome
from latticewall.faces.walkthrough.report import Report, Result
from latticewall.faces.walkthrough.table import print_table
from latticewall.faces.walkthrough.trials import answers, fails_with, http, observed, prints, times_out

LONG = "expected " * 60
GOOD = Result("centralized", "web: curl", "200", "200 ok", ok=True)
BAD = Result("combined", "web: ping", LONG, "timed out after 2.0 s", ok=False)


def outcome(code: int = 0, out: str = "", err: str = "") -> Outcome:
    return Outcome(code, out, err, 2.04)


def printed(capsys: pytest.CaptureFixture[str], *results: Result) -> str:
    print_table(results, [("latticewall logs", "the logs")], print)
    return capsys.readouterr().out


def test_one_line_per_check_and_where_to_look_next(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, GOOD)
    assert [line.split() for line in text.splitlines() if "web: curl" in line] == [["✓", "web:", "curl", "200", "200", "ok"]]
    assert [line.strip() for line in text.splitlines() if "CENTRALIZED" in line] == ["CENTRALIZED"]
    assert "1 checks, all as expected" in text
    assert text.rstrip().endswith("latticewall logs  the logs")


def test_what_failed_is_repeated_whole(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, GOOD, BAD)
    row = next(line for line in text.splitlines() if "web: ping" in line)
    assert row.startswith("✗")
    assert "…" in row
    assert f"    expected  {LONG}" in text
    assert "2 checks, 1 of them not as expected" in text


def test_words_where_ticks_cannot_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="replace")
    monkeypatch.setattr("sys.stdout", stream)
    lines: list[str] = []
    print_table([GOOD, BAD], [("down", "")], lines.append)
    stream.seek(0)
    assert [line.split()[0] for line in stream.read().splitlines() if "web:" in line] == ["ok", "NO"]


def test_no_result_is_no_success() -> None:
    seen: list[Result] = []
    report = Report(seen.append)
    assert not report.ok
    report.add(GOOD)
    assert report.ok
    report.add(BAD)
    assert not report.ok
    assert seen == [GOOD, BAD]


@pytest.mark.parametrize(
    ("out", "code", "holds"),
    [
        ("the line\n403", 0, True),
        ("the line\n\n403", 0, True),
        ("the line and more\n403", 0, False),
        ("the line\n200", 0, False),
        ("the line\n403", 7, False),
        ("", 0, False),
    ],
)
def test_http_is_status_and_exact_body(out: str, code: int, *, holds: bool) -> None:
    assert http(403, "the line").holds(outcome(code, out)) is holds


def test_http_without_a_body_takes_any() -> None:
    assert http(200).holds(outcome(0, "\n200"))
    assert http(200, holding="stored").holds(outcome(0, '{"stored": 1}\n200'))
    assert not http(200, holding="stored").holds(outcome(0, "{}\n200"))


def test_only_the_clients_own_time_outs_are_time_outs() -> None:
    assert all(times_out().holds(outcome(code)) for code in (28, 124, KILLED))
    assert not any(times_out().holds(outcome(code)) for code in (0, 1, 7, 125, 137))


def test_lines_must_be_these_and_no_others() -> None:
    assert prints("PONG").holds(outcome(0, "PONG\n"))
    assert not prints("PONG").holds(outcome(0, "PONG\nOK\n"))
    assert not prints("PONG").holds(outcome(1, "PONG\n"))
    assert answers("x").holds(outcome(0, "PONG\nOK\nx\n"))
    assert not answers("x").holds(outcome(0, "PONG\nOK\ny\n"))


def test_failing_in_another_way_is_not_expected() -> None:
    expected = fails_with("NetworkTimeout", "stopped")
    assert expected.holds(outcome(1, "NetworkTimeout: timed out\n"))
    assert not expected.holds(outcome(1, "ServerSelectionTimeoutError: no server\n"))
    assert not expected.holds(outcome(0, "NetworkTimeout\n"))


def test_observations_in_words() -> None:
    assert observed(outcome(28)) == "timed out after 2.0 s"
    assert observed(outcome(0, '{"status":\n "ok"}\n200')) == '200 {"status": "ok"}'
    assert observed(outcome(0, "PONG\nOK\n")) == "PONG, OK"
    assert observed(outcome(7, "\n000", "curl: (7) refused\n")) == "curl: (7) refused (exit code 7)"
    assert observed(outcome(125, "", "the instance has ended\n")) == "the instance has ended"
