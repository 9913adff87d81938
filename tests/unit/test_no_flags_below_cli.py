"""Only cli/ knows flags: below it a message names the field, and cli/ writes the flag."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "biasaudit"
FLAG = re.compile(r"(?<![\w-])--[a-z]")
CSS_PROPERTY = re.compile(r"var\(--")


def modules():
    found = (path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py")))
    return [path for path in found if path.parts[0] != "cli"]


def strings(source):
    """Give every string of a module with its line; an f-string whole, with x for each value."""
    parts = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            parts |= {id(part) for part in node.values}
            values = (p.value if isinstance(p, ast.Constant) else "x" for p in node.values)
            yield node.lineno, "".join(values)
        elif isinstance(getattr(node, "value", None), str) and id(node) not in parts:
            yield node.lineno, node.value


def flags_in(source):
    return [
        (line, text) for line, text in strings(source) if FLAG.search(CSS_PROPERTY.sub("", text))
    ]


@pytest.mark.parametrize("path", modules(), ids=str)
def test_no_string_holds_a_flag(path):
    assert not flags_in((PACKAGE / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ('"""Doc: ``--set``."""', 1),
        ('f"give --{option}"', 1),
        ('f"({x} --mode)"', 1),
        ('"a--b", "---", "--", "-- a"', 0),
        ('f"var(--s{place})"', 0),
        ("# --set", 0),
    ],
)
def test_what_counts_as_a_flag(source, count):
    assert len(flags_in(source)) == count
