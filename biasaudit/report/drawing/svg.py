"""Matplotlib figures as SVG that may stand several times in one HTML page."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.figure import Figure

INK, QUIET, PAPER = "#000001", "#000002", "#000003"
SERIES = ("#000011", "#000012", "#000013", "#000014", "#000015", "#000016")
"""Stand-ins: the page's style sheet decides the colour, for light, dark and print."""

_COLOURS: Mapping[str, str] = {
    INK: "currentColor",
    QUIET: "var(--quiet)",
    PAPER: "var(--paper)",
    **{colour: f"var(--s{place})" for place, colour in enumerate(SERIES, 1)},
}

STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "biasaudit",
    "text.parse_math": False,
    "font.size": 10,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "lines.linewidth": 1.6,
}


def inline(figure: Figure, prefix: str, description: str) -> Markup:
    """Return a figure as one ``<svg>`` element for the body of a page.

    Args:
        figure: Drawn with :data:`STYLE` and the stand-in colours.
        prefix: Unique in the page; every id of the figure begins with it.
        description: What the figure shows, with its numbers, for those who do not see it.
    """
    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = _own_ids(text, prefix)
    for stand_in, colour in _COLOURS.items():
        text = text.replace(stand_in, colour)
    text = re.sub(r"font:\s*([\d.]+px)[^;\"]*", r"font-size: \1", text)
    text = re.sub(r"font-family:[^;\"]*;?\s*", "", text)
    return Markup(_head(text, description))


def _own_ids(text: str, prefix: str) -> str:
    """Drop the ids that nothing refers to, and begin the others with ``prefix``."""
    used = set(re.findall(r"url\(#([^)]+)\)", text)) | set(re.findall(r'href="#([^"]+)"', text))

    def rename(match: re.Match[str]) -> str:
        return f' id="{prefix}{match[1]}"' if match[1] in used else ""

    text = re.sub(r'\sid="([^"]*)"', rename, text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}\1)", text)
    text = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{prefix}\1"', text)
    return re.sub(r"<style[^>]*>.*?</style>\s*|<defs>\s*</defs>\s*", "", text, flags=re.DOTALL)


def _head(text: str, description: str) -> str:
    """Replace the root element's attributes: sized by its box, named for screen readers."""
    root = re.match(r"<svg[^>]*>", text)
    box = re.search(r'viewBox="([^"]+)"', text)
    if root is None or box is None:
        raise ValueError("matplotlib wrote an SVG without a root or a viewBox")
    head = f'<svg class="chart" viewBox="{box[1]}" role="img" aria-label="{escape(description)}">'
    return head + text[root.end() :]
