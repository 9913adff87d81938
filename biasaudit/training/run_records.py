"""The records of a run directory as they are read: typed, for a stranger may have written them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from biasaudit.data.annotation.labels import LabelChoice, LabelEntry, LabelForm, LabelUnit
from biasaudit.errors import RunError
from biasaudit.inputs.documents import first_fault, read_json
from biasaudit.inputs.files import Source
from biasaudit.statistics import OperatingPoint

_Count = Annotated[int, Field(ge=0, lt=2**31)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Name = Annotated[str, Field(min_length=1, max_length=200)]


class _Record(BaseModel):
    """Unknown keys are kept: a newer minor version may add some."""

    model_config = ConfigDict(extra="allow", frozen=True)


class RunFile(_Record):
    """``run.json``.

    Attributes:
        name: What results call the run; no path, for folders are called by it.
        classes: Object classes in score order.
        device: Kind of device that trained it.
    """

    name: _Name
    classes: tuple[_Name, ...] = Field(min_length=1)
    device: str

    @field_validator("name")
    @classmethod
    def _no_path(cls, name: str) -> str:
        if name in (".", "..") or set(name) & set("/\\\0"):
            raise ValueError("a path, not a name")
        return name

    @field_validator("classes")
    @classmethod
    def _once(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(classes)) < len(classes):
            raise ValueError("a class is named twice")
        return classes


class _Entry(_Record):
    id: str
    form: LabelForm
    object: str


class _LabelsFile(_Record):
    objects: tuple[str, ...]
    seed: _Count
    pixel_labels: _Count
    box_labels: _Count
    entries: tuple[_Entry, ...]
    by: LabelUnit = "class"


class _Point(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    n: _Count
    positives: _Count
    temperature: Annotated[_Finite, Field(gt=0)] | None = None
    threshold: _Finite | None = None
    nll_raw: _Finite | None = None
    nll_fitted: _Finite | None = None
    note: str = ""


class _PointsFile(_Record):
    classes: dict[str, _Point]


class _Chosen(_Record):
    dose: float
    strength: float


class _RepairFile(_Record):
    repaired: str
    object: str
    layer: str
    pixel_labels: _Count
    box_labels: _Count
    labels_by_form: dict[str, _Count]
    edits: dict[str, _Count]
    chosen: _Chosen
    settings: dict[str, Any]


AnyRecord = TypeVar("AnyRecord", bound=BaseModel)


def read_run_file(file: Path) -> RunFile:
    """Read ``run.json``; raises RunError where it is none."""
    return _read(file, RunFile)[0]


def read_labels(file: Path) -> LabelChoice:
    """Read ``labels.json``; raises RunError where it is none."""
    said, _ = _read(file, _LabelsFile)
    entries = tuple(LabelEntry(one.id, one.form, one.object) for one in said.entries)
    return LabelChoice(
        said.objects, said.seed, said.pixel_labels, said.box_labels, entries, said.by
    )


def read_points(file: Path) -> dict[str, OperatingPoint]:
    """Read ``operating_points.json``; raises RunError where it is none."""
    said, _ = _read(file, _PointsFile)
    return {name: OperatingPoint(**point.model_dump()) for name, point in said.classes.items()}


def read_repair(file: Path) -> dict[str, Any]:
    """Read ``repair.json``; raises RunError where it is none."""
    return _read(file, _RepairFile, "repair the model again")[1]


def read_table(file: Path) -> dict[str, Any]:
    """Read a record whose keys are free; raises RunError where it is no table."""
    return read_json(_source(file), finite=False)


def _read(file: Path, schema: type[AnyRecord], hint: str = "") -> tuple[AnyRecord, dict[str, Any]]:
    source = _source(file, hint)
    record = read_json(source, finite=False)
    try:
        return schema.model_validate(record), record
    except ValidationError as error:
        raise source.refusal(f"its records cannot be read ({first_fault(error)})") from None


def _source(file: Path, hint: str = "") -> Source:
    return Source(file, RunError, hint=hint or "train the run again")


def told_of_repair(record: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the results say of a repair; what was compared and measured stays in the run.

    Args:
        record: ``repair.json``; None of a model that was not repaired.
    """
    if record is None:
        return {}
    kept = ("repaired", "object", "layer", "edits", "settings")
    told = {key: record.get(key) for key in kept}
    names = ["dose", "strength"]
    if record.get("context_labels"):
        names.append("balance")
    if "foregrounds" in record:
        names.append("found")
        told["foregrounds"] = record["foregrounds"]
    return {"repair": {**told, "chosen": {key: record["chosen"].get(key) for key in names}}}
