"""A dataset format: all images and masks in one .npz file."""

from functools import partial
from pathlib import Path

import numpy as np

from biasaudit.plugins import (
    READERS,
    Complain,
    DataError,
    Dataset,
    DatasetFile,
    Region,
    Sample,
    refuse,
)


@READERS.register("npz")
class NpzDataset(DatasetFile):
    """``dataset.toml`` with ``format = "npz"``; ``object`` and ``context`` name what it shows.

    Attributes:
        arrays: File with ``images`` (N, H, W, 3) uint8, ``regions`` (N, H, W) bool, the object's,
            and by image ``has_object`` and ``has_context`` (N,) bool and ``subset`` (N,) text.
    """

    arrays: str = "arrays.npz"

    def read(self, file: Path, complain: Complain = refuse) -> Dataset:
        """Return the samples; an image is decoded when it is asked for."""
        if self.object is None or self.context is None:
            raise DataError(f"{file}: object or context is missing", "name both")
        try:
            with np.load(file.parent / self.arrays, allow_pickle=False) as found:
                arrays = dict(found)
        except (OSError, ValueError) as error:
            raise DataError(f"{file.parent / self.arrays}: cannot be read ({error})") from None
        subsets: dict[str, list[Sample]] = {}
        for place, subset in enumerate(arrays["subset"].tolist()):
            subsets.setdefault(subset, []).append(self._sample(arrays, place))
        return Dataset(
            name=self.name or file.parent.name,
            classes=(self.object,),
            contexts=(self.context,),
            subsets=subsets,
            object=self.object,
            context=self.context,
            root=str(file),
        )

    def _sample(self, arrays: dict[str, np.ndarray], place: int) -> Sample:
        there = bool(arrays["has_object"][place])
        region = Region("mask", partial(arrays["regions"].__getitem__, place))
        shown = bool(arrays["has_context"][place])
        return Sample(
            id=f"{arrays['subset'][place]}/{place}",
            labels=frozenset([self.object] if there else []),
            contexts=frozenset([self.context] if shown else []),
            load_image=partial(arrays["images"].__getitem__, place),
            regions={self.object: region} if there else {},
            annotated=frozenset([self.context]),  # known of every image, there or not
        )
