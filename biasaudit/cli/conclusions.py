"""What an audit concludes, in plain words: a line or two for each run, below the table."""

from __future__ import annotations

from typing import Any

from biasaudit.results import Run


def conclusion_lines(run: Run) -> list[str]:
    """Return the verdict on each biased split of a run, and what stands beside it.

    Args:
        run: With the extra keys ``verdict``, ``corners`` and ``faithfulness`` of its splits,
            where they exist.
    """
    lines = []
    for split in run.splits.values():
        extra = split.model_extra or {}
        if "verdict" in extra:
            lines.append(f"{run.name}: {_verdict(run, extra['verdict'])}")
        if "corners" in extra:
            lines += [f"  {told}" for told in _corners(run, extra["corners"])]
    return lines


def _verdict(run: Run, verdict: dict[str, Any]) -> str:
    told = f"{run.object} {verdict['headline']}." if verdict["kind"] == "biased" else ""
    told = told or f"{run.object}: {verdict['headline']}."
    told += f" {verdict['reason']}"
    if verdict["images_needed"] is not None:
        told += f" {verdict['images_needed']} images a cell would settle it at these rates."
    return f"{told} Note: {verdict['note']}." if verdict["note"] else told


def _corners(run: Run, corners: dict[str, dict[str, int]]) -> list[str]:
    """Word the corners of the cells that show the object."""
    told = []
    for cell, counts in corners.items():
        measured = sum(counts.values()) - counts["unmeasured"]
        if not measured:
            continue
        right = counts["right_on"] + counts["right_off"]
        wrong = counts["wrong_on"] + counts["wrong_off"]
        told.append(
            f"{cell}: {right} right, {counts['right_off']} of them for the wrong reason (attention "
            f"off the {run.object}); {wrong} wrong, {counts['wrong_on']} of them with the "
            "attention on it."
        )
    return told
