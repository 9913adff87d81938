"""Typed figures of an audit, as results.json holds them.

A value that does not exist is None here and null in JSON, never 0 or -1.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

FORMAT_VERSION = 1
Interval = tuple[float, float]
VerdictKind = Literal["biased", "no_bias_shown", "cannot_tell"]
Agreement = Literal["agrees", "disagrees", "unknown"]
Evidence = Literal["same-subset groups", "edited pairs", "none"]
Answer = Literal["yes", "no"]
Alignment = Literal["aligned", "conflicting"]


class Record(BaseModel):
    """Figures as a file has them; unknown keys are kept, for a newer minor version may add some."""

    model_config = ConfigDict(extra="allow", validate_assignment=True)

    @field_validator("*", mode="before")
    @classmethod
    def _nan_is_none(cls, value: Any) -> Any:
        if isinstance(value, float) and math.isnan(value):
            return None
        if isinstance(value, tuple | list) and any(
            isinstance(v, float) and math.isnan(v) for v in value
        ):
            return None
        return value

    def to_json(self) -> str:
        """Return indented JSON text; the same figures give the same text."""
        data = self.model_dump(mode="json")
        return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


class MetricMean(Record):
    """A plug-in's localization metric, averaged over the images that it could measure.

    Attributes:
        mean: In the metric's own unit.
        mean_ci: Its 95% interval over images.
        n: How many they are.
    """

    mean: float | None = None
    mean_ci: Interval | None = None
    n: int = 0


class Localization(Record):
    """Overlap of the object's attention with its region, averaged over the valid images.

    Attributes:
        energy_pointing_game: Share of the attention that falls inside the region, in [0, 1].
        iou: Intersection over union of the region and the map at 20% of its maximum.
        area_fraction: Share of the image inside the region: what a uniform map would score as
            energy pointing game.
        n_valid: Images with a region and a map that is not all zero.
        pointing_game: Share of the images whose map has its maximum inside the region.
        pixel_average_precision: Of the map as a score for "this pixel is in the region".
        context_energy: Share of the attention on the suspected context, where it has a region.
        context_area: Share of those images inside the context.
        context_n: How many they are.
        metrics: Metrics of plug-ins, by name; without those that could measure no image.
    """

    energy_pointing_game: float | None = None
    energy_pointing_game_ci: Interval | None = None
    iou: float | None = None
    iou_ci: Interval | None = None
    area_fraction: float | None = None
    n_valid: int = 0
    pointing_game: float | None = None
    pixel_average_precision: float | None = None
    context_energy: float | None = None
    context_energy_ci: Interval | None = None
    context_area: float | None = None
    context_n: int = 0
    metrics: dict[str, MetricMean] = Field(default_factory=dict)


class Quadrants(Record):
    """Counts of right or wrong answers, with the attention on or off the object.

    Attributes:
        right_on: Right answer, attention on the object.
        right_off: Right for the wrong reason.
        wrong_on: Wrong although the attention is on the object.
        wrong_off: Wrong, attention elsewhere.
        right_no_map: Right answer; the image has a region, its map is zero everywhere.
        wrong_no_map: Likewise, wrong answer.
        right_no_region: Right answer; the image has no region of the object.
        wrong_no_region: Likewise, wrong answer.
    """

    right_on: int = 0
    right_off: int = 0
    wrong_on: int = 0
    wrong_off: int = 0
    right_no_map: int = 0
    wrong_no_map: int = 0
    right_no_region: int = 0
    wrong_no_region: int = 0


class FlipRate(Record):
    """How often an edit turned one answer into the other.

    Attributes:
        turned: Pairs whose answer turned.
        n: Pairs that gave the first answer before the edit.
        rate: Their share; None where n is 0.
        rate_ci: Its 95% Wilson interval.
    """

    turned: int = 0
    n: int = 0
    rate: float | None = None
    rate_ci: Interval | None = None


class FlipRates(Record):
    """Both directions for one group of edited images.

    Attributes:
        without: Images whose original is not among those audited.
    """

    yes_to_no: FlipRate = Field(default_factory=FlipRate)
    no_to_yes: FlipRate = Field(default_factory=FlipRate)
    without: int = 0


class Faithfulness(Record):
    """Mean fall of the object's probability as parts of its images are erased.

    Attributes:
        fall_attention: From erasing what the attention marks; None where no image has a map.
        fall_random: From erasing as many random pixels.
        fall_region: From erasing the object's region; None where no image has one.
        fall_context: From erasing the context's region; None likewise.
        excess: How much farther attention lets the probability fall than random pixels do.
        excess_ci: Its 95% interval over images.
        n: Images with a map.
        n_regions: Images with a region.
        decides: Whether the decision is shown to depend on what the attention marks: the interval
            of the excess lies above 0.
        deletion_curve: Mean probability while pixels vanish, the most attended first.
        deletion_area: Area under it.
        insertion_curve: Mean probability while an empty image fills up in that order.
        insertion_area: Area under it.
    """

    fall_attention: float | None = None
    fall_random: float | None = None
    fall_region: float | None = None
    excess: float | None = None
    excess_ci: Interval | None = None
    n: int = 0
    n_regions: int = 0
    decides: bool = False
    fall_context: float | None = None
    deletion_curve: list[float | None] | None = None
    deletion_area: float | None = None
    insertion_curve: list[float | None] | None = None
    insertion_area: float | None = None


class Answered(Record):
    """Right answers among the images of one group."""

    right: int
    n: int


class AnswerEffect(Record):
    """The effect of the context among images of one right answer.

    Attributes:
        effect: Share of yes answers with the context less that without it, in [-1, 1].
        effect_ci: Its interval.
        p_value: Two-sided, of the permutation test of the context.
        n_with: Images (versions) with the context.
        n_without: Images (versions) without it.
    """

    effect: float
    effect_ci: Interval
    p_value: float
    n_with: int
    n_without: int


class PairEvidence(Record):
    """What edited pairs say: versions of one image that differ in the context.

    Attributes:
        effect: Mean of the two answers' effects over the images that have all four versions; where
            there is none, the effect of the one answer that has pairs; None without any.
        effect_ci: Its interval.
        p_value: Exact test that swaps the context within each image, both answers together.
        by_answer: Effect of each answer that has pairs, keys "yes" and "no".
        n: Images of ``effect``.
        versions: Right answers and versions, over all versions that entered.
        follow_context: Images that say yes without the object in the context, and no with the
            object outside it, in versions edited in different ways.
        follow_object: Images that answer both of these versions rightly.
        follow_p: Exact sign test of the two against each other; None without such versions.
    """

    effect: float | None = None
    effect_ci: Interval | None = None
    p_value: float | None = None
    by_answer: dict[Answer, AnswerEffect] = Field(default_factory=dict)
    n: int = 0
    versions: Answered = Field(default_factory=lambda: Answered(right=0, n=0))
    follow_context: int = 0
    follow_object: int = 0
    follow_p: float | None = None


class Shift(Record):
    """How much the subsets differ where the context points to the right answer.

    Attributes:
        reference: Accuracy on the bias-aligned groups of val, the mean of the two.
        audited: The same on test.
        difference: ``audited`` less ``reference``.
        difference_ci: Its interval.
    """

    reference: float
    audited: float
    difference: float
    difference_ci: Interval


def known_from(margin: float) -> float:
    """Return the mean accuracy above which a model is taken to know the object.

    The object itself then moves the share of yes answers by more than four margins.
    """
    return 0.5 + 2 * margin


class Verdict(Record):
    """What an audit concludes on one object and one context (docs/verdict.md).

    Attributes:
        kind: One of three.
        headline: As a report prints it, such as "biased by water".
        reason: One sentence with the figures that decided.
        evidence: What decided: images as they are, all four groups from one subset and source;
            edited pairs; or nothing.
        effect: How much oftener the model says yes with the context than without it, the mean over
            the two right answers; None where no evidence gives it.
        effect_ci: Its interval.
        p_value: Two-sided, of the permutation test of the context.
        by_answer: The effect of each right answer, keys "yes" (the object is there) and "no".
        accuracy_ci: Interval of the mean accuracy of the four groups (versions), in the subset
            where it is lowest; see :attr:`knows_object`. None without evidence.
        groups: Right answers and images of the four groups that entered the effect.
        strata: Subsets (and sources) that entered.
        left_out: Number of images by the reason for which they did not.
        pairs: What edited pairs say, whether they decided or not; None without any.
        shift: Accuracy on val against test where the context points to the right answer; None
            where one of them lacks such images.
        margin: The smallest effect that counts.
        level: Confidence level of the intervals; the tests' size is half of what is left.
        images_needed: Images a group at which the rates seen would decide; None where they would
            not, or where the verdict stands already.
        attention: Whether the attention speaks for a bias; it is told, and decides nothing.
        object_excess: Attention on the object beyond what a uniform map puts there, mean over the
            images of the object without its context.
        object_excess_ci: Its interval.
        context_excess: The same for the context, over its images without the object.
        context_excess_ci: Its interval.
        note: What a reader must know of the groups, else empty.
    """

    kind: VerdictKind
    headline: str
    reason: str
    evidence: Evidence = "none"
    effect: float | None = None
    effect_ci: Interval | None = None
    p_value: float | None = None
    by_answer: dict[Answer, AnswerEffect] = Field(default_factory=dict)
    accuracy_ci: Interval | None = None
    groups: dict[str, Answered] = Field(default_factory=dict)
    strata: tuple[str, ...] = ()
    left_out: dict[str, int] = Field(default_factory=dict)
    pairs: PairEvidence | None = None
    shift: Shift | None = None
    margin: float
    level: float
    images_needed: int | None = None
    attention: Agreement = "unknown"
    object_excess: float | None = None
    object_excess_ci: Interval | None = None
    context_excess: float | None = None
    context_excess_ci: Interval | None = None
    note: str = ""

    def __str__(self) -> str:
        """Return one line: the headline, and the interval of the effect that decided."""
        if self.effect_ci is None:
            return self.headline
        low, high = self.effect_ci
        span = f"{100 * low:+.1f} to {100 * high:+.1f} points"
        if self.headline.endswith(")"):
            return f"{self.headline[:-1]}; {span})"
        return f"{self.headline} ({span})"

    @property
    def largest_effect(self) -> tuple[float, Interval] | None:
        """The effect of the right answer where it is larger: two opposite ones never cancel."""
        found = [(one.effect, one.effect_ci) for one in self.by_answer.values()]
        return max(found, key=lambda one: abs(one[0])) if found else None

    @property
    def knows_object(self) -> bool:
        """Whether the model is shown to know the object, well enough to be acquitted.

        The object itself must move the share of yes answers by more than four margins, that is,
        mean accuracy lie above .5 by more than two: the lack of an effect of the context says
        nothing of a model that hardly answers to anything.
        """
        return self.accuracy_ci is not None and self.accuracy_ci[0] > known_from(self.margin)


class OperatingPointRecord(Record):
    """Temperature and threshold of the audited object, and where they come from.

    Attributes:
        fitted_in: ``training``, or ``evaluation`` where the model brought none.
        subset: The subset that it was fitted on.
        n: Images that it was fitted on.
        positives: Those among them that have the object.
        temperature: Score units that change the log-odds by one; None where there is no point.
        threshold: The score at even odds; None likewise.
        nll_raw: Mean negative log-likelihood, in nats, under sigmoid(score).
        nll_fitted: The same under the fitted probabilities.
        note: Why there is no operating point, else empty.
    """

    fitted_in: str
    subset: str
    n: int
    positives: int
    temperature: float | None = None
    threshold: float | None = None
    nll_raw: float | None = None
    nll_fitted: float | None = None
    note: str = ""


class _Answers(Record):
    n: int
    accuracy: float | None = None
    accuracy_ci: Interval | None = None
    accuracy_at_operating_point: float | None = None
    accuracy_at_operating_point_ci: Interval | None = None


class Group(_Answers):
    """One group of object and context: images that share one right answer.

    Attributes:
        answer: The right answer: whether the object is there.
        alignment: Whether the context points to the right answer (bias-aligned) or to the wrong
            one (bias-conflicting); None for edited images that are there to be compared with
            others alone.
        n_training: Training images of this group; None where the context is not annotated on
            all training images, or the model was trained elsewhere.
    """

    answer: bool | None = None
    alignment: Alignment | None = None
    n_training: int | None = None
    attention: Localization = Field(default_factory=Localization)


class Overall(_Answers):
    """A whole split.

    Attributes:
        accuracy: Mean of the bias-conflicting groups' accuracies where the split has groups (the
            paper's Table 4), else the share of right answers.
        accuracy_at_operating_point: The same where a yes is a score above the fitted threshold,
            not above 0. Its interval takes the threshold as given.
        auroc: Probability that an image with the object scores above one without; of the
            bias-conflicting groups, where there are groups.
        constant_baseline: Accuracy of the best constant answer; likewise.
        worst_group_accuracy: The smallest of the accuracies of all groups, the aligned ones among
            them; None where there are none.
        weighted_accuracy: Mean of all groups' accuracies, each weighted by its share of the
            training images (WILDS' average); None where those are not known.
    """

    auroc: float | None = None
    auroc_ci: Interval | None = None
    constant_baseline: float | None = None
    worst_group_accuracy: float | None = None
    weighted_accuracy: float | None = None
    attention: Localization = Field(default_factory=Localization)


class Split(Record):
    """A set of groups and what they come to together.

    Attributes:
        object: The object that it asks about; the run's own where None.
        context: The context that parts its groups; None for a pool.
        overall: All images together.
        groups: By name; empty for a pool.
        verdict: On object and context; None for a pool.
        quadrants: By group.
        flips: By group of edited images.
        faithfulness: Where it was measured.
        note: What a reader must know of how its images were chosen, else empty.
    """

    object: str | None = None
    context: str | None = None
    overall: Overall
    groups: dict[str, Group] = Field(default_factory=dict)
    verdict: Verdict | None = None
    quadrants: dict[str, Quadrants] = Field(default_factory=dict)
    flips: dict[str, FlipRates] = Field(default_factory=dict)
    faithfulness: Faithfulness | None = None
    note: str = ""


class GateRecord(Record):
    """A limit that was set for this audit, and whether it was kept.

    Attributes:
        name: The figure, such as "boat-without-water.accuracy".
        passed: Whether the limit was kept.
        line: The figure, its interval and the limit, in one line.
    """

    name: str
    passed: bool
    line: str


class ClassFigures(Record):
    """Decisions on one class, over the images of one subset.

    Attributes:
        n: Images of the class.
        recall: Share of them that the model says yes to; None where n is 0.
        recall_ci: Its 95% Wilson interval.
        predicted: Images that the model says yes to.
        precision: Share of those that are of the class; None where predicted is 0.
        precision_ci: Its 95% Wilson interval.
    """

    n: int = 0
    recall: float | None = None
    recall_ci: Interval | None = None
    predicted: int = 0
    precision: float | None = None
    precision_ci: Interval | None = None


class Confusion(Record):
    """Which class has the highest score, by the class that each image has.

    Attributes:
        classes: In score order; row and column i are class i.
        counts: Images, by their class (rows) and the class of the highest score (columns).
        elsewhere: Images by their class whose highest score is of a class that the dataset does
            not know.
    """

    classes: list[str]
    counts: list[list[int]]
    elsewhere: list[int]


class ClassAnswers(Record):
    """Every class's decisions on the images of one subset.

    Attributes:
        n: Images.
        classes: By class, in score order.
        top_1: Share of the images whose own class has the highest score; None unless each image
            has exactly one class.
        top_1_ci: Its 95% Wilson interval.
        confusion: None likewise.
    """

    n: int
    classes: dict[str, ClassFigures] = Field(default_factory=dict)
    top_1: float | None = None
    top_1_ci: Interval | None = None
    confusion: Confusion | None = None


class Skipped(Record):
    """Images of the dataset that were left out because they cannot be read.

    Attributes:
        n: How many.
        images: The first of them, by their ids.
    """

    n: int = Field(ge=1)
    images: list[str] = Field(default_factory=list)


class Run(Record):
    """One trained model under audit.

    Attributes:
        name: What tables call it: the folder that the user named, else mode, label budget and
            seed.
        labels_by_form: How many of the labels given are pixel masks and how many are boxes.
        settings: The resolved configuration, as the run directory records it.
        environment: Versions and machine, as the run directory records them.
        operating_point: Temperature and threshold, and on how many images of which subset they
            were fitted, in training or in this audit. None where nobody fitted any.
        classes: Recall and precision of every class, by subset: ``val``, the held-out subset, and
            whatever other whole subset was passed.
        skipped: Images that were left out; None where none was.
        weights_sha256: SHA-256 of the weights file; of the same weights as safetensors where there
            is no file.
        data: The name or folder of the audited dataset, as it loads again.
        audited_on: Day of the audit, as in 2026-11-21.
        audited_by: The program and its version.
        gates: The limits that were set, and what became of them.
    """

    name: str
    mode: str
    object: str
    context: str | None
    pixel_labels: int = 0
    box_labels: int = 0
    seed: int = 0
    backbone: str
    dataset: str
    device: str = "cpu"
    labels_by_form: dict[str, int] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)
    environment: dict[str, Any] = Field(default_factory=dict)
    operating_point: OperatingPointRecord | None = None
    splits: dict[str, Split] = Field(default_factory=dict)
    classes: dict[str, ClassAnswers] = Field(default_factory=dict)
    skipped: Skipped | None = None
    weights_sha256: str | None = None
    data: str | None = None
    audited_on: str | None = None
    audited_by: str | None = None
    gates: list[GateRecord] = Field(default_factory=list)


class Results(Record):
    """The results of one or several runs.

    Attributes:
        files: SHA-256 of each file that was written beside these results, by its name.
    """

    format_version: int = FORMAT_VERSION
    files: dict[str, str] = Field(default_factory=dict)
    runs: list[Run] = Field(default_factory=list)


def merge(parts: Iterable[Results]) -> Results:
    """Put the runs of several results into one, in order."""
    return Results(runs=[run for part in parts for run in part.runs])
