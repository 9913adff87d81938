"""Shares as the decimals that people write, so that every table rounds them alike."""

from __future__ import annotations

from decimal import Decimal


def as_written(value: float) -> Decimal:
    """Return the shortest decimal that is the same float; formats round its halves to even.

    .175 is .18 and 18% then. As a float it lies below .175, and 100 times it does not.

    >>> f"{as_written(0.175):.2f}", f"{100 * as_written(0.175):.0f}", f"{0.175:.2f}"
    ('0.18', '18', '0.17')
    """
    return Decimal(repr(float(value)))
