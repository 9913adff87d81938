"""What an audit concludes, in plain words: a line or two for each run, below the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from biasaudit.analysis.verdict_text import beside
from biasaudit.cli.tables import percent
from biasaudit.results import Faithfulness, FlipRates, Quadrants, Run, Verdict


def conclusion_lines(run: Run) -> list[str]:
    """Return the verdict on each biased split of a run, and what stands beside it."""
    lines = []
    several = sum(split.verdict is not None for split in run.splits.values()) > 1
    for name, split in run.splits.items():
        if split.verdict is not None:
            by = f" by {name}" if several else ""
            lines.append(f"{run.name}{by}: {_verdict(run, split.verdict)}")
            lines += [f"  {told}" for told in beside(split.verdict)]
        lines += [f"  {told}" for told in _quadrants(run, split.quadrants)]
        lines += [f"  {told}" for told in _flips(split.flips)]
    for name, split in run.splits.items():
        if split.faithfulness is not None:
            lines.append(f"  {name}: {_faithfulness(run, split.faithfulness)}")
    return lines


def conclusion_notes(runs: Sequence[Run]) -> list[str]:
    """Return what a reader of table and verdicts must know of the images, each note once."""
    found = [
        split.verdict.note
        for run in runs
        for split in run.splits.values()
        if split.verdict is not None
    ]
    found += [
        f"{run.name}: no operating point, as on {run.operating_point.subset} "
        f"{run.operating_point.note}"
        for run in runs
        if run.operating_point is not None and run.operating_point.note
    ]
    return list(dict.fromkeys(line for line in found if line))


def _verdict(run: Run, verdict: Verdict) -> str:
    between = " " if verdict.kind == "biased" else ": "
    told = f"{run.object}{between}{verdict.headline}. {verdict.reason}"
    if verdict.images_needed is not None:
        told += f" {verdict.images_needed} images a group would settle it at these rates."
    return told


def _quadrants(run: Run, quadrants: Mapping[str, Quadrants]) -> list[str]:
    """Word the quadrants of the groups that show the object."""
    told = []
    for group, counts in quadrants.items():
        known = counts.right_on + counts.right_off + counts.wrong_on + counts.wrong_off
        if known + counts.right_no_map + counts.wrong_no_map == 0:
            continue
        right = _answers(
            run,
            "right",
            (counts.right_on, counts.right_off, counts.right_no_map, counts.right_no_region),
            " (right for the wrong reason)",
        )
        wrong = _answers(
            run,
            "wrong",
            (counts.wrong_on, counts.wrong_off, counts.wrong_no_map, counts.wrong_no_region),
            "",
        )
        told.append(f"{group}: {right}; {wrong}.")
    return told


def _answers(run: Run, answer: str, counts: tuple[int, int, int, int], remark: str) -> str:
    """Word the right, or the wrong, answers of one group by where the attention is."""
    on, off, no_map, no_region = counts
    parts = [f"{on} with the attention on the {run.object}", f"{off} off it{remark if off else ''}"]
    parts += [f"{no_map} with an attention map of zeros"] if no_map else []
    parts += [f"{no_region} without a region of the {run.object}"] if no_region else []
    total = sum(counts)
    return f"{total} {answer}, {', '.join(parts)}" if total else f"0 {answer}"


def _flips(flips: Mapping[str, FlipRates]) -> list[str]:
    told = []
    for group, found in flips.items():
        parts = [
            f"{percent(one.rate, one.rate_ci)}% of {one.n} answers {words}"
            for one, words in (
                (found.yes_to_no, "from yes to no"),
                (found.no_to_yes, "from no to yes"),
            )
            if one.n
        ]
        left = found.without
        rest = f" {left} more have no original among the images audited." if left else ""
        if parts or left:
            told.append(f"{group}: the edit turns {' and '.join(parts) or 'nothing'}.{rest}")
    return told


def _faithfulness(run: Run, found: Faithfulness) -> str:
    """Word how far the object's probability falls as parts of the image are erased."""
    if found.fall_attention is None or found.fall_random is None:
        return f"no image with '{run.object}' has an attention map to erase."
    falls = [
        f"what the attention marks changes the probability of '{run.object}' by "
        f"{_points(found.fall_attention)} points",
        f"as many random pixels by {_points(found.fall_random)}",
    ]
    for name, fall in ((run.object, found.fall_region), (run.context, found.fall_context)):
        if fall is not None:
            falls.append(f"the {name} itself by {_points(fall)}")
    told = f"erasing {', '.join(falls)} ({found.n} images)."
    if not found.decides:
        return (
            f"{told} The decision is not shown to hang on what the attention marks: such attention "
            "can be moved without moving the decision."
        )
    off_object, off_context = found.fall_region, found.fall_context
    if off_object is not None and off_context is not None and off_context > off_object:
        told += f" It hangs on the {run.context} more than on the {run.object}."
    return told


def _points(fall: float) -> str:
    """Return the change that a fall is, in points."""
    return f"{-100 * fall:+.0f}"
