"""Intervals, paired tests, resampling, power and several comparisons (numpy and scipy only)."""

from biasaudit.statistics.figures import (
    Figure,
    auroc_of,
    difference_of,
    mean_of,
    mean_over,
    value_of,
    worst_of,
)
from biasaudit.statistics.means import mean_interval
from biasaudit.statistics.multiple import holm
from biasaudit.statistics.operating_point import OperatingPoint, fit_operating_point
from biasaudit.statistics.paired import (
    Flips,
    Paired,
    count_pairs,
    flip_rates,
    mcnemar,
    mean_paired_interval,
    paired_interval,
)
from biasaudit.statistics.power import (
    detectable,
    images_needed,
    least_shown,
    power_one,
    power_paired,
    power_two,
)
from biasaudit.statistics.ranking import auroc, auroc_interval
from biasaudit.statistics.rates import (
    Count,
    Interval,
    combined_interval,
    constant_baseline,
    gap_interval,
    mean_of_rates_interval,
    rate,
    wilson_interval,
)
from biasaudit.statistics.resampling import Resampled, bootstrap, bootstrap_each
from biasaudit.statistics.seeds import SeedLevels, mean_over_seeds

__all__ = [
    "Count",
    "Figure",
    "Flips",
    "Interval",
    "OperatingPoint",
    "Paired",
    "Resampled",
    "SeedLevels",
    "auroc",
    "auroc_interval",
    "auroc_of",
    "bootstrap",
    "bootstrap_each",
    "combined_interval",
    "constant_baseline",
    "count_pairs",
    "detectable",
    "difference_of",
    "fit_operating_point",
    "flip_rates",
    "gap_interval",
    "holm",
    "images_needed",
    "least_shown",
    "mcnemar",
    "mean_interval",
    "mean_of",
    "mean_of_rates_interval",
    "mean_over",
    "mean_over_seeds",
    "mean_paired_interval",
    "paired_interval",
    "power_one",
    "power_paired",
    "power_two",
    "rate",
    "value_of",
    "wilson_interval",
    "worst_of",
]
