"""Starting weights: from torchvision, from the package, from a file."""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Collection, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import torch
import torchvision.models
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from biasaudit.errors import ConfigError, named_field
from biasaudit.models.classifier import Classifier

State = dict[str, Tensor]
CHECKPOINT_KEYS = ("state_dict", "model", "model_state_dict", "model_state", "net", "network")
"""Where a checkpoint keeps the weights among other things."""
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")
"""What DataParallel, torch.compile, Lightning modules and the like put before every name."""
Prefixes = Sequence[tuple[str, str]]
"""(from, to) prefixes that turn torchvision's state-dict names into ours."""


def load_start(model: Classifier, name: str, weights: str, rename: Prefixes = ()) -> None:
    """Load starting weights into ``model``.

    The whole body must be there; layers of the head are taken where they fit (the last one does
    not, unless the file knows the same number of classes).

    Args:
        model: The classifier to fill.
        name: Its backbone's name.
        weights: ``imagenet``, ``scenes`` or a path.
        rename: Prefixes of the backbone's names; without any, torchvision has no weights for it.

    Raises:
        ConfigError: No such weights for this backbone, or a file that does not fit it.
    """
    state = _fetch(name, weights, rename)
    if not any(key.startswith("body.") for key in state):
        state = _renamed(state, rename)
    _fill(model, state, named_field("model.weights", weights), name)


def read_state(file: Path) -> State:
    """Read a ``.safetensors`` or torch state-dict file; half precision becomes float32.

    Raises:
        ConfigError: There is no such file, or it is neither, or holds more than tensors.
    """
    if not file.is_file():
        raise ConfigError(f"{file}: no such file of weights", "give imagenet, none or a file")
    try:
        if file.suffix == ".safetensors":
            state = load_file(file)
        else:
            with torch.serialization.safe_globals([argparse.Namespace]):  # of options, often
                state = _state_in(torch.load(file, map_location="cpu", weights_only=True))
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, AttributeError) as e:
        whole = isinstance(e, pickle.UnpicklingError)
        reason = "it holds pickled objects" if whole else str(e).splitlines()[0]
        raise ConfigError(
            f"{file}: not a file of weights ({reason})", "give a .safetensors or state-dict file"
        ) from None
    others = [str(k) for k, v in state.items() if not isinstance(v, torch.Tensor)]
    if others:
        raise ConfigError(
            f"{file}: not a state dict ('{others[0]}' is no tensor)",
            "save model.state_dict() alone",
        )
    return {k: v.float() if v.is_floating_point() else v for k, v in state.items()}


def _state_in(loaded: dict[str, Any]) -> dict[str, Any]:
    """Return the state dict of a checkpoint: itself, or what one of the usual keys holds."""
    for key in CHECKPOINT_KEYS:
        inner = loaded.get(key)
        if isinstance(inner, Mapping) and any(isinstance(v, torch.Tensor) for v in inner.values()):
            return dict(inner)
    return loaded


def without_prefix(state: State, known: Collection[str]) -> State:
    """Return a state dict without the prefixes that a wrapper of the network left.

    Args:
        state: By name; a prefix is taken off where every name has it.
        known: Names of the network: a prefix that one of them has is its own.
    """
    for _ in PREFIXES:
        for prefix in PREFIXES:
            own = any(name.startswith(prefix) for name in known)
            if state and not own and all(name.startswith(prefix) for name in state):
                state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def _fetch(name: str, weights: str, rename: Prefixes) -> State:
    if weights == "scenes":
        file = shipped_weights(name)
        if not file.is_file():
            raise ConfigError(
                f"{named_field('model.weights', 'scenes')}: the package has none for {name}",
                "give imagenet, none or PATH",
            )
        return read_state(file)
    if weights == "imagenet":
        if not rename:
            raise ConfigError(
                f"{named_field('model.weights', 'imagenet')}: there are none for {name}",
                "give scenes, none or PATH",
            )
        return _download(name)
    return read_state(Path(weights))


def _download(name: str) -> State:
    """Return torchvision's ImageNet weights, from its cache or its server."""
    choice = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
    try:
        state: State = choice.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise ConfigError(
            f"{named_field('model.weights', 'imagenet')}: {choice.url} cannot be "
            f"downloaded ({error})",
            f"fetch the file elsewhere and give its path: {named_field('model.weights', 'PATH')}",
        ) from None
    return state


def _renamed(state: State, rename: Prefixes) -> State:
    for old, new in rename:
        state = {new + k.removeprefix(old) if k.startswith(old) else k: v for k, v in state.items()}
    return state


def _fill(model: Classifier, state: State, source: str, name: str) -> None:
    own = model.state_dict()
    for key, value in own.items():
        given = state.get(key)
        if given is not None and given.shape == value.shape:
            own[key] = given
        elif key.startswith("body.") and not key.endswith("num_batches_tracked"):
            found = "missing" if given is None else f"{tuple(given.shape)}"
            raise ConfigError(
                f"{source}: does not fit {name} ({key}: {found}, expected {tuple(value.shape)})",
                "give weights of the same backbone",
            )
    model.load_state_dict(own)


def shipped_weights(backbone: str) -> Path:
    """Return the file of weights that the package carries for a backbone."""
    return Path(str(resources.files("biasaudit.models") / "weights" / f"{backbone}.safetensors"))
