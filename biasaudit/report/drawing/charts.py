"""The report's plots: accuracy against labels, gaps, attention overlap."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes

from biasaudit.report.drawing.axes import (
    describe,
    draw_constant,
    draw_interval,
    finish,
    height_of,
    legend,
    new_axes,
    percent_axis,
    run_axis,
    shift_of,
    short,
)
from biasaudit.report.drawing.svg import INK, PAPER, SERIES, STYLE
from biasaudit.report.format import Estimate, figure, percent
from biasaudit.report.sections.localization import LocalizationRow
from biasaudit.report.view import AuditView

MARKERS = ("o", "^", "D", "v", "P", "X")


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
        drawn, axes = new_axes(3.2)
        for number, (mode, series) in enumerate(points.items()):
            _draw_mode(axes, number, mode, series, places, (number - (len(points) - 1) / 2) * 0.09)
        draw_constant(axes, audit.constant_baseline(), "horizontal")
        axes.set_xticks(range(len(budgets)), [str(budget) for budget in budgets])
        axes.set_xlim(-0.4, len(budgets) - 0.6)
        labels = "box" if by_boxes(audit) else "pixel"
        axes.set_xlabel(f"{labels} labels (steps not to scale)")
        percent_axis(axes, "y", f"accuracy {_place(audit)}")
        legend(drawn, 2)
        return finish(drawn, prefix, _describe_curve(points))


def gap_chart(audit: AuditView, prefix: str) -> Markup | None:
    """Draw how far every group or pool lies from val: a tick, a thin line and a marker a run."""
    series = [(name, entries) for _, name, entries in audit.apart() if any(_known(entries))]
    if not series:
        return None
    val = audit.val()
    labels = [column.label for column in audit.columns]
    with mpl.rc_context(STYLE):
        drawn, axes = new_axes(height_of(len(labels), 2))
        for number, (name, entries) in enumerate(series):
            shift = shift_of(number, len(series), 0.3)
            _draw_gaps(axes, val, entries, number, shift)
            _draw_points(axes, entries, number, name, shift)
        _draw_val(axes, val)
        draw_constant(axes, audit.constant_baseline(), "vertical")
        run_axis(axes, labels)
        percent_axis(axes, "x", "accuracy")
        legend(drawn, 2)
        return finish(drawn, prefix, describe([("val", val), *series], labels))


def localization_chart(
    rows: Sequence[LocalizationRow], labels: Sequence[str], prefix: str
) -> Markup | None:
    """Draw energy pointing game of each run by group, and the region's area as a line."""
    if not rows:
        return None
    with mpl.rc_context(STYLE):
        drawn, axes = new_axes(height_of(len(labels), 2 * len(rows)))
        for number, row in enumerate(rows):
            shift = shift_of(number, len(rows), 0.3)
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
        run_axis(axes, labels)
        percent_axis(axes, "x", "share of the attention inside the region")
        legend(drawn, 1)
        series = [(row.name, row.energy) for row in rows]
        areas = "; ".join(f"{r.name}: the region fills {percent(r.area_fraction)}" for r in rows)
        return finish(drawn, prefix, f"{describe(series, labels)} {areas}.")


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
    axes.plot(xs, means, color=colour, marker=marker, markersize=7, label=short(mode), zorder=3)
    for x, budget in zip(xs, budgets, strict=True):
        several = series[budget]
        for place, estimate in enumerate(several):
            at = x + (place - (len(several) - 1) / 2) * 0.05
            draw_interval(axes, at, estimate, colour, vertical=True)
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
            draw_interval(axes, place + shift, entry, colour, vertical=False)
    axes.plot(
        xs,
        ys,
        marker,
        color=colour,
        markeredgecolor=PAPER,
        markeredgewidth=0.8,
        markersize=7.5,
        label=short(name),
        zorder=3,
    )


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


def _place(audit: AuditView) -> str:
    return "over the groups" if audit.groups else f"on {short(audit.target or '')}"


def _known(entries: Sequence[Estimate]) -> list[bool]:
    return [entry.value is not None for entry in entries]


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
