"""biasaudit: audit image classifiers for dataset bias, and repair them by guided attention.

The public names (docs/api.md) are loaded when they are first used: ``import biasaudit`` imports
no torch.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from biasaudit.api import (
        audit,
        compare,
        load_dataset,
        load_model,
        load_run,
        repair,
        report,
        train,
    )
    from biasaudit.errors import BiasAuditError
    from biasaudit.localization.api import localize
    from biasaudit.reproduce.api import reproduce
    from biasaudit.results import Audit, Verdict
    from biasaudit.segmentation.api import (
        cues,
        evaluate_segmenter,
        export_masks,
        load_segmenter,
        segment,
        train_segmenter,
    )

_HOMES = {
    "load_dataset": "biasaudit.api",
    "load_model": "biasaudit.api",
    "load_run": "biasaudit.api",
    "train": "biasaudit.api",
    "audit": "biasaudit.api",
    "compare": "biasaudit.api",
    "repair": "biasaudit.api",
    "cues": "biasaudit.segmentation.api",
    "train_segmenter": "biasaudit.segmentation.api",
    "load_segmenter": "biasaudit.segmentation.api",
    "segment": "biasaudit.segmentation.api",
    "localize": "biasaudit.localization.api",
    "evaluate_segmenter": "biasaudit.segmentation.api",
    "export_masks": "biasaudit.segmentation.api",
    "report": "biasaudit.api",
    "reproduce": "biasaudit.reproduce.api",
    "Audit": "biasaudit.results",
    "Verdict": "biasaudit.results",
    "BiasAuditError": "biasaudit.errors",
}

__all__ = [
    "Audit",
    "BiasAuditError",
    "Verdict",
    "audit",
    "compare",
    "cues",
    "evaluate_segmenter",
    "export_masks",
    "load_dataset",
    "load_model",
    "load_run",
    "load_segmenter",
    "localize",
    "repair",
    "report",
    "reproduce",
    "segment",
    "train",
    "train_segmenter",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'biasaudit' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


class _Package(ModuleType):
    """Keeps a public name when a room of the same name is imported.

    Importing ``biasaudit.report`` binds that module to the name ``report`` of this one, and so
    would hide the function after its first call.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
