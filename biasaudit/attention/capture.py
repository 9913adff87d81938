"""Attention of any torch network at a named layer."""

from __future__ import annotations

from types import TracebackType

from torch import Tensor, nn

from biasaudit.errors import ConfigError, near_names


class CapturedLayer:
    """Record the output of one named layer while the body of a ``with`` statement runs.

    ::

        with CapturedLayer(network, "layer4") as layer:
            scores = network(images)
            maps = attention(layer.output, scores, classes)

    The hook is given back when the body ends, also when it raises. Nothing else of the network
    changes: no mode flag, no gradient setting.

    Args:
        network: Any module.
        name: Dotted name of the layer, as ``network.named_modules()`` lists it.

    Raises:
        ConfigError: The network has no layer of that name.
    """

    def __init__(self, network: nn.Module, name: str) -> None:
        modules = dict(network.named_modules())
        if not name or name not in modules:
            raise ConfigError(
                f"the network has no layer '{name}'", near_names(name, filter(None, modules))
            )
        self._layer = modules[name]
        self._output: Tensor | None = None

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

    def _keep(self, layer: nn.Module, inputs: object, output: Tensor) -> None:
        self._output = output

    @property
    def output(self) -> Tensor:
        """The (N, K, H, W) output of the layer's last call.

        Raises:
            RuntimeError: The network has not run inside the ``with`` statement.
        """
        if self._output is None:
            raise RuntimeError("the network has not been called since the layer was captured")
        return self._output
