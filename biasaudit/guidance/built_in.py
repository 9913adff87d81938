"""Every built-in loss term: importing this module registers them."""

from biasaudit.guidance import (  # noqa: F401 (they register their terms)
    absent,
    classification,
    edited,
    energy,
    evidence,
    external,
    input_gradient,
    mining,
)
from biasaudit.guidance.terms import TERMS

__all__ = ["TERMS"]
