"""Versions of one picture are found, different pictures are not."""

import io

import numpy as np
import PIL.Image
import PIL.ImageEnhance
import pytest
from scene_pictures import scene

from biasaudit.data.checks.near_duplicates import look_of, near_duplicates


def recompressed(image):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=20)
    return PIL.Image.open(file).convert("RGB")


VERSIONS = {
    "same": lambda image: image,
    "smaller": lambda image: image.resize((80, 60)),
    "other format": recompressed,
    "darker": lambda image: PIL.ImageEnhance.Brightness(image).enhance(0.85),
    "grey": lambda image: image.convert("L").convert("RGB"),
}


@pytest.mark.parametrize("name", VERSIONS)
def test_versions_are_found(name):
    pictures = [scene(seed) for seed in range(30)]
    changed = [VERSIONS[name](picture) for picture in pictures]
    first = [look_of(np.asarray(picture)) for picture in pictures]
    second = [look_of(np.asarray(picture)) for picture in changed]
    assert near_duplicates(first, second) == [(i, i) for i in range(30)]


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT),
        lambda image: image.transpose(PIL.Image.Transpose.ROTATE_180),
        lambda image: PIL.Image.eval(image, lambda value: 255 - value),
    ],
)
def test_other_pictures_are_not(change):
    first = [look_of(np.asarray(scene(seed))) for seed in range(30)]
    second = [look_of(np.asarray(change(scene(seed)))) for seed in range(30)]
    assert near_duplicates(first, second) == []


def test_pictures_of_one_shade_are_no_duplicates():
    looks = [look_of(np.full((9, 9, 3), shade, dtype=np.uint8)) for shade in (0, 128, 255)]
    assert near_duplicates(looks, looks) == []


def test_the_hash_by_its_definition():
    """Signs of the 63 lowest frequencies of an orthonormal cosine transform, by its matrix."""
    image = np.asarray(scene(3, (32, 32)).convert("L").convert("RGB"))
    n = np.arange(32)
    matrix = np.cos(np.pi * n[:, None] * (2 * n + 1) / 64)
    lowest = (matrix @ image[..., 0].astype(float) @ matrix.T)[:8, :8]
    lowest[0] /= np.sqrt(2)
    lowest[:, 0] /= np.sqrt(2)
    values = lowest.ravel()[1:]
    expected = np.where(values > np.median(values), 1, -1)
    np.testing.assert_array_equal(look_of(image).bits, expected)


def test_nothing_has_no_duplicates():
    assert near_duplicates([], [look_of(np.asarray(scene(0)))]) == []
