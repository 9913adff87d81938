"""Results as a table in the form of the paper's Table 4: runs are columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.table import Table

from biasaudit.results import Group, Interval, Overall, Run, Split
from biasaudit.statistics.written import as_written

Row = tuple[str, Callable[[Run], str]]


def percent(value: float | None, interval: Interval | None = None) -> str:
    """Return ``42.0 [35.4, 48.9]`` in percent, or a dash."""
    if value is None:
        return "–"
    text = f"{100 * as_written(value):.1f}"
    if interval is None:
        return text
    low, high = (100 * as_written(bound) for bound in interval)
    return f"{text} [{low:.0f}, {high:.0f}]"


def decimal(value: float | None, interval: Interval | None = None) -> str:
    """Return ``.58 [.47, .68]``, or a dash."""
    if value is None:
        return "–"
    text = f"{as_written(value):.2f}"
    if interval is None:
        return text
    return f"{text} [{as_written(interval[0]):.2f}, {as_written(interval[1]):.2f}]"


def results_table(runs: Sequence[Run]) -> Table:
    """Return val, every group and overall of several runs, with intervals.

    Args:
        runs: Runs that were audited on the same splits.
    """
    table = Table(
        title=_title(runs),
        title_justify="left",
        caption_justify="left",
        caption=_caption(runs),
        box=None,
        header_style="bold",
        pad_edge=False,
    )
    table.add_column("")
    for run in runs:
        table.add_column(run.name, justify="right")
    for name, group in _rows(runs):
        table.add_row(name, *(group(run) for run in runs))
    return table


def _title(runs: Sequence[Run]) -> str:
    first = runs[0]
    context = f" and {first.context}" if first.context else ""
    return f"{first.object}{context}, {first.dataset}: accuracy in %, 95% intervals in brackets"


def _caption(runs: Sequence[Run]) -> str:
    baselines = {
        name: split.overall.constant_baseline
        for run in runs
        for name, split in run.splits.items()
        if split.overall.constant_baseline is not None
    }
    constant = ", ".join(
        f"{name} {percent(constant_baseline)}" for name, constant_baseline in baselines.items()
    )
    points = [run.operating_point for run in runs if run.operating_point]
    fitted = "Fitted: a yes is a score above the threshold fitted on val, not above 0. "
    return (
        f"A constant answer scores: {constant}. Overall is the mean of the conflicting groups' "
        "accuracies. "
        f"{fitted if any(point.threshold is not None for point in points) else ''}"
        "Energy: share of the attention inside the object's region."
    )


def _rows(runs: Sequence[Run]) -> list[Row]:
    rows: list[Row] = []
    for name in _ordered(dict.fromkeys(name for run in runs for name in run.splits)):
        groups = _groups(runs, name)
        if not groups:
            rows += _accuracies(runs, _counted(runs, name), name)
            continue
        for group in groups:
            rows += _accuracies(runs, _counted(runs, name, group), name, group)
        rows += _accuracies(runs, "overall", name)
        rows.append(("AUROC", _auroc(name)))
        rows += [
            (f"energy, {group}", _energy(name, group))
            for group in groups
            if any(_attended(run, name, group) for run in runs)
        ]
    return rows


def _groups(runs: Sequence[Run], split: str) -> dict[str, None]:
    """Return the groups of a split, the conflicting ones first, controls left out."""
    found = {
        name: group.alignment
        for run in runs
        if split in run.splits
        for name, group in run.splits[split].groups.items()
    }
    shown = [name for name, said in found.items() if said is not None] or list(found)
    return dict.fromkeys(sorted(shown, key=lambda name: found[name] == "aligned"))


def _ordered(names: Sequence[str] | dict[str, None]) -> list[str]:
    """Pools first, as in the paper's table, then the splits that have groups."""
    return sorted(names, key=lambda name: name.startswith("biased-"))


def _split(run: Run, name: str) -> Split | None:
    return run.splits.get(name)


def _counted(runs: Sequence[Run], split: str, group: str | None = None) -> str:
    found = next(run.splits[split] for run in runs if split in run.splits)
    n = found.overall.n if group is None else found.groups[group].n
    return f"{group or split} (n={n})"


def _accuracies(runs: Sequence[Run], title: str, name: str, group: str | None = None) -> list[Row]:
    """Return the row of the raw accuracy and, where some run has one, of the fitted accuracy."""

    def raw(run: Run) -> str:
        found = _found(run, name, group)
        return percent(found.accuracy, found.accuracy_ci) if found else "–"

    def fitted(run: Run) -> str:
        found = _found(run, name, group)
        return (
            percent(found.accuracy_at_operating_point, found.accuracy_at_operating_point_ci)
            if found
            else "–"
        )

    any_fitted = any(fitted(run) != "–" for run in runs)
    return [(title, raw), *([("  fitted", fitted)] if any_fitted else [])]


def _found(run: Run, name: str, group: str | None) -> Overall | Group | None:
    split = _split(run, name)
    if split is None:
        return None
    return split.overall if group is None else split.groups.get(group)


def _auroc(name: str) -> Callable[[Run], str]:
    def show(run: Run) -> str:
        split = _split(run, name)
        return decimal(split.overall.auroc, split.overall.auroc_ci) if split else "–"

    return show


def _attended(run: Run, name: str, group: str) -> bool:
    split = _split(run, name)
    return bool(split and group in split.groups and split.groups[group].attention.n_valid)


def _energy(name: str, group: str) -> Callable[[Run], str]:
    def show(run: Run) -> str:
        split = _split(run, name)
        if split is None or group not in split.groups:
            return "–"
        overlap = split.groups[group].attention
        return percent(overlap.energy_pointing_game, overlap.energy_pointing_game_ci)

    return show
