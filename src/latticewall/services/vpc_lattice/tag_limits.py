"""Which tags a resource may have ("Tag restrictions"): at most 50, of letters, digits, spaces and + - = . _ : / @ in any script."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from latticewall.services.vpc_lattice import text

MOST = 50
SIGNS = "+-=._:/@"


def check(given: Mapping[str, str], present: Mapping[str, str]) -> None:
    """Refuse tags that cannot be, or that would be too many with those present. Raises Invalid. Their lengths are the model's."""
    for key, value in given.items():
        for part, words in ((key, f"Tag key {key}"), (value, f"The value of tag {key}")):
            if strange := [character for character in part if character not in SIGNS and unicodedata.category(character)[0] not in "LNZ"]:
                raise text.invalid("tags", f"{words} contains {strange[0]!r}: letters, digits, spaces and {' '.join(SIGNS)} are allowed")
    if len({*given, *present}) > MOST:
        raise text.invalid("tags", f"A resource can have at most {MOST} tags")
