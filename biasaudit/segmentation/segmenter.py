"""A trained segmentation network: how it is made from a run, kept in a folder, and asked.

::

    DIR/segmenter.json         settings, classes, the run whose attention gave the cues
    DIR/segmenter.csv          the losses, a row each 50 steps
    DIR/segmenter.safetensors  the network; a folder without it holds none
    DIR/evaluation.json        figures of the subsets that were measured, for a report
    DIR/evaluation.npz         a few images of the last one, with their masks
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.torch import save
from torch import Tensor
from torchvision.transforms import v2

from biasaudit.config import SegmentSettings
from biasaudit.data.annotation.labels import LabelForm
from biasaudit.data.loading.batches import SampleTensors
from biasaudit.data.sample import Dataset, Image
from biasaudit.errors import ConfigError, DataError, RunError, named_field
from biasaudit.evaluation.predict import Subject
from biasaudit.inputs.documents import first_fault, read_json
from biasaudit.inputs.files import Source, is_file, is_folder
from biasaudit.models.backbones import BACKBONES, check_weights, state_of
from biasaudit.models.classifier import Classifier
from biasaudit.models.weights import misfit, read_state
from biasaudit.registry import load_plugins
from biasaudit.results import (
    SEGMENTER_FILE,
    SEGMENTER_WEIGHTS,
    write_atomic,
    write_or_move,
    write_whole,
)
from biasaudit.segmentation.crf import Crf, mean_field
from biasaudit.segmentation.cues import CueRule, cues_of, drawn_cues
from biasaudit.segmentation.metrics import LabelMap
from biasaudit.segmentation.network import Recipe, build_network, recipe_of
from biasaudit.segmentation.origin import Origin
from biasaudit.segmentation.training import (
    Material,
    Step,
    labels_of,
    map_size,
    train_network,
    upsampled,
)
from biasaudit.training.device import check_device, deterministic, make_accelerator
from biasaudit.training.run_directory import prepare

RECORD, LOSSES, NETWORK = SEGMENTER_FILE, "segmenter.csv", SEGMENTER_WEIGHTS
_WHOLE_SCALE = 321
"""Images of so many pixels a side, or more, get the CRF's widths as they are."""
Regions = Mapping[str, Mapping[str, LabelForm]]
"""By the id of an image the classes whose region is read, and how it is given."""
_Name = Annotated[str, Field(min_length=1, max_length=200)]


class _Record(BaseModel):
    """``segmenter.json``; unknown keys are kept, for a newer minor version may add some."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: _Name
    classes: tuple[_Name, ...] = Field(min_length=1, max_length=254)
    backbone: str
    settings: SegmentSettings
    run: dict[str, Any]
    data: dict[str, Any]
    plugins: tuple[str, ...] = ()


@dataclass(frozen=True)
class Segmenter:
    """A trained segmentation network.

    Attributes:
        name: What tables call it.
        classes: Object classes; value c + 1 of a mask is class c, 0 the background.
        backbone: A registered name.
        settings: With every default of the backbone filled in.
        run: Whose attention gave the cues: name, mode, labels, seed, digest of its weights.
        data: The dataset that loads again: name, options, and what was done about images that
            cannot be read.
        network: In evaluation mode; images are taken to its device.
        losses: Mean losses, a row each 50 steps; empty where it was read from a folder.
        plugins: Modules that the run was trained with.
        path: Its folder, if it has one.
    """

    name: str
    classes: tuple[str, ...]
    backbone: str
    settings: SegmentSettings
    run: Mapping[str, Any]
    data: Mapping[str, Any]
    network: Classifier
    losses: Sequence[Mapping[str, float]] = field(default=())
    plugins: tuple[str, ...] = ()
    path: Path | None = None

    def __repr__(self) -> str:
        return f"Segmenter({self.name!r}, classes={self.classes})"

    def probabilities(self, image: Image, *, crf: bool = True) -> Tensor:
        """Return (1 + C, H, W) probabilities of an (H, W, 3) uint8 image, background first.

        Args:
            image: RGB.
            crf: Whether the dense CRF refines them.

        Raises:
            DataError: The image is of another form.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise DataError(
                f"image: {image.dtype} of shape {image.shape}", "give an (H, W, 3) uint8 RGB image"
            )
        size = (image.shape[0], image.shape[1])
        whole = torch.from_numpy(image).permute(2, 0, 1)[None].to(self.network.mean.device)
        side = int(self.settings.image_size or 0)
        square = v2.functional.resize(whole, [side, side], antialias=True)
        with torch.no_grad():
            found = upsampled(self.network(square.float() / 255).scores, size)
        if crf:
            widths = Crf().at_scale(max(1.0, _WHOLE_SCALE / max(size)))
            found = mean_field(found.log(), whole.float(), widths)
        return found[0]

    def mask(self, image: Image, *, crf: bool = True) -> LabelMap:
        """Return the (H, W) uint8 label map of an image: the most probable class of each pixel."""
        mask: LabelMap = self.probabilities(image, crf=crf).argmax(dim=0).byte().cpu().numpy()
        return mask

    def save(self, folder: Path | str) -> Segmenter:
        """Write the segmenter to a new or empty folder: all of it, or nothing.

        Returns:
            The segmenter with its path.

        Raises:
            RunError: The folder holds something already, or cannot be written to.
            RunFailedError: It cannot take the files, which are in another folder then.
        """
        folder = prepare(Path(folder))
        whole = partial(write_whole, write=self._write)
        write_or_move(folder, self.name, whole)
        return replace(self, path=folder)

    def _write(self, folder: Path) -> None:
        record = _Record(
            name=self.name,
            classes=self.classes,
            backbone=self.backbone,
            settings=self.settings,
            run=dict(self.run),
            data=dict(self.data),
            plugins=self.plugins,
        )
        text = json.dumps(record.model_dump(mode="json"), indent=2, ensure_ascii=False)
        write_atomic(folder / RECORD, (text + "\n").encode())
        write_atomic(folder / LOSSES, pd.DataFrame(self.losses).to_csv(index=False).encode())
        write_atomic(folder / NETWORK, save(state_of(self.network)))


def read_segmenter(folder: Path) -> Segmenter:
    """Read a segmenter; the plug-ins of its run are imported.

    Raises:
        RunError: The folder holds none, or its files do not fit each other.
        ConfigError: A plug-in cannot be imported.
    """
    if not is_folder(folder):
        raise RunError(
            f"{named_field('run', folder)}: no such folder",
            "give a folder that 'biasaudit segment train' wrote",
        )
    for name in (RECORD, NETWORK):
        if not is_file(folder / name):
            raise RunError(
                f"{named_field('run', folder)}: holds no segmenter (no {name})",
                "give a folder that 'biasaudit segment train' wrote",
            )
    source = Source(folder / RECORD, RunError, hint="train the segmenter again")
    try:
        record = _Record.model_validate(read_json(source, finite=False))
        recipe = _recipe(record.backbone, record.settings)
    except ValidationError as error:
        raise source.refusal(f"its records cannot be read ({first_fault(error)})") from None
    load_plugins(record.plugins, str(source.file))
    if record.backbone not in BACKBONES:
        raise source.refusal(f"unknown backbone '{record.backbone[:60]}'")
    network = build_network(record.backbone, len(record.classes), "none", 0, "train", recipe)
    try:
        network.load_state_dict(read_state(folder / NETWORK, RunError, source.hint))
    except RuntimeError as error:
        raise RunError(
            f"{folder / NETWORK}: does not fit {RECORD} ({misfit(error)})", source.hint
        ) from None
    return Segmenter(
        name=record.name,
        classes=record.classes,
        backbone=record.backbone,
        settings=record.settings,
        run=record.run,
        data=record.data,
        network=network.eval(),
        plugins=record.plugins,
        path=folder,
    )


def newest_segmenter(parent: Path) -> Path:
    """Return the segmenter under ``parent`` that was finished last.

    Raises:
        RunError: There is none.
    """
    found = [file for file in parent.glob(f"*/{NETWORK}") if is_file(file)]
    if not found:
        raise RunError(f"no segmenter in {parent}/", "train one first: biasaudit segment train")
    return max(found, key=lambda file: file.stat().st_mtime_ns).parent


def make_segmenter(
    origin: Origin,
    subject: Subject,
    dataset: Dataset,
    settings: SegmentSettings,
    regions: Regions,
    tell: Step = lambda *_: None,
    seen: Callable[[int], None] = lambda _: None,
) -> Segmenter:
    """Train a segmenter from the image-level labels of a dataset and the attention of a model.

    Args:
        origin: What is taken over from the model, its attention apart.
        subject: The model, whose attention gives the cues.
        dataset: Its training images.
        settings: What is not set is the backbone's own.
        regions: By image the classes whose region is read, and how it is given: these regions stand
            in place of the attention cues. No other region is read.
        tell: Told of every step.
        seen: Called with the number of images whose cues were just made.

    Raises:
        BiasAuditError: The dataset or the settings do not fit, or the training fails.
    """
    filled = filled_settings(origin, settings)
    recipe = _recipe(origin.backbone, filled)
    device = make_accelerator(filled.device, "fp32").device
    seed = int(filled.seed or 0)
    torch.manual_seed(seed)
    network = build_network(
        origin.backbone,
        len(origin.classes),
        str(filled.weights),
        origin.frozen,
        origin.batch_norm,
        recipe,
    ).to(device)
    samples = dataset.subset("train")
    side = int(filled.image_size or 0)
    keep = origin.cache == "memory"
    images = SampleTensors(samples, origin.classes, side, keep=keep, cache=origin.cache_folder)
    with deterministic(device):
        size = map_size(network, side, device)
        rule = CueRule(filled.threshold, filled.background)
        cues = list(cues_of(subject, samples, rule, size, seen))
        for place, sample in enumerate(samples):
            if forms := regions.get(sample.id):
                cues[place] = drawn_cues(cues[place], sample, forms, origin.classes)
        material = Material(images, labels_of(images), cues)
        losses = train_network(network, material, filled, seed, tell)
    return Segmenter(
        name=f"{origin.name}-segmenter",
        classes=origin.classes,
        backbone=origin.backbone,
        settings=filled,
        run=dict(origin.about),
        data={
            "name": dataset.origin,
            "options": dict(dataset.options),
            "on_error": origin.on_error,
        },
        network=network.cpu().eval(),
        losses=losses,
        plugins=origin.plugins,
    )


def filled_settings(origin: Origin, settings: SegmentSettings) -> SegmentSettings:
    """Return the settings that a segmenter of a model is trained with: what is None is the usual.

    Raises:
        ConfigError: A stride that is no power of two.
    """
    usual = recipe_of(origin.backbone)
    names = ("image_size", "stride", "iterations", "batch_size", "learning_rate")
    own: dict[str, Any] = {name: getattr(usual, name) for name in names}
    own |= {"weights": origin.weights, "seed": origin.seed}
    given = {name: getattr(settings, name) for name in own}
    filled = settings.model_copy(
        update={name: own[name] if given[name] is None else given[name] for name in own}
    )
    _check_stride(origin.backbone, filled.stride)
    return filled


def check_settings(backbone: str, weights: str, settings: SegmentSettings) -> None:
    """Refuse settings of a segmenter before the model whose attention it needs is trained.

    Args:
        backbone: Of the model, by its registered name.
        weights: Where the training of the model starts.
        settings: What is not set is the backbone's own.

    Raises:
        ConfigError: A stride that is no power of two, a device that is not there, or weights that
            do not exist or do not fit.
    """
    _check_stride(backbone, settings.stride)
    check_device(settings.device, "segment.device")
    check_weights(backbone, settings.weights or weights)


def _check_stride(backbone: str, stride: int | None) -> None:
    if stride is not None and stride & (stride - 1):
        raise ConfigError(
            f"{named_field('segment.stride', stride)}: not a power of two",
            f"give {recipe_of(backbone).stride}",
        )


def _recipe(backbone: str, settings: SegmentSettings) -> Recipe:
    usual = recipe_of(backbone)
    return replace(
        usual,
        image_size=settings.image_size or usual.image_size,
        stride=settings.stride or usual.stride,
    )
