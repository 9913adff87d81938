"""What every plot of the report shares: axes, intervals, legends, descriptions."""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from biasaudit.report.drawing.svg import INK, QUIET, inline
from biasaudit.report.format import Estimate, figure

WIDTH = 5.2
LABEL_LENGTH = 30


def new_axes(height: float) -> tuple[Figure, Axes]:
    """Return a figure of the report's width and its axes, both transparent."""
    drawn = Figure(figsize=(WIDTH, height), layout="constrained")
    drawn.patch.set_alpha(0)
    axes = drawn.add_subplot()
    axes.patch.set_alpha(0)
    return drawn, axes


def finish(drawn: Figure, prefix: str, description: str) -> Markup:
    """Return a drawn figure as inline SVG; see :func:`biasaudit.report.drawing.svg.inline`."""
    with warnings.catch_warnings():
        # The browser draws the text: a glyph that matplotlib's font lacks is no fault.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        warnings.filterwarnings("ignore", message="constrained_layout not applied")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        return inline(drawn, prefix, description)


def draw_interval(
    axes: Axes, at: float, estimate: Estimate, colour: str, *, vertical: bool
) -> None:
    """Draw the interval of an estimate as a line across its marker."""
    if estimate.low is None or estimate.high is None:
        return
    line = [at, at], [estimate.low, estimate.high]
    axes.plot(*(line if vertical else line[::-1]), color=colour, linewidth=1.4, zorder=2)


def height_of(runs: int, legend_rows: int) -> float:
    """Return the height in inches of a chart with one band a run."""
    return 0.75 + 0.2 * legend_rows + 0.44 * runs


def shift_of(number: int, count: int, width: float) -> float:
    """Return the offset that spreads ``count`` markers over ``width`` of a band."""
    return 0.0 if count < 2 else width * (number / (count - 1) - 0.5)


def draw_constant(axes: Axes, constant_baseline: float | None, direction: str) -> None:
    """Draw what a constant answer scores, where it is known."""
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


def run_axis(axes: Axes, labels: Sequence[str]) -> None:
    """Let the vertical axis name the runs, the first one on top."""
    axes.set_yticks(range(len(labels)), [short(label) for label in labels])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def percent_axis(axes: Axes, which: str, label: str) -> None:
    """Let an axis run from 0 to 100%."""
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


def legend(drawn: Figure, columns: int) -> None:
    """Put the legend above the axes."""
    drawn.legend(
        loc="outside upper left",
        frameon=False,
        fontsize=9,
        ncols=columns,
        handlelength=1.6,
        columnspacing=1.6,
        borderaxespad=0.2,
    )


def short(text: str) -> str:
    """Return a label that fits: no control or direction characters, cut to length."""
    plain = "".join(c for c in text if unicodedata.category(c)[0] != "C").strip() or "–"
    return plain if len(plain) <= LABEL_LENGTH else plain[: LABEL_LENGTH - 1] + "…"


def describe(series: Sequence[tuple[str, Sequence[Estimate]]], labels: Sequence[str]) -> str:
    """Return the figures of a chart in words, for those who do not see it."""
    return " ".join(
        f"{label}: "
        + ", ".join(f"{name} {figure(entries[place])}" for name, entries in series)
        + "."
        for place, label in enumerate(labels)
    )
