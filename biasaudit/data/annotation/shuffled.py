"""Regions moved to random places: a control for guidance.

Guidance that gains as much with these as with the true regions owes nothing to where they are.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from biasaudit.data.annotation.labels import LabelForm, labelled_region
from biasaudit.data.sample import Mask, Region, Sample


def shuffled_sample(sample: Sample, forms: Mapping[str, LabelForm], seed: int) -> Sample:
    """Return a labelled image with its regions moved to random places, as pixel masks.

    Each region is shifted by a whole number of rows and columns, all shifts equally likely; what
    leaves the image comes in at the opposite side, so that it keeps its shape and area.

    Args:
        sample: The image.
        forms: The classes whose region it lends, and in which form; other regions stay.
        seed: 0 or more; with it, the image's id and the class decide the place.
    """
    moved = {
        name: Region("mask", partial(_moved, sample, name, form, seed))
        for name, form in forms.items()
    }
    return replace(sample, regions={**sample.regions, **moved})


def _moved(sample: Sample, name: str, form: LabelForm, seed: int) -> Mask:
    region = labelled_region(sample, name, form)
    place = [seed, zlib.crc32(sample.id.encode()), zlib.crc32(name.encode())]
    down, right = np.random.default_rng(place).integers(region.shape)
    return np.roll(region, (int(down), int(right)), axis=(0, 1))
