"""biasaudit: audit image classifiers for dataset bias, and repair them by guided attention.

The public names (docs/api.md) are loaded when they are first used: ``import biasaudit`` imports
no torch.
"""

from __future__ import annotations

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
    from biasaudit.results import Audit, Verdict

_HOMES = {
    "load_dataset": "biasaudit.api",
    "load_model": "biasaudit.api",
    "load_run": "biasaudit.api",
    "train": "biasaudit.api",
    "audit": "biasaudit.api",
    "compare": "biasaudit.api",
    "repair": "biasaudit.api",
    "report": "biasaudit.api",
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
    "load_dataset",
    "load_model",
    "load_run",
    "repair",
    "report",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'biasaudit' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
