"""Modules that weigh the features of the last stage, by name.

The table is read without torch; a builder imports it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from biasaudit.errors import ConfigError, named_field
from biasaudit.registry import Registry

if TYPE_CHECKING:
    from torch import nn

    from biasaudit.models.classifier import Classifier

AttentionModule = Callable[[int], "nn.Module"]
"""Number of channels to a module that takes (N, C, H, W) features to such."""

ATTENTION_MODULES: Registry[AttentionModule] = Registry("attention module")
PLACE = "attention_module"
"""What the module is called inside the body."""


def _fine_grained(mixing: bool, channels: int) -> nn.Module:
    from biasaudit.models.rfga import FineGrainedAttention

    return FineGrainedAttention(channels, mixing=mixing)


ATTENTION_MODULES.add("rfga", partial(_fine_grained, False))
ATTENTION_MODULES.add("rfga_mixing", partial(_fine_grained, True))


def add_attention_module(model: Classifier, name: str) -> None:
    """Put a registered attention module behind the last stage of a classifier.

    The caller seeds torch: its first weights are drawn here.

    Args:
        model: Its body is a plain sequence of stages; changed in place.
        name: A registered module.

    Raises:
        ConfigError: There is no such module, or the body is of another kind.
    """
    import torch
    from torch import nn

    build = ATTENTION_MODULES[name]
    if not isinstance(model.body, nn.Sequential):
        raise ConfigError(
            f"{named_field('model.attention_module', name)}: the body of this backbone is no "
            "plain sequence of layers",
            "use another backbone",
        )
    training = model.training
    with torch.no_grad():
        channels = model.eval().body(torch.zeros(1, 3, 64, 64)).shape[1]
    model.body.add_module(PLACE, build(channels))
    model.train(training)
