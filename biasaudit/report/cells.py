"""Cells of tables, the same in every template; names stand in ``bdi``, for they may run left."""

from __future__ import annotations

from markupsafe import Markup


def bdi(name: object) -> Markup:
    """Return a name whose direction leaves the text around it alone."""
    return Markup("<bdi>{}</bdi>").format(name)


def row(name: object) -> Markup:
    """Return the head of a row."""
    return Markup('<th scope="row"><bdi>{}</bdi></th>').format(name)


def head(name: object) -> Markup:
    """Return the head of a column of numbers that bears a name of the data."""
    return Markup('<th scope="col" class="num"><bdi>{}</bdi></th>').format(name)


def cell(name: object) -> Markup:
    """Return a cell with a name."""
    return Markup("<td><bdi>{}</bdi></td>").format(name)


def num(told: object) -> Markup:
    """Return a cell with a number as it is."""
    return Markup('<td class="num">{}</td>').format(told)


def key(value: float | None) -> Markup:
    """Return the attributes of a cell that is sorted by a number, whatever its text says."""
    return Markup(' class="num" data-v="{}"').format("" if value is None else f"{value:.6g}")
