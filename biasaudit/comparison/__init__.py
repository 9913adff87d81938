"""Runs held against each other, image by image (no torch)."""

from biasaudit.comparison.changes import Change, Comparison, Outcome, compare, outcome_of
from biasaudit.comparison.several import compare_seeds, worsened
from biasaudit.comparison.tables import figures_of

__all__ = [
    "Change",
    "Comparison",
    "Outcome",
    "compare",
    "compare_seeds",
    "figures_of",
    "outcome_of",
    "worsened",
]
