"""A model that was trained elsewhere: built by name or by the user's own code, filled from a file.

The user's own code is imported and run; name only what you trust.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
import torchvision.models
from torch import Tensor, nn

from biasaudit.errors import BiasAuditError, ConfigError, named_field, near_names
from biasaudit.inputs.files import MEGA, Source, is_file, read_text
from biasaudit.models.classifier import IMAGENET_MEAN, IMAGENET_STD
from biasaudit.models.weights import misfit, read_state, without_prefix
from biasaudit.models.whole_network import WholeNetwork
from biasaudit.registry import first_line, import_from_here

Colour = tuple[float, float, float]
KINDS = ("auto", "sigmoid", "softmax")
PROBED = 8
"""Random images by whose scores the kind of a network is inferred."""


@dataclass(frozen=True)
class ExternalModel:
    """What a user says of a model.

    Attributes:
        model: A torchvision or timm name, or ``package.module:factory``.
        state: State-dict file; may be None for a factory that fills the network itself.
        classes: Class of each score; also separated by commas, or a file with one a line.
        layer: Attention layer; found by a probe where None.
        normalise: ``imagenet``, ``none``, or ``M,M,M/S,S,S``.
        scores: ``sigmoid`` where every class is answered for itself, ``softmax`` where one is
            chosen; ``auto`` infers it (:func:`kind_of`).
        image_size: Side of the square input in px.
    """

    model: str
    state: Path | None
    classes: str | tuple[str, ...] | None
    layer: str | None = None
    normalise: str = "imagenet"
    scores: str = "auto"
    image_size: int = 224

    @property
    def name(self) -> str:
        """What the audit calls it: the state file's name, or else the model's."""
        return self.state.stem if self.state else self.model.rpartition(":")[2].rpartition(".")[2]


@dataclass(frozen=True)
class LoadedModel:
    """A model that was trained elsewhere, ready to be audited.

    Attributes:
        name: What the audit calls it.
        network: The classifier in evaluation mode.
        classes: Class of each score.
        external: What its user said of it.
        scores: Whether each class is answered for itself (``sigmoid``) or one is chosen
            (``softmax``).
        outputs: What the network gives: ``logits`` or ``probabilities``.
        notes: What a user should know of how its scores are read, one line each.
        repair: What a repair left on record; None for a model as its user trained it.
    """

    name: str
    network: WholeNetwork
    classes: tuple[str, ...]
    external: ExternalModel
    scores: str = "sigmoid"
    outputs: str = "logits"
    notes: tuple[str, ...] = ()
    repair: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return f"LoadedModel({self.name!r}, classes={self.classes})"


def load_external(external: ExternalModel, name: str | None = None) -> LoadedModel:
    """Build the network, fill it, and find its attention layer.

    Args:
        external: What the user says of the model.
        name: What the audit calls it; the state file's name, or else the model's, where None.

    Raises:
        ConfigError: Anything of it does not exist or does not fit.
    """
    classes = read_classes(external.classes)
    mean, std = read_normalisation(external.normalise)
    if external.scores not in KINDS:
        raise ConfigError(
            named_field("scores", external.scores), near_names(external.scores, KINDS)
        )
    if external.scores == "softmax" and len(classes) < 2:
        raise ConfigError(
            f"{named_field('scores', 'softmax')}: one class alone",
            f"use {named_field('scores', 'sigmoid')}",
        )
    network = _build(external, len(classes)).eval()
    if external.state is not None:
        _fill(network, external.state)
    _probe(network, external, len(classes))
    inferred, outputs, line = kind_of(_answers(network, external.image_size, mean, std))
    scores = inferred if external.scores == "auto" else external.scores
    whole = WholeNetwork(
        network,
        external.layer,
        external.image_size,
        softmax=scores == "softmax",
        probabilities=outputs == "probabilities",
        mean=mean,
        std=std,
    )
    notes = (line,) if external.scores == "auto" or outputs == "probabilities" else ()
    return LoadedModel(name or external.name, whole, classes, external, scores, outputs, notes)


def kind_of(answers: Tensor) -> tuple[str, str, str]:
    """Infer what a network's answers are.

    Args:
        answers: (N, C) what it gives for N images.

    Returns:
        ``softmax`` or ``sigmoid``; ``probabilities`` or ``logits``; and a line that says so.
        Rows in [0, 1] that sum to one are probabilities of exclusive classes; rows whose
        exponentials do are their logarithms. All else is taken for logits, each class answered
        for itself: logits do not tell the two kinds apart.
    """
    ones = torch.ones(len(answers), dtype=answers.dtype)
    within = bool(((answers >= -1e-6) & (answers <= 1 + 1e-6)).all())
    if answers.shape[1] > 1:
        if within and torch.allclose(answers.sum(dim=1), ones, atol=1e-3):
            told = "scores are probabilities that sum to one: one class is chosen (softmax)"
            return "softmax", "probabilities", told
        if torch.allclose(answers.exp().sum(dim=1), ones, atol=1e-3):
            told = "scores are logarithms of probabilities: one class is chosen (softmax)"
            return "softmax", "logits", told
    told = "scores are taken for logits, each class answered for itself (sigmoid)"
    if within:
        told += "; all of a probe lie in [0, 1], and probabilities would all be above 0, a yes"
    else:
        told += "; where the model chooses one class, say that its scores are softmax"
    return "sigmoid", "logits", told


def _answers(network: nn.Module, size: int, mean: Colour, std: Colour) -> Tensor:
    """Return what a network gives for images of random pixels, (N, C) on the CPU."""
    images = torch.rand(PROBED, 3, size, size, generator=torch.Generator().manual_seed(0))
    centre, spread = (torch.tensor(values).view(1, 3, 1, 1) for values in (mean, std))
    with torch.no_grad():
        found: Tensor = network((images - centre) / spread)
    return found.float()


def read_classes(given: str | Sequence[str] | None) -> tuple[str, ...]:
    """Read ``a,b,c``, or a file with one class a line; a sequence holds them already.

    Raises:
        ConfigError: None is given, or one twice.
    """
    if not given:
        raise ConfigError(
            f"{named_field('model')}: needs the class of each score",
            f"add {named_field('classes', 'a,b,c')} or a file",
            field="classes",
        )
    text = given if isinstance(given, str) else ",".join(given)
    parts = _listed(given) if isinstance(given, str) else given
    classes = tuple(name for part in parts if (name := part.strip()))
    twice = sorted({name for name in classes if classes.count(name) > 1})
    if twice or not classes:
        what = f"names '{twice[0]}' twice" if twice else "names no class"
        raise ConfigError(
            f"{named_field('classes', text)}: {what}", "name every class once, in score order"
        )
    return classes


def _listed(text: str) -> list[str]:
    if not is_file(text):
        return text.split(",")
    source = Source(Path(text), ConfigError, named_field("classes", text))
    return read_text(source, MEGA).splitlines()


def read_normalisation(text: str) -> tuple[Colour, Colour]:
    """Read the per-channel mean and standard deviation of images in [0, 1].

    Raises:
        ConfigError: It is written otherwise, or a deviation is not above 0.
    """
    named = {"imagenet": (IMAGENET_MEAN, IMAGENET_STD), "none": ((0.0,) * 3, (1.0,) * 3)}
    if text in named:
        return named[text]
    try:
        (m1, m2, m3), (s1, s2, s3) = (map(float, part.split(",")) for part in text.split("/"))
    except ValueError:
        s1 = s2 = s3 = 0.0
        m1 = m2 = m3 = 0.0
    if not all(map(math.isfinite, (m1, m2, m3, s1, s2, s3))) or min(s1, s2, s3) <= 0:
        raise ConfigError(
            f"{named_field('normalise', text)}: not a normalisation",
            "give imagenet, none, or mean and deviation as 0.5,0.5,0.5/0.25,0.25,0.25",
        )
    return (m1, m2, m3), (s1, s2, s3)


def _build(external: ExternalModel, classes: int) -> nn.Module:
    if ":" in external.model:
        return _from_factory(external.model)
    known = torchvision.models.list_models(module=torchvision.models)
    has_timm = importlib.util.find_spec("timm") is not None
    timm: Any = importlib.import_module("timm") if has_timm else None
    if external.model not in known and not (timm and timm.is_model(external.model)):
        names = [*known, *(timm.list_models() if timm else [])]
        near = get_close_matches(external.model, names, n=1)
        raise ConfigError(
            f"{named_field('model', external.model)}: no such model",
            f"did you mean '{near[0]}'?"
            if near
            else "name one of torchvision"
            + (" or timm" if timm else " (for timm's: pip install 'biasaudit[timm]')")
            + ", or write package.module:factory",
        )
    if external.state is None:
        raise ConfigError(
            f"{named_field('model', external.model)}: has no weights",
            f"add {named_field('state', 'FILE')}",
        )
    if external.model in known:
        return torchvision.models.get_model(external.model, weights=None, num_classes=classes)
    network: nn.Module = timm.create_model(external.model, pretrained=False, num_classes=classes)
    return network


def _from_factory(path: str) -> nn.Module:
    module, _, name = path.partition(":")
    try:
        factory = getattr(import_from_here(module), name)
    except (ImportError, AttributeError, ValueError, SyntaxError, TypeError) as error:
        raise ConfigError(
            f"{named_field('model', path)}: cannot be imported ({first_line(error)})",
            "write package.module:factory, found from here or installed",
        ) from None
    try:
        network = factory()
    except BiasAuditError:
        raise
    except Exception as error:
        raise ConfigError(
            f"{named_field('model', path)}: {name}() failed ({first_line(error)})"
        ) from error
    if not isinstance(network, nn.Module):
        raise ConfigError(
            f"{named_field('model', path)}: {name}() gave {type(network).__name__}, "
            "not a torch module"
        )
    return network


def _fill(network: nn.Module, file: Path) -> None:
    if not is_file(file):
        raise ConfigError(
            f"{named_field('state', file)}: no such file", "give a .safetensors or state-dict file"
        )
    try:
        network.load_state_dict(without_prefix(read_state(file), network.state_dict()))
    except (RuntimeError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"{named_field('state', file)}: does not fit {named_field('model')} "
            f"and {named_field('classes')} ({misfit(error)})"
        ) from None


def _probe(network: nn.Module, external: ExternalModel, classes: int) -> None:
    size = external.image_size
    try:
        with torch.no_grad():
            found = network(torch.zeros(1, 3, size, size))
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        raise ConfigError(
            f"{named_field('model', external.model)}: does not take a {size} px image "
            f"({first_line(error)})",
            f"give the {named_field('image_size')} it was trained with",
        ) from None
    if not isinstance(found, Tensor) or tuple(found.shape) != (1, classes):
        shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise ConfigError(
            f"{named_field('model', external.model)}: gives {shape} for one image, "
            f"{named_field('classes')} names {classes}",
            "name the class of every score; the network must return (N, C) logits",
        )
