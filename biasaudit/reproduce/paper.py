"""The tables of the GAIN paper on PASCAL VOC 2012: their rows, their figures, their settings.

Source: Li et al., *Tell Me Where to Look: Guided Attention Inference Network*, CVPR 2018, arXiv
1802.10171. A figure stands here only where it was verified; the others are left out. Figures are
in percent, as the paper prints them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from biasaudit.registry import Registry

OBJECT, CONTEXT = "boat", "water"
"""The pair of Table 4."""
TRAIN_IMAGES, VAL_IMAGES, LABELLED_IMAGES = 10_582, 1_449, 1_464
"""VOC 2012 segmentation: training images with those of SBD (Hariharan et al., ICCV 2011), val, and
the images of train, all of which have pixel labels."""

Task = Literal["segmentation", "classification"]


@dataclass(frozen=True)
class Setting:
    """A setting that a protocol gives another default.

    Attributes:
        key: Dotted name.
        value: What it is.
        source: Who says so, or that the paper leaves it open.
    """

    key: str
    value: Any
    source: str


@dataclass(frozen=True)
class Row:
    """A row of a table: one way to train.

    Attributes:
        name: What the paper calls it.
        mode: The registered mode.
        pixel_labels: Labelled images that it spends.
        paper: The paper's figures in percent, by metric; a figure that was not verified is left
            out.
    """

    name: str
    mode: str
    pixel_labels: int = 0
    paper: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Protocol:
    """A table of the paper.

    Attributes:
        title: What it shows.
        source: Where the paper's figures come from.
        task: What is trained and measured: a segmenter on the attention of a classifier, or the
            classifier.
        metrics: Heading of each metric.
        rows: In the paper's order.
        differs: What is another here than in the paper, a line each.
    """

    title: str
    source: str
    task: Task
    metrics: Mapping[str, str]
    rows: tuple[Row, ...]
    differs: tuple[str, ...]

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The settings of the protocol that hold for every backbone."""
        return BY_IMAGE if self.task == "segmentation" else ()


_PAPER = "the paper"
_OPEN = "left open by the paper"
VGG16 = (
    Setting("model.weights", "imagenet", _PAPER),
    Setting("training.epochs", 35, _PAPER),
    Setting("training.batch_size", 1, _PAPER),
    Setting("training.learning_rate", 1e-5, _PAPER),
    Setting("model.frozen", 0, f"{_OPEN}: every layer learns"),
    Setting("data.image_size", 224, f"{_OPEN}: the size of the pre-training, 14×14 maps"),
    Setting("training.labels_per_step", 1, f"{_OPEN}: as many as other images a step"),
)
"""Of the paper's network. Another backbone keeps its own recipe."""
BACKBONE = "vgg16"
BY_IMAGE = (
    Setting("data.labels_by", "image", "the paper: so many images give all their pixel labels"),
)

CRF, NO_CRF = "mean_iou_crf", "mean_iou"
_MIOU = {CRF: "mIoU, val, with CRF", NO_CRF: "mIoU, val, no CRF"}
VAL, BARE, EMPTY, OVERALL = (
    "val",
    f"{OBJECT}-without-{CONTEXT}",
    f"{CONTEXT}-without-{OBJECT}",
    "overall",
)
_GROUPS = {VAL: f"val, {OBJECT}", BARE: BARE, EMPTY: EMPTY, OVERALL: OVERALL}

_OPTIMISER = "the optimiser is AdamW; the masked image of L_am begins after one epoch of warm-up"
_SEGMENTED = (
    "val alone: the truth of VOC's test images is not public",
    "background cues are the least attended tenth of each image; SEC takes a saliency method",
    _OPTIMISER,
)
_CLASSIFIED = (
    "the paper's own test images are not published: groups are drawn from the dataset in hand",
    _OPTIMISER,
)


def _segmentation(metric: str, title: str, source: str, *rows: Row) -> Protocol:
    return Protocol(title, source, "segmentation", {metric: _MIOU[metric]}, rows, _SEGMENTED)


PROTOCOLS: Registry[Protocol] = Registry("protocol")
PROTOCOLS.add(
    "voc2012-table1",
    _segmentation(
        CRF,
        "Table 1: weakly supervised segmentation, SEC on each attention's cues",
        "Li et al. 2018, Table 1, val",
        Row("SEC (baseline)", "baseline", 0, {CRF: 50.7}),
        Row("GAIN", "gain", 0, {CRF: 55.3}),
        Row("GAIN_ext", "gain_ext", LABELLED_IMAGES, {CRF: 60.5}),
    ),
)
PROTOCOLS.add(
    "voc2012-table2",
    _segmentation(
        NO_CRF,
        "Table 2: the same without the CRF",
        "",
        Row("SEC (baseline)", "baseline"),
        Row("GAIN", "gain"),
        Row("GAIN_ext", "gain_ext", LABELLED_IMAGES),
    ),
)
PROTOCOLS.add(
    "voc2012-table3",
    _segmentation(
        CRF,
        "Table 3: GAIN_ext by the number of pixel labels",
        "Li et al. 2018, Table 1, val: GAIN_ext with all 1464",
        *(Row("GAIN_ext", "gain_ext", labels) for labels in (200, 400, 900)),
        Row("GAIN_ext", "gain_ext", LABELLED_IMAGES, {CRF: 60.5}),
    ),
)
PROTOCOLS.add(
    "voc2012-table4",
    Protocol(
        "Table 4: boats without water and water without boats",
        "Li et al. 2018, Table 4",
        "classification",
        _GROUPS,
        (
            Row("Grad-CAM (baseline)", "baseline", 0, {BARE: 42.0, EMPTY: 30.0, OVERALL: 36.0}),
            Row("GAIN", "gain"),
            Row("GAIN_ext", "gain_ext", 9),
            Row("GAIN_ext", "gain_ext", 23),
            Row("GAIN_ext", "gain_ext", 78, {BARE: 84.0, EMPTY: 84.0, OVERALL: 84.0}),
        ),
        _CLASSIFIED,
    ),
)
