"""Rows to figures: every answer has one function here, and nobody else computes it (no torch)."""

from biasaudit.analysis.compare import Change, Comparison, Outcome, compare, outcome_of
from biasaudit.analysis.figures import Question, figures, questions_of
from biasaudit.analysis.harm import ClassHarm, class_harm, harm_sentence
from biasaudit.analysis.paired_tables import figures_of
from biasaudit.analysis.seeds import compare_seeds, worsened
from biasaudit.analysis.versus import Comparisons, compare_audits, shared_splits, worse_pairs

__all__ = [
    "Change",
    "ClassHarm",
    "Comparison",
    "Comparisons",
    "Outcome",
    "Question",
    "class_harm",
    "compare",
    "compare_audits",
    "compare_seeds",
    "figures",
    "figures_of",
    "harm_sentence",
    "outcome_of",
    "questions_of",
    "shared_splits",
    "worse_pairs",
    "worsened",
]
