"""Following and rotating a log: no line is lost and none read twice, however writer, reader and rotation take turns."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from latticewall.telemetry.followed_file import Position, read_lines, rotate, rotated


class Writer:
    """Appends as Envoy and Suricata do: to the file it has open, until it opens the path anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.away = False
        self.open()

    def open(self) -> None:
        self.file = self.path.open("ab", buffering=0)

    def write(self) -> None:
        self.file.write(b"line %d\n" % self.count)
        self.count += 1

    def reopen(self) -> None:
        if self.away:
            raise OSError("nobody listens")
        self.file.close()
        self.open()


STEPS = st.lists(st.sampled_from(["write", "read", "read", "rotate", "rotate", "lose reader", "away", "restart"]), max_size=60)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_each_line_once_in_order(tmp_path_factory: object, steps: list[str]) -> None:
    folder = tmp_path_factory.mktemp("log")  # type: ignore[attr-defined]
    path = folder / "log"
    writer, position, found, places = Writer(path), Position(), [], set()
    for step in [*steps, "restart", *["rotate", "read"] * 4]:
        if step == "write":
            writer.write()
        elif step == "read":
            lines, position = read_lines(path, position)
            found += [line.text for line in lines]
            places |= {(line.file, line.offset) for line in lines}
        elif step == "rotate":
            try:
                rotate(path, position, writer.reopen, large=10)
            except OSError:
                assert writer.away
        elif step == "lose reader":
            position = Position.parse(str(position))
        elif step == "away":
            writer.away = True
        elif step == "restart":
            writer.away = False
            writer.file.close()
            writer.open()
    writer.file.close()
    assert found == [f"line {number}" for number in range(writer.count)]
    assert len(places) == writer.count


def test_an_unfinished_line_waits(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntw")
    lines, position = read_lines(path, Position())
    assert [line.text for line in lines] == ["one"]
    with path.open("ab") as file:
        file.write(b"o\n")
    lines, position = read_lines(path, position)
    assert [(line.text, line.offset) for line in lines] == [("two", 4)]


def test_a_missing_and_a_shortened_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert read_lines(path, Position()) == ([], Position())
    path.write_bytes(b"a long line\n")
    _, position = read_lines(path, Position())
    path.write_bytes(b"new\n")
    lines, _ = read_lines(path, position)
    assert [line.text for line in lines] == ["new"]


def test_the_log_before_the_last_goes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    writer, position = Writer(path), Position()
    for _ in range(3):
        writer.write()
        while True:
            lines, position = read_lines(path, position)
            if not lines:
                break
        rotate(path, position, writer.reopen, large=1)
    writer.file.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["log", "log.1"]
    assert rotated(path).read_bytes() == b"line 2\n"
