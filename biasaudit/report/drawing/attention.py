"""Plots of attention: on object and context, against accuracy, and what perturbation changes."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes

from biasaudit.report.drawing.axes import (
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
from biasaudit.report.drawing.svg import INK, PAPER, QUIET, SERIES, STYLE
from biasaudit.report.format import Estimate, figure, points
from biasaudit.report.sections.decision import ErasureRow
from biasaudit.report.sections.excess import ExcessRow, Point

MARKERS = ("o", "^", "D", "v", "P", "X", "s", "<")


def excess_chart(
    rows: Sequence[ExcessRow], object: str, context: str | None, prefix: str
) -> Markup | None:
    """Draw each run's attention on object and context beyond chance."""
    if not rows:
        return None
    series = [(f"on {object}, without the context", [row.object for row in rows])]
    if any(row.context.value is not None for row in rows):
        series.append((f"on {context}, without the object", [row.context for row in rows]))
    with mpl.rc_context(STYLE):
        drawn, axes = new_axes(height_of(len(rows), len(series)))
        for number, (name, entries) in enumerate(series):
            _draw_series(axes, entries, number, short(name), shift_of(number, len(series), 0.3))
        axes.axvline(0, color=INK, linewidth=1, linestyle=(0, (1, 2)), zorder=1)
        run_axis(axes, [row.label for row in rows])
        _points_axis(axes, "attention beyond chance, percentage points")
        legend(drawn, 1)
        told = " ".join(
            f"{row.label}: on {object} {points(row.object.value)}"
            + (f", on {context} {points(row.context.value)}." if len(series) > 1 else ".")
            for row in rows
        )
        return finish(drawn, prefix, told)


def front_chart(found: Sequence[Point], prefix: str) -> Markup | None:
    """Draw accuracy over the groups against attention on the object; nothing for one run alone."""
    if len(found) < 2:
        return None
    with mpl.rc_context(STYLE):
        drawn, axes = new_axes(2.9 + 0.2 * ((len(found) + 1) // 2))
        for number, point in enumerate(found):
            _draw_point(axes, point, number)
            if point.before is not None:
                _draw_arrow(axes, found[point.before], point)
        percent_axis(axes, "y", "accuracy over the groups")
        _points_axis(axes, "attention on the object beyond chance, points")
        legend(drawn, 2)
        told = " ".join(
            f"{point.label}: accuracy {figure(point.accuracy)}, attention "
            f"{points(point.attention.value)} points."
            for point in found
        )
        return finish(drawn, prefix, told)


def erasure_chart(
    rows: Sequence[ErasureRow], object: str, context: str | None, prefix: str
) -> Markup | None:
    """Draw as bars how far the probability of the object falls without parts of its images.

    Of several splits the last one is drawn: the audited one, where it was measured.
    """
    if not rows:
        return None
    rows = [row for row in rows if row.split == rows[-1].split]
    series: list[tuple[str, list[float | None]]] = [
        ("attended pixels", [row.attention for row in rows]),
        ("random pixels", [row.random for row in rows]),
        (object, [row.object for row in rows]),
    ]
    if context is not None:
        series.append((context, [row.context for row in rows]))
    shown = [(name, values) for name, values in series if any(v is not None for v in values)]
    with mpl.rc_context(STYLE):
        drawn, axes = new_axes(height_of(len(rows), 2) + 0.2 * len(rows))
        width = 0.8 / len(shown)
        for number, (name, values) in enumerate(shown):
            places = [at + (number - (len(shown) - 1) / 2) * width for at in range(len(rows))]
            widths = [value or 0.0 for value in values]
            colour = SERIES[number % len(SERIES)]
            axes.barh(places, widths, width * 0.9, color=colour, label=f"without {short(name)}")
        axes.axvline(0, color=QUIET, linewidth=0.8)
        run_axis(axes, [row.label for row in rows])
        _points_axis(axes, f"change of the probability, points\n{_counted(rows)}")
        legend(drawn, 2)
        told = " ".join(
            f"{row.label} on {row.split}: "
            + ", ".join(f"without {name} {points(values[at])}" for name, values in shown)
            + "."
            for at, row in enumerate(rows)
        )
        return finish(drawn, prefix, told)


def _counted(rows: Sequence[ErasureRow]) -> str:
    """Return the split, and on how many of its images the rows rest."""
    least, most = min(row.n for row in rows), max(row.n for row in rows)
    span = str(most) if least == most else f"{least} to {most}"
    return f"{short(rows[0].split)}, {span} images"


def _draw_series(
    axes: Axes, entries: Sequence[Estimate], number: int, name: str, shift: float
) -> None:
    colour = SERIES[number % len(SERIES)]
    known = [(e, at + shift) for at, e in enumerate(entries) if e.value is not None]
    for entry, at in known:
        draw_interval(axes, at, entry, colour, vertical=False)
    axes.plot(
        [entry.value or 0.0 for entry, _ in known],
        [at for _, at in known],
        MARKERS[number % len(MARKERS)],
        color=colour,
        markeredgecolor=PAPER,
        markeredgewidth=0.8,
        markersize=7.5,
        label=name,
        zorder=3,
    )


def _draw_point(axes: Axes, point: Point, number: int) -> None:
    colour = SERIES[number % len(SERIES)]
    x, y = point.attention.value or 0.0, point.accuracy.value or 0.0
    draw_interval(axes, y, point.attention, colour, vertical=False)
    draw_interval(axes, x, point.accuracy, colour, vertical=True)
    axes.plot(
        [x],
        [y],
        MARKERS[number % len(MARKERS)],
        color=colour,
        markeredgecolor=PAPER,
        markersize=8,
        label=short(point.label),
        linestyle="none",
        zorder=3,
    )


def _draw_arrow(axes: Axes, before: Point, after: Point) -> None:
    axes.annotate(
        "",
        (after.attention.value or 0.0, after.accuracy.value or 0.0),
        (before.attention.value or 0.0, before.accuracy.value or 0.0),
        arrowprops={"arrowstyle": "->", "color": INK, "shrinkA": 6, "shrinkB": 6},
    )


def _points_axis(axes: Axes, label: str) -> None:
    axes.margins(x=0.08)
    axes.set_xlabel(label)
    axes.xaxis.set_major_formatter(lambda value, _: points(value))
    axes.grid(axis="x", color=QUIET, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
