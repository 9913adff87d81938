"""Fields as flags: the only place that turns the name of a setting or an argument into a flag."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from biasaudit.errors import BiasAuditError

FLAGS = {
    "data.name": "--data",
    "data.object": "--object",
    "data.context": "--context",
    "data.pixel_labels": "--pixel-labels",
    "data.box_labels": "--box-labels",
    "data.image_size": "--image-size",
    "data.cache": "--cache",
    "data.on_error": "--on-error",
    "model.backbone": "--backbone",
    "model.weights": "--weights",
    "model.attention_module": "--attention-module",
    "training.mode": "--mode",
    "training.loss": "--loss",
    "training.epochs": "--epochs",
    "training.batch_size": "--batch-size",
    "training.seed": "--seed",
    "training.device": "--device",
    "training.precision": "--precision",
    "training.workers": "--workers",
    "training.log": "--log",
    "segment.threshold": "--threshold",
    "segment.background": "--background",
    "segment.weights": "--weights",
    "segment.regions": "--regions",
    "segment.seed": "--seed",
    "segment.device": "--device",
}
"""Settings that have a flag of their own; the others are written ``--set section.key=value``."""
TABLES = ("plugins",)
"""Settings outside the sections, likewise."""
SEGMENT = "segment"
"""The section whose flags belong to the verbs of that name: elsewhere ``--weights`` and ``--seed``
are settings of a training."""
SET = "--set"


def flags_of(options: Collection[str], group: str | None) -> Mapping[str, str]:
    """Return the settings that have a flag of their own on a verb.

    Args:
        options: What the verb takes. Where ``--set`` is among them, it gives the other settings.
        group: What the verb stands under, such as ``segment``.
    """
    if SET not in options:
        return FLAGS
    return {
        field: flag
        for field, flag in FLAGS.items()
        if flag in options and (group == SEGMENT or not field.startswith(f"{SEGMENT}."))
    }


def as_flag(field: str, valued: bool, flags: Mapping[str, str] = FLAGS) -> str:
    """Write a field as a user of the command line does.

    Args:
        field: A setting by its dotted name, or an argument: ``max_gap`` is ``--max-gap``.
        valued: Whether its value follows.
        flags: Of the settings that have one.

    Returns:
        ``--pixel-labels `` or ``--set data.options.folder=`` where a value follows; else the same
        without what joins it to the value.
    """
    if ("." in field or field in TABLES) and field not in flags:
        return f"{SET} {field}" + "=" * valued
    return flags.get(field, "--" + field.replace("_", "-")) + " " * valued


def message_of(error: BiasAuditError) -> str:
    """Return an error's message, its fields as flags."""
    return error.written(as_flag)[0]


def complaint(error: BiasAuditError) -> str:
    """Return an error's message and hint in one line, its fields as flags."""
    return "; ".join(filter(None, error.written(as_flag)))
