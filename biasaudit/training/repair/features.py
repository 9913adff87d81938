"""The last linear layer of a network, and what it is given: the features that a row weighs."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from biasaudit import processes
from biasaudit.errors import ConfigError
from biasaudit.inputs.files import is_file
from biasaudit.models.batch_norm import untouched_batch_norm
from biasaudit.models.classifier import Classifier

Features = NDArray[np.float32]
Tell = Callable[[int], None]


@dataclass(frozen=True)
class LastLayer:
    """The linear layer that gives a network's logits.

    Attributes:
        name: Dotted name within the classifier.
        layer: The layer itself, (C, K) weight.
    """

    name: str
    layer: nn.Linear


def last_layer(model: Classifier, classes: int, size: int) -> LastLayer:
    """Find the linear layer whose output is the network's scores.

    Args:
        model: In evaluation mode.
        classes: C.
        size: Side S in px of the images that the network takes.

    Raises:
        ConfigError: The network does not end in a linear layer with a bias of C outputs that sees
            each image once.
    """
    called: list[tuple[str, nn.Linear, Tensor, Tensor]] = []

    def note(name: str, layer: nn.Linear, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        called.append((name, layer, inputs[0].detach(), output.detach()))

    handles = [
        module.register_forward_hook(lambda m, i, o, name=name: note(name, m, i, o))
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
    ]
    device = next(model.parameters()).device
    try:
        with torch.no_grad():
            images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
            model(images.to(device))
    finally:
        for handle in handles:
            handle.remove()
    fits = called and called[-1][3].shape == (2, classes) and called[-1][2].ndim == 2
    if not fits or called[-1][1].bias is None:
        raise ConfigError(
            "the network does not end in a linear layer with a bias",
            "only the row of such a layer can be refitted: name a model that has one",
        )
    name, layer, _, _ = called[-1]
    if sum(other is layer for _, other, _, _ in called) > 1:
        raise ConfigError(f"the network calls its last layer '{name}' more than once")
    return LastLayer(name, layer)


@contextmanager
def watched_inputs(layer: nn.Linear) -> Iterator[list[Tensor]]:
    """Collect what a layer is given while the body of a ``with`` statement runs."""
    seen: list[Tensor] = []
    handle = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    try:
        yield seen
    finally:
        handle.remove()


class FeatureReader:
    """Images to features, computed once and kept in a folder where one is named.

    Args:
        model: In evaluation mode, on its device.
        last: Its last layer.
        batch_size: Images a pass.
        cache: Folder that keeps features by network and pixels; None keeps none.
    """

    def __init__(
        self,
        model: Classifier,
        last: LastLayer,
        batch_size: int = 32,
        cache: Path | None = None,
    ) -> None:
        self.model = model
        self.last = last
        self.batch_size = batch_size
        self.cache = cache
        self._device = next(model.parameters()).device
        self._network = _digest_of(model) if cache is not None else b""

    def __call__(self, images: Iterable[Tensor], tell: Tell = lambda _: None) -> Features:
        """Return the (N, K) float32 features of (3, S, S) uint8 images, in their order.

        Of several processes, which have the same images, each passes some of the batches.

        Args:
            images: Taken as they come; no more than one batch is held.
            tell: Called with the number of images just done.
        """

        def own() -> dict[int, Features]:
            found = {}
            for place, batch in enumerate(_batched(images, self.batch_size)):
                if place % processes.count() == processes.number():
                    found[place] = self._batch(batch)
                tell(len(batch))
            return found

        parts = {place: part for found in processes.shared(own) for place, part in found.items()}
        empty = np.zeros((0, self.last.layer.in_features), np.float32)
        return np.concatenate([empty, *(parts[place] for place in sorted(parts))])

    def _batch(self, images: list[Tensor]) -> Features:
        stacked = torch.stack(images)
        file = self._file(stacked)
        if file is not None:
            found = _kept(file, (len(images), self.last.layer.in_features))
            if found is not None:
                return found
        features = self._computed(stacked)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            partial = file.with_suffix(".partial")
            with partial.open("wb") as stream:
                np.save(stream, features, allow_pickle=False)
            partial.replace(file)
        return features

    @torch.no_grad()
    def _computed(self, images: Tensor) -> Features:
        with untouched_batch_norm(self.model), watched_inputs(self.last.layer) as seen:
            self.model(images.to(self._device).float() / 255)
        features: Features = seen[-1].float().cpu().numpy()
        return features

    def _file(self, images: Tensor) -> Path | None:
        if self.cache is None:
            return None
        digest = hashlib.blake2b(self._network, digest_size=16)
        digest.update(repr(tuple(images.shape)).encode())
        digest.update(images.contiguous().numpy().tobytes())
        name = digest.hexdigest()
        return self.cache / "features" / name[:2] / f"{name}.npy"


def _batched(images: Iterable[Tensor], size: int) -> Iterator[list[Tensor]]:
    taken = iter(images)
    while batch := list(islice(taken, size)):
        yield batch


def _kept(file: Path, shape: tuple[int, int]) -> Features | None:
    """Return features that were kept; None where there are none, or not whole ones."""
    try:
        content = file.read_bytes() if is_file(file) else b""
        values = np.frombuffer(content[-4 * math.prod(shape) :], np.float32).reshape(shape)
    except (OSError, ValueError):
        return None
    header = io.BytesIO()
    np.save(header, values, allow_pickle=False)
    return values.copy() if header.getvalue() == content else None


def _digest_of(model: nn.Module) -> bytes:
    """Return a digest of everything that decides a network's features."""
    digest = hashlib.blake2b(digest_size=16)
    for name, values in sorted(model.state_dict(keep_vars=False).items()):
        digest.update(name.encode())
        digest.update(values.detach().cpu().contiguous().numpy().tobytes())
    digest.update(repr(model).encode())
    return digest.digest()
