"""Runs held against each other, image by image (no torch)."""

from biasaudit.analysis.compare import Change, Comparison, Outcome, compare, outcome_of
from biasaudit.analysis.paired_tables import figures_of
from biasaudit.analysis.seeds import compare_seeds, worsened

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
