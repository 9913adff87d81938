"""Where figures come from: the command that repeats a run, its settings, its environment."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from biasaudit.report.format import MISSING
from biasaudit.report.grouping import external
from biasaudit.report.view import Column
from biasaudit.results import Run

_SETTINGS = (
    ("model", "weights"),
    ("data", "image_size"),
    ("training", "epochs"),
    ("training", "batch_size"),
)
"""Settings that the command line takes by their last name."""

_EXTERNAL = ("model", "state", "classes", "layer", "normalise", "scores", "image_size")
_REPAIR = ("pixel_labels", "box_labels", "max_val_loss", "seed")
_REPAIR_NAMES = ("regions", "context_labels")
"""Lists of names, with commas."""


@dataclass(frozen=True)
class Setting:
    """One setting of every run.

    Attributes:
        key: Dotted name, ``training.epochs``.
        values: One a run, as text.
    """

    key: str
    values: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether all runs agree."""
        return len(set(self.values)) == 1


def commands(run: Run, split: str | None) -> list[str]:
    """Return the command lines that make and audit this model again, quoted for a POSIX shell.

    A repaired run is trained and repaired; an external model was not trained here, and is audited
    alone, where need be after its repair.

    Args:
        run: The model's figures.
        split: The audited split; None for the usual one.
    """
    made = train_command(run)
    # several pairs of an object share no option
    named = None if split is None or "@" in split else split
    asked: list[tuple[str, Any]] = [("split", named or None)]
    if isinstance(run.settings.get("external"), Mapping):
        *before, evaluate = made.splitlines()
        asked = [("data", run.data), ("object", run.object), ("context", run.context), *asked]
        return [*before, f"{evaluate} {_options([('name', run.name), *asked])}".strip()]
    trained_on = _at(run.settings, "data", "name") or run.dataset
    if run.data is not None and run.data != trained_on:
        asked = [("data", run.data), ("object", run.object), ("context", run.context), *asked]
    return [*made.splitlines(), _command("evaluate", asked)]


def train_command(run: Run) -> str:
    """Return the command lines that make this model again, the audit aside.

    Of an external model, the line that loads it for an audit, where need be after its repair.
    """
    loaded, repair = run.settings.get("external"), run.settings.get("repair")
    if isinstance(loaded, Mapping):
        evaluate = _command("evaluate", [(key, loaded.get(key)) for key in _EXTERNAL])
        if not isinstance(repair, Mapping):
            return evaluate
        given = [(key, loaded.get(key)) for key in _EXTERNAL if key != "state"]
        given.insert(1, ("state", repair.get("repaired")))
        given += [("data", run.data), ("object", repair.get("object"))]
        return f"{_command('repair', [*given, *_repair_options(repair)])}\n{evaluate}"
    if not isinstance(repair, Mapping):
        return _train_command(run)
    trained = run.model_copy(
        update={
            "mode": _at(run.settings, "training", "mode") or run.mode,
            "pixel_labels": _at(run.settings, "data", "pixel_labels") or 0,
            "box_labels": _at(run.settings, "data", "box_labels") or 0,
        }
    )
    given = [("run", repair.get("repaired")), *_repair_options(repair)]
    return f"{_train_command(trained)}\n{_command('repair', given)}"


def _repair_options(repair: Mapping[str, Any]) -> list[tuple[str, Any]]:
    asked = repair.get("settings")
    if not isinstance(asked, Mapping):
        return []
    given = {**asked, "box_labels": asked.get("box_labels") or None}
    for key in _REPAIR_NAMES:
        given[key] = ",".join(asked.get(key) or ()) or None
    if given.get("foregrounds") == "labelled":
        given["foregrounds"] = None  # what a repair does where nothing is said
    found = [(key, given.get(key)) for key in (*_REPAIR, *_REPAIR_NAMES, "foregrounds")]
    segment = asked.get("segment")
    return found + _assigned(_leaves(segment, "segment") if isinstance(segment, Mapping) else [])


def _train_command(run: Run) -> str:
    tree = run.settings
    given: list[tuple[str, Any]] = [
        ("data", _at(tree, "data", "name") or run.dataset),
        ("mode", run.mode),
        ("object", run.object),
        ("context", run.context),
        ("pixel_labels", run.pixel_labels),
        ("box_labels", run.box_labels or None),
        ("backbone", run.backbone),
        *((key, _at(tree, section, key)) for section, key in _SETTINGS),
        ("seed", run.seed),
    ]
    return _command("train", given + _assigned(_extra_settings(tree)))


def _assigned(settings: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return settings without an option of their own as assignments."""
    return [("set", f"{key}={json.dumps(value, ensure_ascii=False)}") for key, value in settings]


def _command(verb: str, given: Sequence[tuple[str, Any]]) -> str:
    """Return a command line; a field without a value is left out."""
    return " ".join(filter(None, ["biasaudit", verb, _options(given)]))


def _options(given: Sequence[tuple[str, Any]]) -> str:
    words = []
    for field, value in given:
        if value is not None:
            listed = isinstance(value, list | tuple)
            text = ",".join(map(str, value)) if listed else str(value)
            words += ["--" + field.replace("_", "-"), text]
    return shlex.join(words)


def settings_table(columns: Sequence[Column]) -> list[Setting]:
    """Return the resolved configuration of all runs, the differing settings first."""
    return _table([column.run.settings for column in columns])


def environment_table(columns: Sequence[Column]) -> list[Setting]:
    """Return versions and machine of all runs, the differing ones first."""
    return _table([column.run.environment for column in columns])


def facts(run: Run) -> list[str]:
    """Return mode, labels, their forms, seed, backbone and device; a dash for what is not known.

    Of a model that was trained elsewhere neither labels nor seed are known, a repair's apart.
    """
    outside = external(run)
    spent = [str(run.pixel_labels), str(run.box_labels), label_forms(run)]
    if outside and "repair" not in run.settings:
        spent = [MISSING] * 3
    seed = MISSING if outside else str(run.seed)
    return [run.mode, *spent, seed, run.backbone, run.device]


def label_forms(run: Run) -> str:
    """Return how many labels of each form the run was given, in words."""
    forms = {form: count for form, count in run.labels_by_form.items() if count}
    if not forms:
        return "none" if not run.pixel_labels + run.box_labels else "form not recorded"
    return ", ".join(
        f"{count} {form}{'' if count == 1 else 'es' if form.endswith('x') else 's'}"
        for form, count in sorted(forms.items())
    )


def _at(tree: Mapping[str, Any], section: str, key: str) -> Any:
    table = tree.get(section)
    return table.get(key) if isinstance(table, Mapping) else None


def _extra_settings(tree: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the options of the dataset and of loss terms, which have no option of their own."""
    found = [("data.options", _at(tree, "data", "options")), ("terms", tree.get("terms"))]
    return [
        leaf
        for prefix, table in found
        if isinstance(table, Mapping)
        for leaf in _leaves(table, prefix)
    ]


def _table(trees: Sequence[Mapping[str, Any]]) -> list[Setting]:
    flat = [dict(_leaves(tree)) for tree in trees]
    keys = sorted({key for leaves in flat for key in leaves})
    rows = [Setting(key, tuple(_text(leaves.get(key)) for leaves in flat)) for key in keys]
    return sorted(rows, key=lambda row: (row.same, row.key))


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return the leaves of nested tables with dotted keys."""
    leaves: list[tuple[str, Any]] = []
    for key, value in tree.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, Mapping):
            leaves += _leaves(value, name)
        else:
            leaves.append((name, value))
    return leaves


def _text(value: Any) -> str:
    if value is None:
        return MISSING
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
