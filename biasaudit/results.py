"""What an audit found: versioned, JSON in and out, readable without torch.

Three files hold one run's results, side by side in its folder:

- ``results.json``: figures with intervals (:class:`Results`), the shape that
  ``biasaudit evaluate --json`` prints;
- ``per_image.csv``: one row an image (:data:`PER_IMAGE_COLUMNS`), from which every figure can be
  recomputed;
- ``gallery.npz``: the small pictures and attention maps that a report shows (:class:`Gallery`).

A value that does not exist is None here and null in JSON, never 0 or -1.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from biasaudit.errors import RunError

FORMAT_VERSION = 1
RESULTS_FILE = "results.json"
PER_IMAGE_FILE = "per_image.csv"
PAIRS_FILE = "pairs.csv"
GALLERY_FILE = "gallery.npz"

PER_IMAGE_COLUMNS = (
    "split",  # "biased-boat", "val"
    "cell",  # "boat-without-water"; empty outside the split's cells
    "id",  # the sample's id
    "label",  # 1: the object is there, 0: it is not
    "score",  # raw score (logit) of the object
    "decision",  # 1 where score > 0
    "correct",  # 1 where decision equals label
    "energy_pointing_game",  # NaN where the image has no region or the map is all zero
    "iou",  # at 20% of the map's maximum; NaN likewise
    "area_fraction",  # of the region; NaN where there is none
    "context",  # 1: the suspected context is there, 0: it is not; NaN where nobody said
    "pointing_game",  # 1 where the map's maximum lies inside the region; NaN as above
    "pixel_average_precision",  # of the map as a score for the region's pixels; NaN as above
    "context_energy",  # share of the attention on the context's region; NaN where it has none
    "context_area",  # share of the image inside the context's region; NaN where it has none
    "pair",  # id of the image that this one is an edited version of; empty for one as it is
    "corner",  # right or wrong answer, attention on or off the object: "right-off", "unmeasured"
    "decision_fitted",  # 1 where score > the fitted threshold; NaN where there is none
)
_TEXTS = ("split", "cell", "id", "pair", "corner")
REQUIRED_COLUMNS = PER_IMAGE_COLUMNS[:10]
"""What every per-image table has; the columns after these came later and may be missing."""

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


class AttentionOverlap(_Model):
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
    accuracy_fitted: float | None = None
    accuracy_fitted_ci: Interval | None = None


class Cell(_Answers):
    """One counterfactual cell: images that share one right answer."""

    answer: bool | None = None
    attention: AttentionOverlap = Field(default_factory=AttentionOverlap)


class Overall(_Answers):
    """A whole split.

    Attributes:
        accuracy: Mean of the cells' accuracies where the split has cells (the paper's Table 4),
            else the share of right answers.
        accuracy_fitted: The same where a yes is a score above the fitted threshold, not above 0.
            Its interval takes the threshold as given.
        auroc: Probability that an image with the object scores above one without.
        floor: Accuracy of the best constant answer.
    """

    auroc: float | None = None
    auroc_ci: Interval | None = None
    floor: float | None = None
    attention: AttentionOverlap = Field(default_factory=AttentionOverlap)


class Split(_Model):
    """A set of cells and what they come to together.

    ``evaluate`` adds, where they exist, ``verdict`` (docs/verdict.md), ``corners`` (counts of the
    four corners by cell) and ``faithfulness``.
    """

    overall: Overall
    cells: dict[str, Cell] = Field(default_factory=dict)


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


def read_results(path: Path) -> Results:
    """Read a results file, or the one in a run's folder.

    Raises:
        RunError: There is none, it is not JSON of this format, or a newer version wrote it.
    """
    file = path / RESULTS_FILE if path.is_dir() else path
    try:
        results = Results.model_validate_json(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(
            f"{path}: no {RESULTS_FILE} there", "run 'biasaudit evaluate' on it"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{file}: cannot be read ({error})") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise RunError(
            f"{file}: not a results file ({where}: {first['msg']})",
            "give a results.json that 'biasaudit evaluate' wrote",
        ) from None
    if results.format_version > FORMAT_VERSION:
        raise RunError(
            f"{file}: format_version {results.format_version} is newer than {FORMAT_VERSION}",
            "update biasaudit",
        )
    return results


def merge(parts: Iterable[Results]) -> Results:
    """Put the runs of several results into one, in order."""
    return Results(runs=[run for part in parts for run in part.runs])


def write_per_image(table: pd.DataFrame, file: Path) -> None:
    """Write the per-image table; columns as in :data:`PER_IMAGE_COLUMNS`."""
    write_atomic(file, table.to_csv(index=False, float_format="%.8g").encode())


def read_per_image(file: Path) -> pd.DataFrame:
    """Read a per-image table; columns that an older version did not write are NaN.

    Raises:
        RunError: The file lacks a column that every version writes.
    """
    table = pd.read_csv(
        file,
        dtype=dict.fromkeys(_TEXTS, str),
        keep_default_na=False,
        na_values=[""],
    )
    table = table.fillna(dict.fromkeys(_TEXTS, ""))
    missing = [column for column in REQUIRED_COLUMNS if column not in table]
    if missing:
        raise RunError(f"{file}: no column '{missing[0]}'", "evaluate the run again")
    later = [column for column in PER_IMAGE_COLUMNS if column not in table]
    return table.assign(**{column: "" if column in _TEXTS else math.nan for column in later})


@dataclass(frozen=True)
class Gallery:
    """What a report shows of single images, in the order of ``ids``.

    Attributes:
        ids: (N,) sample ids.
        images: (N, S, S, 3) uint8 RGB thumbnails.
        maps: (N, h, w) uint8 attention of the audited object, each scaled by its own maximum
            (0 to 255), at the resolution of the attention layer or finer.
        regions: (N, S, S) bool, the object's region; all False where there is none.
    """

    ids: NDArray[np.str_]
    images: NDArray[np.uint8]
    maps: NDArray[np.uint8]
    regions: NDArray[np.bool_]

    def save(self, file: Path) -> None:
        """Write the gallery as a compressed npz file."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            ids=self.ids,
            images=self.images,
            maps=self.maps,
            regions=np.packbits(self.regions, axis=-1),
        )
        write_atomic(file, buffer.getvalue())

    @classmethod
    def load(cls, file: Path) -> Gallery:
        """Read a gallery that :meth:`save` wrote."""
        with np.load(file, allow_pickle=False) as data:
            width = data["images"].shape[2]
            regions = np.unpackbits(data["regions"], axis=-1, count=width).astype(bool)
            return cls(data["ids"], data["images"], data["maps"], regions)


def write_atomic(file: Path, content: bytes) -> None:
    """Write a file whole or not at all: to a neighbour first, then renamed over it."""
    partial = file.with_name(file.name + ".partial")
    partial.write_bytes(content)
    partial.replace(file)
