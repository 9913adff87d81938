"""What a model costs against another: answers on val, and on images of other objects."""

from __future__ import annotations

from dataclasses import dataclass

from biasaudit.analysis.compare import Outcome, outcome_of
from biasaudit.analysis.harm import ClassHarm, class_harm
from biasaudit.analysis.paired_tables import align
from biasaudit.errors import RunError
from biasaudit.results import Audit
from biasaudit.statistics import Interval, count_pairs, mcnemar, paired_interval

VAL = "val"


@dataclass(frozen=True)
class ValCost:
    """The change of the accuracy on val, on the same images.

    Attributes:
        difference: The second model's accuracy less the first one's, in [-1, 1].
        interval: Its interval for paired images.
        n: Images.
        outcome: By McNemar's exact test.
    """

    difference: float
    interval: Interval
    n: int
    outcome: Outcome


@dataclass(frozen=True)
class Cost:
    """What is known of the cost of one model against another.

    Attributes:
        val: None where the two did not answer the same images of val.
        harm: None where other classes were not answered, or no image shows any.
    """

    val: ValCost | None
    harm: ClassHarm | None

    @property
    def shown(self) -> list[str]:
        """What is shown to be worse, a sentence each."""
        told = []
        if self.val is not None and self.val.outcome == "worse":
            lost = -100 * self.val.difference
            told.append(f"It is worse on val by {lost:.1f} points.")
        if self.harm is not None and self.harm.shown:
            pooled = self.harm.pooled
            net = pooled.worse - pooled.better
            told.append(f"It loses {net} of {pooled.n} images of other objects.")
        return told


def cost_of(first: Audit, second: Audit) -> Cost:
    """Return what the second model costs against the first."""
    try:
        harm = class_harm(first, second)
    except RunError:  # other labels: nothing to compare
        harm = None
    return Cost(_val_cost(first, second), harm)


def _val_cost(first: Audit, second: Audit) -> ValCost | None:
    if first.per_image is None or second.per_image is None:
        return None
    tables = [table[table["split"] == VAL] for table in (first.per_image, second.per_image)]
    try:
        before, after = align(*tables)
    except RunError:  # other images: nothing to compare
        return None
    pairs = count_pairs(after["correct"], before["correct"])
    outcome = outcome_of(pairs.difference, mcnemar(pairs))
    return ValCost(pairs.difference, paired_interval(pairs), pairs.n, outcome)
