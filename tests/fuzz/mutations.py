"""Seeded mutations: of bytes, of text, and of what a document says."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 3, 255, 65536, 2**31, 2**32, 2**63, 10**40, -(10**9)),
    *(0.0, -0.5, 0.5, 1.5, 1e-320, 1e308, -1e308, float("inf"), float("nan")),
    *(
        "",
        " ",
        "a",
        "boat",
        "../../etc/passwd",
        "/dev/zero",
        "~nouser",
        "a\0b",
        "\x1b[2J",
        "é" * 300,
    ),
    *("=cmd|' /C calc'!A0", "1e400", "nan", "<script>alert(1)</script>", "\ud800", "n" * 70_000),
    *([], [[]], {}, {"a": {}}, [None], [1, 2, 3], ["a", "a"], [[1, 2]], [0.5, None]),
)
ODD_BYTES = (
    *(
        b"",
        b"\0",
        b"\xff\xff\xff\xff",
        b"\x7f\xff\xff\xff",
        b"\x80\0\0\0",
        b"\n",
        b"\r",
        b'"',
        b",",
    ),
    *(b"99999999999999999999", b"-1", b"1e400", b"nan", b"\xed\xa0\x80", b"\xff\xfe", b"[" * 2000),
    *(b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;", b"{" * 3000, b"\x1b]0;x\x07", b"%PDF", b"=1+1"),
)


def of_bytes(content: bytes, chance: random.Random) -> bytes:
    """Cut, flip, repeat, drop and put in bytes, some of each."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        place = chance.randrange(len(data) + 1)
        kind = chance.randrange(7)
        if kind == 0 and data:
            data[place % len(data)] ^= 1 << chance.randrange(8)
        elif kind == 1 and data:
            data[place % len(data)] = chance.randrange(256)
        elif kind == 2:
            del data[place:]
        elif kind == 3:
            del data[place : place + chance.choice((1, 2, 4, 16, 200))]
        elif kind == 4:
            data[place:place] = chance.choice(ODD_BYTES)
        elif kind == 5:
            data[place : place + 4] = chance.choice(ODD_BYTES)[:4]
        else:
            end = place + chance.choice((4, 40, 400))
            data[place:place] = data[place:end] * chance.choice((1, 2, 50))
    return bytes(data)


def of_tree(tree: Any, chance: random.Random) -> Any:
    """Replace, drop, double or swap values of a document of tables and lists."""
    tree = copy.deepcopy(tree)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        places = list(_places(tree))
        if not places:
            return chance.choice(ODD_VALUES)
        holder, key = chance.choice(places)
        kind = chance.randrange(6)
        if kind <= 2:
            holder[key] = chance.choice(ODD_VALUES)
        elif kind == 3:
            del holder[key]
        elif kind == 4 and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        elif kind == 4:
            holder[str(chance.choice(("x", "", "n" * 300, "../x")))] = holder[key]
        else:
            other, name = chance.choice(places)
            holder[key] = copy.deepcopy(other[name]) if name in _keys(other) else None
    return tree


def of_json(content: bytes, chance: random.Random) -> bytes:
    """Mutate what a JSON text says, or its bytes."""
    if chance.random() < 0.3:
        return of_bytes(content, chance)
    tree = of_tree(json.loads(content), chance)
    return json.dumps(tree).encode()


def of_csv(content: bytes, chance: random.Random) -> bytes:
    """Mutate cells of a table, or its bytes."""
    if chance.random() < 0.3:
        return of_bytes(content, chance)
    rows = [line.split(",") for line in content.decode().splitlines()]
    for _ in range(chance.choice((1, 1, 3, 20))):
        row = chance.randrange(len(rows))
        kind = chance.randrange(5)
        if kind <= 2 and rows[row]:
            cell = str(chance.choice(ODD_VALUES)).encode(errors="replace").decode()
            rows[row][chance.randrange(len(rows[row]))] = cell.replace("\n", " ")
        elif kind == 3:
            rows.append(list(rows[row]))
        elif len(rows) > 1:
            del rows[row]
    return "\n".join(",".join(row) for row in rows).encode()


def _places(tree: Any) -> Any:
    waiting = [tree]
    while waiting:
        holder = waiting.pop()
        for key in _keys(holder):
            yield holder, key
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])


def _keys(holder: Any) -> Any:
    return list(holder) if isinstance(holder, dict) else list(range(len(holder)))
