"""Typed figures of an audit, as results.json holds them.

A value that does not exist is None here and null in JSON, never 0 or -1.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

FORMAT_VERSION = 1
Interval = tuple[float, float]


class _Model(BaseModel):
    """Unknown keys are kept: a newer minor version may add some."""

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


class Localization(_Model):
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


class _Answers(_Model):
    n: int
    accuracy: float | None = None
    accuracy_ci: Interval | None = None
    accuracy_at_operating_point: float | None = None
    accuracy_at_operating_point_ci: Interval | None = None


class Group(_Answers):
    """One counterfactual group: images that share one right answer."""

    answer: bool | None = None
    attention: Localization = Field(default_factory=Localization)


class Overall(_Answers):
    """A whole split.

    Attributes:
        accuracy: Mean of the groups' accuracies where the split has groups (the paper's Table 4),
            else the share of right answers.
        accuracy_at_operating_point: The same where a yes is a score above the fitted threshold,
            not above 0. Its interval takes the threshold as given.
        auroc: Probability that an image with the object scores above one without.
        constant_baseline: Accuracy of the best constant answer.
    """

    auroc: float | None = None
    auroc_ci: Interval | None = None
    constant_baseline: float | None = None
    attention: Localization = Field(default_factory=Localization)


class Split(_Model):
    """A set of groups and what they come to together.

    ``evaluate`` adds, where they exist, ``verdict`` (docs/verdict.md), ``quadrants`` (counts of the
    four quadrants by group) and ``faithfulness``.
    """

    overall: Overall
    groups: dict[str, Group] = Field(default_factory=dict)


class Run(_Model):
    """One trained model under audit.

    Attributes:
        name: Mode, label budget and seed: the same settings give the same name.
        labels_by_form: How many of the labels given are pixel masks and how many are boxes.
        settings: The resolved configuration, as the run directory records it.
        environment: Versions and machine, as the run directory records them.
        operating_point: Temperature and threshold, and on how many images of which subset they
            were fitted, in training or in this audit. None where nobody fitted any.
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
    operating_point: dict[str, Any] | None = None
    splits: dict[str, Split] = Field(default_factory=dict)


class Results(_Model):
    """The results of one or several runs."""

    format_version: int = FORMAT_VERSION
    runs: list[Run] = Field(default_factory=list)

    def to_json(self) -> str:
        """Return the results as indented JSON text; the same results give the same text."""
        data = self.model_dump(mode="json")
        return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def merge(parts: Iterable[Results]) -> Results:
    """Put the runs of several results into one, in order."""
    return Results(runs=[run for part in parts for run in part.runs])
