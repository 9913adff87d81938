"""A loss term, and a mode that uses it."""

from torch import Tensor

from biasaudit.plugins import MODES, AttentionOptions, Mode, Step, scale_maps, term


class Smoothness(AttentionOptions):
    """Options of the term: weight, warm-up, attention method."""


@term("smoothness", Smoothness)
def smoothness(step: Step, options: Smoothness) -> Tensor:
    """Total variation of each true class's map: neighbouring cells differ little.

    Args:
        step: The batch and the model's answers.
        options: Of the term.

    Returns:
        A scalar, not yet weighted; zero, and part of the graph, where no class is present.
    """
    rows, classes = step.true_pairs
    maps = scale_maps(
        step.attention(rows, classes, method=options.method, second_order=options.second_order)
    )
    variation = maps.diff(dim=1).abs().sum() + maps.diff(dim=2).abs().sum()
    return variation / max(1, maps.numel())


MODES.add(
    "smooth",
    Mode(
        "the baseline with smooth attention maps",
        {"classification": {}, "smoothness": {"weight": 0.1}},
    ),
)
