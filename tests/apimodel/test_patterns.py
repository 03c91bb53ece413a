"""Java patterns in Python: every pattern in scope is checked, and means what it means at AWS."""

from __future__ import annotations

import pytest

from latticewall.apimodel.catalog import Catalog
from latticewall.apimodel.patterns import compiled
from latticewall.apimodel.shapes import Shape

CATALOG = Catalog()


def shapes() -> list[Shape]:
    seen: dict[tuple[str, str], Shape] = {}
    for service in CATALOG.services():
        waiting = [shape for op in service.operations.values() for shape in (op.input, op.output) if shape]
        while waiting:
            shape = waiting.pop()
            if (service.name, shape.name) not in seen:
                seen[service.name, shape.name] = shape
                waiting += shape.members.values()
                waiting += [shape.member] if shape.type == "list" else [shape.key, shape.value] if shape.type == "map" else []
    return list(seen.values())


def test_every_pattern_in_scope_compiles() -> None:
    patterns = {shape.pattern for shape in shapes() if shape.pattern}
    assert len(patterns) > 100
    assert [pattern for pattern in sorted(patterns) if compiled(pattern) is None] == []


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+", "Größe ٣ x", "a!b"),
        (r"[\w-_]*", "a-b_c", "a b"),
        (r"\p{ASCII}+", "abc", "é"),
        (r"\P{L}+", "12 ", "1a"),
        (r"[^\p{L}]+", "12", "a"),
        (r"[\p{L}||\p{N}]+", "a|1", "-"),
        (r"[\w]+", "abc", "é"),
        (r"\d+", "12", "٣"),
        (r"\A[a-c]+\z", "abc", "abc\n"),
        (r"^[^\]]+$", "a[", "]"),
        (r"[]a]+", "]a", "b"),
        (r"\[\w-x", "[a-x", "ax"),
    ],
)
def test_meaning(pattern: str, good: str, bad: str) -> None:
    found = compiled(pattern)
    assert found is not None
    assert found.fullmatch(good)
    assert not found.fullmatch(bad)


@pytest.mark.parametrize("pattern", [r"[a-z&&[^b]]", r"[a[b]]", r"\p{Klingon}", r"[\P{L}]", "("])
def test_what_python_cannot_say_is_not_checked(pattern: str) -> None:
    assert compiled(pattern) is None
