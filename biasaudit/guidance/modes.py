"""Modes: named lists of weighted terms, and what a run makes of them.

The table of modes is read without torch; the terms are imported when a run needs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from biasaudit.config import Settings
from biasaudit.errors import ConfigError, named_field, near_names
from biasaudit.registry import Registry

if TYPE_CHECKING:
    from biasaudit.guidance.terms import Term, TermOptions

TermTable = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Mode:
    """A way to train.

    Attributes:
        summary: One line for ``biasaudit list modes``.
        terms: Options by term name; what is not said is the term's default.
        balanced: Draw the four groups of object and context equally often; this reads the context
            label of every training image.
        head_epochs: Then train the head alone for so many epochs, on balanced groups.
    """

    summary: str
    terms: TermTable
    balanced: bool = False
    head_epochs: int = 0

    @property
    def reads_context(self) -> bool:
        """Whether training needs to know which images show the context."""
        return self.balanced or self.head_epochs > 0


MODES: Registry[Mode] = Registry("mode")

MODES.add("baseline", Mode("image-level labels alone", {"classification": {}}))
MODES.add(
    "gain",
    Mode(
        "GAIN: the network's own attention mined (Li et al. 2018, Eq. 6)",
        {"classification": {}, "mining": {"weight": 1.0}},
    ),
)
MODES.add(
    "gain_ext",
    Mode(
        "GAIN_ext: GAIN, and attention matched to N labelled regions (Eq. 8)",
        {"classification": {}, "mining": {"weight": 1.0}, "external": {"weight": 10.0}},
    ),
)
MODES.add(
    "evidence",
    Mode(
        "signed evidence matched to N labelled regions, and to nothing where a class is absent",
        {"classification": {}, "evidence": {"weight": 1.0}, "absent": {"weight": 1.0}},
    ),
)
MODES.add(
    "energy",
    Mode(
        "rival: the energy of Grad-CAM outside N labelled regions (Rao et al. 2023)",
        {"classification": {}, "energy": {"weight": 0.3}},
    ),
)
MODES.add(
    "rrr",
    Mode(
        "rival: input gradients outside N labelled regions (RRR, Ross et al. 2017)",
        {"classification": {}, "input_gradient": {"weight": 0.003}},
    ),
)
MODES.add(
    "upweight",
    Mode(
        "rival: the scarce groups of object and context as often as the others",
        {"classification": {}},
        balanced=True,
    ),
)
MODES.add(
    "last_layer",
    Mode(
        "rival: the baseline, then its last layer on balanced groups (Kirichenko et al. 2023)",
        {"classification": {}},
        head_epochs=3,
    ),
)
MODES.add(
    "edited",
    Mode(
        "rival: edited pairs of N labelled images alone: pasted elsewhere, yes; removed, no",
        {"classification": {}, "edited": {"weight": 10.0}},
    ),
)
MODES.add(
    "counterfactual",
    Mode(
        "evidence, and training on edited pairs of the same N labelled images",
        {
            "classification": {},
            "evidence": {"weight": 1.0},
            "absent": {"weight": 1.0},
            "edited": {"weight": 10.0},
        },
    ),
)


@dataclass(frozen=True)
class ActiveTerm:
    """A term of the run at hand, with its validated options."""

    name: str
    term: Term[Any]
    options: TermOptions


def active_terms(settings: Settings) -> list[ActiveTerm]:
    """Return the terms of the configured mode, with the configured options over the mode's.

    Raises:
        ConfigError: Unknown mode, term or option; options for a term that the mode lacks.
    """
    mode, table = settings.training.mode, mode_of(settings).terms
    for name in settings.terms:
        if name not in table:
            raise ConfigError(
                f"terms.{name}: mode '{mode}' has no such term",
                near_names(name, table),
                field=f"terms.{name}",
            )
    return [
        _active(name, {**options, **settings.terms.get(name, {})})
        for name, options in table.items()
    ]


def mode_of(settings: Settings) -> Mode:
    """Return the configured mode: one that the settings define, or a registered one.

    Raises:
        ConfigError: There is none of that name.
    """
    name = settings.training.mode
    if name in settings.modes:
        return Mode("defined in the settings", settings.modes[name])
    if name not in MODES:
        raise ConfigError(
            f"{named_field('training.mode', name)}: unknown mode",
            near_names(name, [*MODES, *settings.modes]),
        )
    return MODES[name]


def _active(name: str, options: Mapping[str, Any]) -> ActiveTerm:
    from biasaudit.guidance.built_in import TERMS

    known = TERMS[name]
    try:
        return ActiveTerm(name, known, known.options.model_validate(options))
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        if first["type"] == "extra_forbidden":
            raise ConfigError(
                f"terms.{name}.{key}: no such option",
                near_names(key, known.options.model_fields),
                field=f"terms.{name}.{key}",
            ) from None
        raise ConfigError(
            f"terms.{name}.{key}: {first['msg']}", field=f"terms.{name}.{key}"
        ) from None
