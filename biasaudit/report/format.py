"""Figures as text, the same in every form of the report."""

from __future__ import annotations

from dataclasses import dataclass

from biasaudit.statistics.written import as_written

MISSING = "–"
NAME_LENGTH = 48
"""Longer names are cut where they stand in sentences and heads; tables of runs keep them."""

_UNSEEN = dict.fromkeys((*range(32), 127, 1564, 8206, 8207))
_UNSEEN |= dict.fromkeys((*range(8234, 8239), *range(8294, 8298)))


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95% interval, both in [0, 1]; None where it does not exist.

    Attributes:
        value: The point estimate.
        low: Lower bound.
        high: Upper bound.
        n: Images that it rests on.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0

    @classmethod
    def of(cls, value: float | None, interval: tuple[float, float] | None, n: int) -> Estimate:
        """Build one from a field of the results and its interval field."""
        low, high = interval if interval is not None else (None, None)
        return cls(value, low, high, n)

    def above(self, other: float | Estimate | None) -> bool:
        """Whether the whole interval lies above a number, or above another whole interval."""
        bound = other.high if isinstance(other, Estimate) else other
        return self.low is not None and bound is not None and self.low > bound

    def below(self, other: float | Estimate | None) -> bool:
        """Whether the whole interval lies below a number, or below another whole interval."""
        bound = other.low if isinstance(other, Estimate) else other
        return self.high is not None and bound is not None and self.high < bound


def clean(name: str, length: int | None = None) -> str:
    """Return a name without control characters and marks that turn the direction of a line.

    Args:
        name: As the data have it.
        length: Cut to so many characters, with an ellipsis; whole where None.
    """
    plain = name.translate(_UNSEEN).strip() or MISSING
    return plain if length is None or len(plain) <= length else plain[: length - 1] + "…"


def images_told(n: int | str) -> str:
    """Return ``1 image`` or ``12 images``."""
    return "1 image" if str(n) == "1" else f"{n} images"


def percent(value: float | None, unit: str = "%") -> str:
    """Return a share as a whole percentage; 99.6% does not become 100%, nor 0.2% zero."""
    if value is None:
        return MISSING
    share = 100 * as_written(value)
    text = f"{share:.0f}"
    if (text == "100" and value < 1) or (text in ("0", "-0") and value != 0):
        text = f"{share:.1f}"
    return text + unit


def decimal(value: float | None, digits: int = 2) -> str:
    """Return a number with a fixed count of decimals."""
    return MISSING if value is None else f"{as_written(value):.{digits}f}"


def points(value: float | None) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    if value is None:
        return MISSING
    text = f"{100 * as_written(value):+.0f}"
    return "0" if text in ("+0", "-0") else text.replace("-", "−")


def interval(estimate: Estimate, kind: str = "rate") -> str:
    """Return ``[27, 36]`` for a rate, ``[0.51, 0.65]`` for an AUROC, or "" without bounds."""
    if estimate.low is None or estimate.high is None:
        return ""
    if kind == "rate":
        return f"[{percent(estimate.low, '')}, {percent(estimate.high, '')}]"
    return f"[{decimal(estimate.low)}, {decimal(estimate.high)}]"


def span(estimate: Estimate) -> str:
    """Return the bounds of a difference in percentage points, ``[+31, +45]``, or ""."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"[{points(estimate.low)}, {points(estimate.high)}]"


def figure(estimate: Estimate, kind: str = "rate") -> str:
    """Return a figure with its interval: ``31% [27, 36]``, or ``0.58 [0.51, 0.65]``."""
    value = percent(estimate.value) if kind == "rate" else decimal(estimate.value)
    return f"{value} {interval(estimate, kind)}".rstrip()


def difference(first: Estimate, second: Estimate) -> Estimate:
    """Return ``first - second`` for independent samples, with an interval by Newcombe's method.

    The bounds combine the two Wilson intervals (Newcombe 1998, method 10): with d = p1 - p2,
    d - sqrt((p1-l1)² + (u2-p2)²) to d + sqrt((u1-p1)² + (p2-l2)²). The result lies in [-1, 1].
    """
    if first.value is None or second.value is None:
        return Estimate(None)
    gap = first.value - second.value
    n = min(first.n, second.n)
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return Estimate(gap, n=n)
    down = ((first.value - first.low) ** 2 + (second.high - second.value) ** 2) ** 0.5
    up = ((first.high - first.value) ** 2 + (second.value - second.low) ** 2) ** 0.5
    return Estimate(gap, gap - down, gap + up, n)
