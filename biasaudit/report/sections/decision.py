"""What hangs the decision on what: edits that turn it, erasures that let the score fall.

Both are extra keys of a split in results.json (``flips``, ``faithfulness``), which an older
evaluation may not have written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from biasaudit.report.format import NAME_LENGTH, Estimate, clean
from biasaudit.report.view import VAL, Audit, Column, group_words


@dataclass(frozen=True)
class FlipRow:
    """How often one edit turned one run's answer.

    Attributes:
        group: The edited images.
        answer: The right answer after the edit, or None.
        label: The run.
        yes_to_no: Of the pairs answered yes before the edit.
        no_to_yes: Of those answered no.
    """

    group: str
    answer: bool | None
    label: str
    yes_to_no: Estimate
    no_to_yes: Estimate


@dataclass(frozen=True)
class ErasureRow:
    """How the object's probability changes as parts of the images are erased, in [-1, 1].

    Attributes:
        split: The images that show the object, of this split.
        label: The run.
        n: How many have an attention map.
        attention: Without what the attention marks.
        random: Without as many random pixels.
        object: Without the object's region.
        context: Without the context's region.
        excess: How much farther attention lets it fall than random pixels do.
        decides: Whether the decision is shown to hang on what the attention marks.
    """

    split: str
    label: str
    n: int
    attention: float | None
    random: float | None
    object: float | None
    context: float | None
    excess: Estimate
    decides: bool


def flips(audit: Audit) -> list[FlipRow]:
    """Return one row an edited group and run; nothing where no group holds edited pairs."""
    found = [(c.label, _extra(c, audit.split, "flips")) for c in audit.columns]
    return [
        FlipRow(
            group_words(group),
            audit.answer(group),
            label,
            _rate(told[group], "yes_to_no"),
            _rate(told[group], "no_to_yes"),
        )
        for group in audit.groups
        for label, told in found
        if group in told
    ]


def erasures(audit: Audit) -> list[ErasureRow]:
    """Return one row a split and run whose attention was erased: val, and the headline's."""
    names = [name for name in (VAL, audit.target) if name is not None]
    return [
        _erasure(name, column.label, told)
        for name in names
        for column in audit.columns
        if (told := _extra(column, name, "faithfulness"))
    ]


def _erasure(name: str, label: str, told: Mapping[str, Any]) -> ErasureRow:
    n = int(_number(told.get("n")) or 0)
    return ErasureRow(
        split=clean(name, NAME_LENGTH),
        label=label,
        n=n,
        attention=_change(told, "attention"),
        random=_change(told, "random"),
        object=_change(told, "region"),
        context=_change(told, "context"),
        excess=Estimate.of(_number(told.get("excess")), _pair(told.get("excess_ci")), n),
        decides=told.get("decides") is True,
    )


def _change(told: Mapping[str, Any], what: str) -> float | None:
    """Return the change that a recorded fall is."""
    fall = _number(told.get(f"fall_{what}"))
    return None if fall is None else -fall


def _rate(told: Any, way: str) -> Estimate:
    found = told.get(way) if isinstance(told, Mapping) else None
    if not isinstance(found, Mapping):
        return Estimate(None)
    n = int(_number(found.get("n")) or 0)
    return Estimate.of(_number(found.get("rate")), _pair(found.get("rate_ci")), n)


def _extra(column: Column, name: str | None, key: str) -> Mapping[str, Any]:
    split = Audit.split_of(column, name)
    found = (split.model_extra or {}).get(key) if split is not None else None
    return found if isinstance(found, Mapping) else {}


def _number(value: Any) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if known else None


def _pair(value: Any) -> tuple[float, float] | None:
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    low, high = map(_number, value)
    return None if low is None or high is None else (low, high)
