"""Results as a table in the form of the paper's Table 4: runs are columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.table import Table

from biasaudit.results import Cell, Interval, Overall, Run, Split

Row = tuple[str, Callable[[Run], str]]


def percent(value: float | None, interval: Interval | None = None) -> str:
    """Return ``42.0 [35.4, 48.9]`` in percent, or a dash."""
    if value is None:
        return "–"
    text = f"{100 * value:.1f}"
    return (
        text if interval is None else f"{text} [{100 * interval[0]:.0f}, {100 * interval[1]:.0f}]"
    )


def decimal(value: float | None, interval: Interval | None = None) -> str:
    """Return ``.58 [.47, .68]``, or a dash."""
    if value is None:
        return "–"
    text = f"{value:.2f}"
    return text if interval is None else f"{text} [{interval[0]:.2f}, {interval[1]:.2f}]"


def results_table(runs: Sequence[Run]) -> Table:
    """Return val, every cell and overall of several runs, with intervals.

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
    for name, cell in _rows(runs):
        table.add_row(name, *(cell(run) for run in runs))
    return table


def _title(runs: Sequence[Run]) -> str:
    first = runs[0]
    context = f" and {first.context}" if first.context else ""
    return f"{first.object}{context}, {first.dataset}: accuracy in %, 95% intervals in brackets"


def _caption(runs: Sequence[Run]) -> str:
    floors = {
        name: split.overall.floor
        for run in runs
        for name, split in run.splits.items()
        if split.overall.floor is not None
    }
    constant = ", ".join(f"{name} {percent(floor)}" for name, floor in floors.items())
    points = [run.operating_point for run in runs if run.operating_point]
    fitted = "Fitted: a yes is a score above the threshold fitted on val, not above 0. "
    return (
        f"A constant answer scores: {constant}. Overall is the mean of the cells' accuracies. "
        f"{fitted if any(point['threshold'] is not None for point in points) else ''}"
        "Energy: share of the attention inside the object's region."
    )


def _rows(runs: Sequence[Run]) -> list[Row]:
    rows: list[Row] = []
    for name in _ordered(dict.fromkeys(name for run in runs for name in run.splits)):
        cells = dict.fromkeys(
            cell for run in runs if name in run.splits for cell in run.splits[name].cells
        )
        if not cells:
            rows += _accuracies(runs, _counted(runs, name), name)
            continue
        for cell in cells:
            rows += _accuracies(runs, _counted(runs, name, cell), name, cell)
        rows += _accuracies(runs, "overall", name)
        rows.append(("AUROC", _auroc(name)))
        rows += [
            (f"energy, {cell}", _energy(name, cell))
            for cell in cells
            if any(_attended(run, name, cell) for run in runs)
        ]
    return rows


def _ordered(names: Sequence[str] | dict[str, None]) -> list[str]:
    """Pools first, as in the paper's table, then the splits that have cells."""
    return sorted(names, key=lambda name: name.startswith("biased-"))


def _split(run: Run, name: str) -> Split | None:
    return run.splits.get(name)


def _counted(runs: Sequence[Run], split: str, cell: str | None = None) -> str:
    found = next(run.splits[split] for run in runs if split in run.splits)
    n = found.overall.n if cell is None else found.cells[cell].n
    return f"{cell or split} (n={n})"


def _accuracies(runs: Sequence[Run], title: str, name: str, cell: str | None = None) -> list[Row]:
    """Return the row of the raw accuracy and, where some run has one, of the fitted accuracy."""

    def raw(run: Run) -> str:
        found = _found(run, name, cell)
        return percent(found.accuracy, found.accuracy_ci) if found else "–"

    def fitted(run: Run) -> str:
        found = _found(run, name, cell)
        return percent(found.accuracy_fitted, found.accuracy_fitted_ci) if found else "–"

    any_fitted = any(fitted(run) != "–" for run in runs)
    return [(title, raw), *([("  fitted", fitted)] if any_fitted else [])]


def _found(run: Run, name: str, cell: str | None) -> Overall | Cell | None:
    split = _split(run, name)
    if split is None:
        return None
    return split.overall if cell is None else split.cells.get(cell)


def _auroc(name: str) -> Callable[[Run], str]:
    def show(run: Run) -> str:
        split = _split(run, name)
        return decimal(split.overall.auroc, split.overall.auroc_ci) if split else "–"

    return show


def _attended(run: Run, name: str, cell: str) -> bool:
    split = _split(run, name)
    return bool(split and cell in split.cells and split.cells[cell].attention.n_valid)


def _energy(name: str, cell: str) -> Callable[[Run], str]:
    def show(run: Run) -> str:
        split = _split(run, name)
        if split is None or cell not in split.cells:
            return "–"
        overlap = split.cells[cell].attention
        return percent(overlap.energy_pointing_game, overlap.energy_pointing_game_ci)

    return show
