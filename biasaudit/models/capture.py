"""The output of one named layer of any torch network."""

from __future__ import annotations

from types import TracebackType

import torch
from torch import Tensor, nn

from biasaudit.errors import ConfigError, named_field, near_names
from biasaudit.models.tokens import Grid


class CapturedLayer:
    """Record the output of one named layer while the body of a ``with`` statement runs.

    ::

        with CapturedLayer(network, "layer4") as layer:
            scores = network(images)
        maps = attention(layer.output, scores, classes)

    Where gradients are on, the graph begins at the layer: its output is a leaf that requires a
    gradient, and nothing below it is remembered for the backward pass. The network goes on with a
    copy, which it may change in place. The hook is given back when the body ends, also when it
    raises. Nothing else of the network changes: no mode flag, no gradient setting.

    Args:
        network: Any module.
        name: Dotted name of the layer, as ``network.named_modules()`` lists it.
        grid: Where the layer gives tokens, how they lie: the output is then their map, and the
            network goes on with tokens made of it.

    Raises:
        ConfigError: The network has no layer of that name.
    """

    def __init__(self, network: nn.Module, name: str, grid: Grid | None = None) -> None:
        modules = dict(network.named_modules())
        if not name or name not in modules:
            raise ConfigError(
                f"{named_field('layer', name)}: the network has no such layer",
                near_names(name, filter(None, modules)),
            )
        self.name = name
        self._layer = modules[name]
        self._output: Tensor | None = None
        self._grid = grid

    def __enter__(self) -> CapturedLayer:
        self._handle = self._layer.register_forward_hook(self._keep)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._handle.remove()

    def _keep(self, layer: nn.Module, inputs: object, output: object) -> Tensor | None:
        if not isinstance(output, Tensor):
            raise ConfigError(
                f"{named_field('layer', self.name)}: gives no tensor", "name another layer"
            )
        features = output if self._grid is None else self._grid.to_map(output)
        if not torch.is_grad_enabled():
            self._output = features
            return None
        self._output = features.detach().requires_grad_()
        if self._grid is None:
            return self._output * 1
        return self._grid.to_output(self._output, output.detach())

    @property
    def output(self) -> Tensor:
        """The output of the layer's last call.

        Raises:
            ConfigError: The network has not called it inside the ``with`` statement.
        """
        if self._output is None:
            raise ConfigError(f"{named_field('layer', self.name)}: the network does not call it")
        return self._output
