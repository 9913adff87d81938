"""The report's plots: accuracy against labels, gaps, attention overlap."""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Sequence

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from biasaudit.report.drawing.svg import INK, PAPER, QUIET, SERIES, STYLE, inline
from biasaudit.report.format import Estimate, figure, percent
from biasaudit.report.sections.localization import LocalizationRow
from biasaudit.report.view import AuditView

WIDTH = 5.2
MARKERS = ("o", "^", "D", "v", "P", "X")
LABEL_LENGTH = 30


def label_curve(audit: AuditView, prefix: str) -> Markup | None:
    """Draw accuracy on the target against the number of pixel labels, or nothing for one budget.

    A mode with several budgets is a line through the means over its seeds, every run a marker
    with its interval; a mode with one budget is a single marker.
    """
    points = _budget_points(audit)
    if len({budget for series in points.values() for budget in series}) < 2:
        return None
    budgets = sorted({budget for series in points.values() for budget in series})
    places = {budget: place for place, budget in enumerate(budgets)}
    with mpl.rc_context(STYLE):
        drawn, axes = _axes(3.2)
        for number, (mode, series) in enumerate(points.items()):
            _draw_mode(axes, number, mode, series, places, (number - (len(points) - 1) / 2) * 0.09)
        _draw_floor(axes, audit.constant_baseline(), "horizontal")
        axes.set_xticks(range(len(budgets)), [str(budget) for budget in budgets])
        axes.set_xlim(-0.4, len(budgets) - 0.6)
        labels = "box" if by_boxes(audit) else "pixel"
        axes.set_xlabel(f"{labels} labels (steps not to scale)")
        _percent_axis(axes, "y", f"accuracy {_place(audit)}")
        _legend(drawn, 2)
        return _finish(drawn, prefix, _describe_curve(points))


def gap_chart(audit: AuditView, prefix: str) -> Markup | None:
    """Draw how far every group or pool lies from val: a tick, a thin line and a marker a run."""
    series = [(name, entries) for _, name, entries in audit.apart() if any(_known(entries))]
    if not series:
        return None
    val = audit.val()
    labels = [column.label for column in audit.columns]
    with mpl.rc_context(STYLE):
        drawn, axes = _axes(_height(len(labels), 2))
        for number, (name, entries) in enumerate(series):
            shift = _shift(number, len(series), 0.3)
            _draw_gaps(axes, val, entries, number, shift)
            _draw_points(axes, entries, number, name, shift)
        _draw_val(axes, val)
        _draw_floor(axes, audit.constant_baseline(), "vertical")
        _run_axis(axes, labels)
        _percent_axis(axes, "x", "accuracy")
        _legend(drawn, 2)
        return _finish(drawn, prefix, _describe([("val", val), *series], labels))


def localization_chart(
    rows: Sequence[LocalizationRow], labels: Sequence[str], prefix: str
) -> Markup | None:
    """Draw energy pointing game of each run by group, and the region's area as a line."""
    if not rows:
        return None
    with mpl.rc_context(STYLE):
        drawn, axes = _axes(_height(len(labels), 2 * len(rows)))
        for number, row in enumerate(rows):
            shift = _shift(number, len(rows), 0.3)
            _draw_points(axes, row.energy, number, row.name, shift)
            if row.area_fraction is not None:
                axes.axvline(
                    row.area_fraction,
                    color=SERIES[number % len(SERIES)],
                    linewidth=1.1,
                    linestyle=(0, (4, 2)),
                    zorder=1,
                    label=f"area of the region, {row.name}",
                )
        _run_axis(axes, labels)
        _percent_axis(axes, "x", "share of the attention inside the region")
        _legend(drawn, 1)
        series = [(row.name, row.energy) for row in rows]
        areas = "; ".join(f"{r.name}: the region fills {percent(r.area_fraction)}" for r in rows)
        return _finish(drawn, prefix, f"{_describe(series, labels)} {areas}.")


def _axes(height: float) -> tuple[Figure, Axes]:
    drawn = Figure(figsize=(WIDTH, height), layout="constrained")
    drawn.patch.set_alpha(0)
    axes = drawn.add_subplot()
    axes.patch.set_alpha(0)
    return drawn, axes


def _finish(drawn: Figure, prefix: str, description: str) -> Markup:
    with warnings.catch_warnings():
        # The browser draws the text: a glyph that matplotlib's font lacks is no fault.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        warnings.filterwarnings("ignore", message="constrained_layout not applied")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        return inline(drawn, prefix, description)


def by_boxes(audit: AuditView) -> bool:
    """Whether the runs differ in box labels alone, as none had a pixel label."""
    return not any(column.run.pixel_labels for column in audit.columns)


def _budget_points(audit: AuditView) -> dict[str, dict[int, list[Estimate]]]:
    points: dict[str, dict[int, list[Estimate]]] = {}
    for column, estimate in zip(audit.columns, audit.overall(), strict=True):
        if estimate.value is not None:
            run = column.run
            budget, boxes = run.pixel_labels, run.box_labels
            if by_boxes(audit):
                budget, boxes = boxes, 0
            series = points.setdefault(run.mode + (f" + {boxes} boxes" if boxes else ""), {})
            series.setdefault(budget, []).append(estimate)
    return points


def _draw_mode(
    axes: Axes,
    number: int,
    mode: str,
    series: dict[int, list[Estimate]],
    places: dict[int, int],
    shift: float,
) -> None:
    colour, marker = SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]
    budgets = sorted(series)
    means = [sum(e.value or 0.0 for e in series[b]) / len(series[b]) for b in budgets]
    xs = [places[budget] + shift for budget in budgets]
    axes.plot(xs, means, color=colour, marker=marker, markersize=7, label=_short(mode), zorder=3)
    for x, budget in zip(xs, budgets, strict=True):
        several = series[budget]
        for place, estimate in enumerate(several):
            at = x + (place - (len(several) - 1) / 2) * 0.05
            _draw_interval(axes, at, estimate, colour, vertical=True)
            if len(several) > 1 and estimate.value is not None:
                axes.plot([at], [estimate.value], "o", color=colour, markersize=3, zorder=4)


def _draw_points(
    axes: Axes, entries: Sequence[Estimate], number: int, name: str, shift: float
) -> None:
    colour, marker = SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]
    xs: list[float] = []
    ys: list[float] = []
    for place, entry in enumerate(entries):
        if entry.value is not None:
            xs.append(entry.value)
            ys.append(place + shift)
            _draw_interval(axes, place + shift, entry, colour, vertical=False)
    axes.plot(
        xs,
        ys,
        marker,
        color=colour,
        markeredgecolor=PAPER,
        markeredgewidth=0.8,
        markersize=7.5,
        label=_short(name),
        zorder=3,
    )


def _draw_interval(
    axes: Axes, at: float, estimate: Estimate, colour: str, *, vertical: bool
) -> None:
    if estimate.low is None or estimate.high is None:
        return
    line = [at, at], [estimate.low, estimate.high]
    axes.plot(*(line if vertical else line[::-1]), color=colour, linewidth=1.4, zorder=2)


def _draw_gaps(
    axes: Axes, val: Sequence[Estimate], entries: Sequence[Estimate], number: int, shift: float
) -> None:
    """Draw the thin line from each run's val to its accuracy in one group."""
    for place, (first, second) in enumerate(zip(val, entries, strict=True)):
        if first.value is not None and second.value is not None:
            ends = [second.value, first.value]
            colour = SERIES[number % len(SERIES)]
            axes.plot(ends, [place + shift] * 2, color=colour, linewidth=0.6, zorder=1)


def _draw_val(axes: Axes, val: Sequence[Estimate]) -> None:
    """Draw each run's val as a tick over the height of its lines."""
    places = [(entry.value, place) for place, entry in enumerate(val) if entry.value is not None]
    if places:
        xs, ys = zip(*places, strict=True)
        axes.plot(xs, ys, "|", color=INK, markersize=16, markeredgewidth=2, label="val", zorder=3)


def _height(runs: int, legend_rows: int) -> float:
    """Return the height in inches of a chart with one band a run."""
    return 0.75 + 0.2 * legend_rows + 0.44 * runs


def _shift(number: int, count: int, width: float) -> float:
    """Return the offset that spreads ``count`` markers over ``width`` of a band."""
    return 0.0 if count < 2 else width * (number / (count - 1) - 0.5)


def _draw_floor(axes: Axes, constant_baseline: float | None, direction: str) -> None:
    if constant_baseline is None:
        return
    draw = axes.axhline if direction == "horizontal" else axes.axvline
    draw(
        constant_baseline,
        color=INK,
        linewidth=1,
        linestyle=(0, (1, 2)),
        zorder=1,
        label="constant answer",
    )


def _run_axis(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), [_short(label) for label in labels])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _percent_axis(axes: Axes, which: str, label: str) -> None:
    ticks = [0, 0.25, 0.5, 0.75, 1]
    words = [f"{tick * 100:.0f}%" for tick in ticks]
    if which == "x":
        axes.set_xlim(-0.02, 1.02)
        axes.set_xticks(ticks, words)
        axes.set_xlabel(label)
    else:
        axes.set_ylim(-0.02, 1.02)
        axes.set_yticks(ticks, words)
        axes.set_ylabel(label)
    axes.grid(axis="x" if which == "x" else "y", color=QUIET, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)


def _legend(drawn: Figure, columns: int) -> None:
    drawn.legend(
        loc="outside upper left",
        frameon=False,
        fontsize=9,
        ncols=columns,
        handlelength=1.6,
        columnspacing=1.6,
        borderaxespad=0.2,
    )


def _place(audit: AuditView) -> str:
    return "over the groups" if audit.groups else f"on {_short(audit.target or '')}"


def _known(entries: Sequence[Estimate]) -> list[bool]:
    return [entry.value is not None for entry in entries]


def _short(text: str) -> str:
    """Return a label that fits: no control or direction characters, cut to length."""
    plain = "".join(c for c in text if unicodedata.category(c)[0] != "C").strip() or "–"
    return plain if len(plain) <= LABEL_LENGTH else plain[: LABEL_LENGTH - 1] + "…"


def _describe(series: Sequence[tuple[str, Sequence[Estimate]]], labels: Sequence[str]) -> str:
    return " ".join(
        f"{label}: "
        + ", ".join(f"{name} {figure(entries[place])}" for name, entries in series)
        + "."
        for place, label in enumerate(labels)
    )


def _describe_curve(points: dict[str, dict[int, list[Estimate]]]) -> str:
    return " ".join(
        f"{mode}: "
        + ", ".join(
            f"{budget} labels {' and '.join(figure(e) for e in series[budget])}"
            for budget in sorted(series)
        )
        + "."
        for mode, series in points.items()
    )
