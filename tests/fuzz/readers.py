"""The readers that are fuzzed one file at a time, and the name that a file has for each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from biasaudit.config import load_settings
from biasaudit.data.formats.coco_json import read_annotation_file
from biasaudit.data.formats.coco_masks import encode_segmentation
from biasaudit.data.formats.table import read_table
from biasaudit.data.formats.toml_file import read_dataset_file
from biasaudit.data.formats.voc_xml import read_annotation
from biasaudit.data.loading.images import decode
from biasaudit.inputs.documents import read_json
from biasaudit.inputs.files import Source
from biasaudit.results import Gallery, read_per_image, read_results


def _segmentation(file: Path) -> None:
    tree = read_json(Source(file))
    encode_segmentation(tree.get("segmentation"), 20, 30)


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "settings": ("c.toml", load_settings),
    "dataset": ("dataset.toml", read_dataset_file),
    "coco": ("c.json", read_annotation_file),
    "segmentation": ("s.json", _segmentation),
    "voc": ("v.xml", read_annotation),
    "table": ("t.csv", read_table),
    "image": ("i.png", decode),
    "results": ("results.json", read_results),
    "per_image": ("per_image.csv", read_per_image),
    "gallery": ("gallery.npz", Gallery.load),
}
