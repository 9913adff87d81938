"""Intervals, paired tests, resampling, power and several comparisons (numpy and scipy only)."""

from biasaudit.statistics.means import mean_interval
from biasaudit.statistics.ranking import auroc, auroc_interval
from biasaudit.statistics.rates import (
    Count,
    Interval,
    combined_interval,
    constant_floor,
    gap_interval,
    mean_of_rates_interval,
    rate,
    wilson_interval,
)

__all__ = [
    "Count",
    "Interval",
    "auroc",
    "auroc_interval",
    "combined_interval",
    "constant_floor",
    "gap_interval",
    "mean_interval",
    "mean_of_rates_interval",
    "rate",
    "wilson_interval",
]
