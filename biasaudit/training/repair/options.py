"""How a repair is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from biasaudit.training.repair.choose import grid
from biasaudit.training.repair.edits import EditRecipe
from biasaudit.training.repair.refit import Recipe

Tell = Callable[[str, int], None]
"""Called with what is counted (``images``, ``edits``, ``recipes``) and how many more."""


@dataclass(frozen=True)
class RepairOptions:
    """How a repair is done.

    Attributes:
        max_val_loss: How much val accuracy of the object may fall, in [0, 1].
        seed: Of edits, folds and bootstrap samples, 0 or more.
        folds: Cross-validation folds, 2 or more.
        augmented: Cropped, mirrored and recoloured copies of each training image.
        edits: How many edits, and how.
        recipes: What is compared; with one alone nothing is chosen.
        refits: How many bootstrap refits of the chosen recipe are averaged.
        softmax: Whether the logits belong to exclusive classes.
        batch_size: Images a pass.
        cache: Folder that keeps features, None for none.
        contexts: Contexts whose labels of the training images are read.
    """

    max_val_loss: float = 0.02
    seed: int = 0
    folds: int = 5
    augmented: int = 2
    edits: EditRecipe = field(default_factory=EditRecipe)
    recipes: tuple[Recipe, ...] = field(default_factory=lambda: tuple(grid()))
    refits: int = 1
    softmax: bool = False
    batch_size: int = 32
    cache: Path | None = None
    contexts: tuple[str, ...] = ()
