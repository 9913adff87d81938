"""Files of an audit: their names, the per-image table, whole or not at all."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
from pydantic import ValidationError

from biasaudit.errors import RunError
from biasaudit.results.schema import FORMAT_VERSION, Results

RESULTS_FILE = "results.json"
PER_IMAGE_FILE = "per_image.csv"
PAIRS_FILE = "pairs.csv"
GALLERY_FILE = "gallery.npz"
PER_IMAGE_COLUMNS = (
    "split",  # "biased-boat", "val"
    "group",  # "boat-without-water"; empty outside the split's groups
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
    "quadrant",  # right or wrong answer, attention on or off the object: "right-off", "unmeasured"
    "decision_at_operating_point",  # 1 where score > the fitted threshold; NaN where there is none
)
_TEXTS = ("split", "group", "id", "pair", "quadrant")
REQUIRED_COLUMNS = PER_IMAGE_COLUMNS[:10]
"""What every per-image table has; the columns after these came later and may be missing."""


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


def write_atomic(file: Path, content: bytes) -> None:
    """Write a file whole or not at all: to a neighbour first, then renamed over it."""
    partial = file.with_name(file.name + ".partial")
    partial.write_bytes(content)
    partial.replace(file)
