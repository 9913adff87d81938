"""Coverage-guided fuzzing of the readers with atheris, which is no dependency of the tests.

::

    pip install atheris
    PYTHONPATH=.:tests python -m fuzz.coverage_guided READER CORPUS -max_total_time=60

READER is one of :data:`READERS`. New inputs are kept in the folder CORPUS; one that ends in
anything but an error of biasaudit stops the fuzzer and is written beside it.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["biasaudit"]):
    from biasaudit.config import load_settings
    from biasaudit.data.formats.coco_json import read_annotation_file
    from biasaudit.data.formats.coco_masks import encode_segmentation
    from biasaudit.data.formats.table import read_table
    from biasaudit.data.formats.toml_file import read_dataset_file
    from biasaudit.data.formats.voc_xml import read_annotation
    from biasaudit.data.loading.images import decode
    from biasaudit.errors import BiasAuditError
    from biasaudit.inputs.documents import read_json
    from biasaudit.inputs.files import Source
    from biasaudit.results import Gallery, read_per_image, read_results

PLACE = Path(tempfile.mkdtemp())


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


def main() -> None:
    """Fuzz one reader until libFuzzer's options say to stop."""
    name, read = READERS[sys.argv.pop(1)]
    file = PLACE / name

    def once(content: bytes) -> None:
        file.write_bytes(content)
        try:
            read(file)
        except BiasAuditError as error:
            if "\n" in str(error):
                raise

    warnings.simplefilter("ignore")
    logging.disable()
    atheris.Setup(sys.argv, once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
