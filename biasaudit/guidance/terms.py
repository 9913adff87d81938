"""The table of loss terms and what each of them is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError
from torch import Tensor

from biasaudit.attention.cam import METHODS
from biasaudit.errors import near_names
from biasaudit.guidance.step import Addition, Step
from biasaudit.registry import Registry


class TermOptions(BaseModel):
    """Options that every term has.

    Attributes:
        weight: Factor of the term in the total loss.
        warmup_epochs: The term is left out until so many epochs are done.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    weight: float = Field(1.0, ge=0)
    warmup_epochs: float = Field(0.0, ge=0)


class AttentionOptions(TermOptions):
    """Options of a term that looks at attention.

    Attributes:
        method: A registered attention method.
        second_order: Whether gradients flow through the channel weights w of Eq. 1 too.
    """

    method: str = "grad_cam"
    second_order: bool = False

    @field_validator("method")
    @classmethod
    def _registered(cls, method: str) -> str:
        if method not in METHODS:
            raise PydanticCustomError(
                "unknown_method",
                "unknown attention method '{name}'; {known}",
                {"name": method, "known": near_names(method, METHODS)},
            )
        return method


Options = TypeVar("Options", bound=TermOptions)


@dataclass(frozen=True)
class Term(Generic[Options]):
    """One registered loss term.

    Attributes:
        compute: A step and the options to a scalar loss, not yet weighted.
        options: The class that validates its options.
        needs_labels: Whether it spends pixel labels or boxes.
        prepare: Makes the pictures that the step's pass shall see beside the batch, where the
            term needs answers to pictures of its own.
    """

    compute: Callable[[Step, Options], Tensor]
    options: type[Options]
    needs_labels: bool = False
    prepare: Callable[[Step, Options], Addition] | None = None

    @property
    def summary(self) -> str:
        """The first line of the term's docstring."""
        return (self.compute.__doc__ or "").partition("\n")[0]


TERMS: Registry[Term[Any]] = Registry("loss term")


def term(
    name: str,
    options: type[Options],
    *,
    needs_labels: bool = False,
    prepare: Callable[[Step, Options], Addition] | None = None,
) -> Callable[[Callable[[Step, Options], Tensor]], Callable[[Step, Options], Tensor]]:
    """Register a function as the loss term ``name``."""

    def add(compute: Callable[[Step, Options], Tensor]) -> Callable[[Step, Options], Tensor]:
        TERMS.add(name, Term(compute, options, needs_labels, prepare))
        return compute

    return add
