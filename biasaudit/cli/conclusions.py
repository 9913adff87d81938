"""What an audit concludes, in plain words: a line or two for each run, below the table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from biasaudit.cli.tables import percent
from biasaudit.results import Run


def conclusion_lines(run: Run) -> list[str]:
    """Return the verdict on each biased split of a run, and what stands beside it.

    Args:
        run: With the extra keys ``verdict``, ``quadrants`` and ``faithfulness`` of its splits,
            where they exist.
    """
    lines = []
    several = sum("verdict" in (split.model_extra or {}) for split in run.splits.values()) > 1
    for name, split in run.splits.items():
        extra = split.model_extra or {}
        if "verdict" in extra:
            by = f" by {name}" if several else ""
            lines.append(f"{run.name}{by}: {_verdict(run, extra['verdict'])}")
        if "quadrants" in extra:
            lines += [f"  {told}" for told in _quadrants(run, extra["quadrants"])]
        lines += [f"  {told}" for told in _flips(extra.get("flips", {}))]
    for name, split in run.splits.items():
        told = (split.model_extra or {}).get("faithfulness")
        if told is not None:
            lines.append(f"  {name}: {_faithfulness(run, told)}")
    return lines


def conclusion_notes(runs: Sequence[Run]) -> list[str]:
    """Return what a reader of table and verdicts must know of the images, each note once.

    Args:
        runs: As for :func:`conclusion_lines`.
    """
    found = (
        (split.model_extra or {}).get("verdict", {}).get("note")
        for run in runs
        for split in run.splits.values()
    )
    unfitted = (
        f"{run.name}: no operating point, as on {run.operating_point['subset']} "
        f"{run.operating_point['note']}"
        for run in runs
        if run.operating_point and run.operating_point["note"]
    )
    return list(dict.fromkeys(note for note in (*found, *unfitted) if note))


def _verdict(run: Run, verdict: dict[str, Any]) -> str:
    told = f"{run.object} {verdict['headline']}." if verdict["kind"] == "biased" else ""
    told = told or f"{run.object}: {verdict['headline']}."
    told += f" {verdict['reason']}"
    if verdict["images_needed"] is not None:
        told += f" {verdict['images_needed']} images a group would settle it at these rates."
    return told


def _quadrants(run: Run, quadrants: dict[str, dict[str, int]]) -> list[str]:
    """Word the quadrants of the groups that show the object."""
    told = []
    for group, counts in quadrants.items():
        if sum(counts.values()) == counts["unmeasured"]:
            continue
        right = counts["right_on"] + counts["right_off"]
        wrong = counts["wrong_on"] + counts["wrong_off"]
        parts = [f"{right} right"]
        if right:
            parts[0] += f", {counts['right_off']} of them for the wrong reason (attention off the "
            parts[0] += f"{run.object})"
        if wrong:
            parts.append(f"{wrong} wrong, {counts['wrong_on']} of them with the attention on it")
        if counts["unmeasured"]:
            parts.append(f"{counts['unmeasured']} without a region or an attention map")
        told.append(f"{group}: {'; '.join(parts)}.")
    return told


def _flips(flips: dict[str, dict[str, Any]]) -> list[str]:
    told = []
    for group, found in flips.items():
        parts = []
        for way, words in (("yes_to_no", "from yes to no"), ("no_to_yes", "from no to yes")):
            one = found[way]
            if one["n"]:
                parts.append(
                    f"{percent(one['rate'], one['rate_ci'])}% of {one['n']} answers {words}"
                )
        left = found["without"]
        rest = f" {left} more have no original among the images audited." if left else ""
        if parts or left:
            told.append(f"{group}: the edit turns {' and '.join(parts) or 'nothing'}.{rest}")
    return told


def _faithfulness(run: Run, found: dict[str, Any]) -> str:
    """Word how far the object's probability falls as parts of the image are erased."""
    if found["fall_attention"] is None:
        return f"no image with '{run.object}' has an attention map to erase."
    falls = [
        f"what the attention marks changes the probability of '{run.object}' by "
        f"{_points(found['fall_attention'])} points",
        f"as many random pixels by {_points(found['fall_random'])}",
    ]
    for name, key in ((run.object, "fall_region"), (run.context, "fall_context")):
        if found[key] is not None:
            falls.append(f"the {name} itself by {_points(found[key])}")
    told = f"erasing {', '.join(falls)} ({found['n']} images)."
    if not found["decides"]:
        return (
            f"{told} The decision is not shown to hang on what the attention marks: such attention "
            "can be moved without moving the decision."
        )
    off_object, off_context = found["fall_region"], found["fall_context"]
    if off_object is not None and off_context is not None and off_context > off_object:
        told += f" It hangs on the {run.context} more than on the {run.object}."
    return told


def _points(fall: float) -> str:
    """Return the change that a fall is, in points."""
    return f"{-100 * fall:+.0f}"
