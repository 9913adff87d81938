"""Starting weights: from torchvision, from the package, from a file."""

from __future__ import annotations

import argparse
import pickle
import struct
import warnings
import zipfile
from collections.abc import Collection, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import torch
import torchvision.models
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from biasaudit.errors import BiasAuditError, ConfigError, named_field
from biasaudit.inputs.files import Source, check_regular, expanded, is_file
from biasaudit.models.classifier import Classifier

State = dict[str, Tensor]
CHECKPOINT_KEYS = ("state_dict", "model", "model_state_dict", "model_state", "net", "network")
"""Where a checkpoint keeps the weights among other things."""
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")
"""What DataParallel, torch.compile, Lightning modules and the like put before every name."""
_DAMAGED = (
    *(SafetensorError, zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, TypeError),
    *(AttributeError, LookupError, AssertionError, ArithmeticError, ImportError, MemoryError),
    *(struct.error, SyntaxError),
)
"""What torch and safetensors raise on a damaged file."""
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


def read_state(
    file: Path,
    error: type[BiasAuditError] = ConfigError,
    hint: str = "give a .safetensors or state-dict file",
) -> State:
    """Read a ``.safetensors`` or torch state-dict file; half precision becomes float32.

    Args:
        file: The file.
        error: What a fault in it raises.
        hint: The way out where it is damaged.

    Raises:
        BiasAuditError: There is no such file, or it is neither, or holds more than tensors; of the
            kind ``error``.
    """
    source = Source(file, error, hint=hint, missing="no such file of weights")
    size = check_regular(source)
    try:
        if file.suffix == ".safetensors":
            state = load_file(file)
        else:
            _check_archive(source, size)
            with warnings.catch_warnings():  # torch wonders about old and odd files
                warnings.simplefilter("ignore")
                with torch.serialization.safe_globals([argparse.Namespace]):  # of options, often
                    state = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise source.refusal("not a file of weights (it holds pickled objects)") from None
    except _DAMAGED as fault:
        told = str(fault).splitlines()[0][:160] if str(fault) else type(fault).__name__
        raise source.refusal(f"not a file of weights ({told})") from None
    return _checked(source, state, size)


def misfit(error: Exception) -> str:
    """Return why a state dict does not fit a network: what torch says under its heading."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[min(1, len(lines) - 1)][:160]


def _check_archive(source: Source, size: int) -> None:
    """Refuse an archive whose members are packed: torch stores them as they are."""
    if not zipfile.is_zipfile(source.file):
        return
    with zipfile.ZipFile(source.file) as archive:
        if sum(member.file_size for member in archive.infolist()) > size:
            raise source.refusal("not a file of weights (it holds more than its own size)")


def _checked(source: Source, state: object, size: int) -> State:
    """Return the tensors of a state dict, or of one that a checkpoint holds, as float32.

    Raises:
        ConfigError: It holds something else, or tensors that are not plain, not whole, or NaN.
    """
    if isinstance(state, dict):
        state = _state_in(state)
    if not isinstance(state, dict) or not state:
        raise source.refusal("not a state dict", "save model.state_dict() alone")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise source.refusal(
                f"not a state dict ('{str(name)[:60]}' is no tensor)",
                "save model.state_dict() alone",
            )
        plain = value.layout == torch.strided and value.device.type == "cpu"
        if not plain or value.is_quantized or value.numel() * value.element_size() > size:
            raise source.refusal(f"'{name[:60]}' is no plain tensor, or larger than the file")
        if value.is_floating_point() and bool(value.float().isnan().any()):
            raise source.refusal(
                f"'{name[:60]}' holds NaN", "give the weights of a training that did not diverge"
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
        if not is_file(file):
            raise ConfigError(
                f"{named_field('model.weights', 'scenes')}: the package has none for {name}",
                "give imagenet, none or PATH",
            )
        return read_state(file)
    if weights == "imagenet":
        check_imagenet(name, rename)
        return _download(name)
    return read_state(expanded(weights))


def check_imagenet(name: str, rename: Prefixes) -> None:
    """Refuse a backbone that torchvision has no weights for.

    Raises:
        ConfigError: It has none.
    """
    if not rename:
        raise ConfigError(
            f"{named_field('model.weights', 'imagenet')}: there are none for {name}",
            "give scenes, none or PATH",
        )


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
