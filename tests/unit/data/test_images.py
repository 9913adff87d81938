from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from coco_tree import picture, upright_by_exif

from biasaudit.data.loading.images import decode
from biasaudit.errors import DataError


def stored(path: Path, pixels: object, **save: object) -> Path:
    image = pixels if isinstance(pixels, PIL.Image.Image) else PIL.Image.fromarray(pixels)
    image.save(path, **save)
    return path


def test_rgb_is_left_alone(tmp_path: Path) -> None:
    image = decode(stored(tmp_path / "a.png", picture()))
    assert image.dtype == np.uint8
    assert image.flags.writeable
    np.testing.assert_array_equal(image, picture())


def test_grey(tmp_path: Path) -> None:
    grey = picture(1, 1)
    image = decode(stored(tmp_path / "a.png", grey))
    np.testing.assert_array_equal(image, np.stack([grey] * 3, axis=-1))


def test_16_bit_grey_keeps_its_upper_byte(tmp_path: Path) -> None:
    grey = np.array([[0, 255, 256], [32768, 65279, 65535]], dtype=np.uint16)
    image = decode(stored(tmp_path / "a.png", grey))
    np.testing.assert_array_equal(image[..., 0], [[0, 0, 1], [128, 254, 255]])


def test_cmyk(tmp_path: Path) -> None:
    colour = np.empty((16, 16, 3), dtype=np.uint8)
    colour[:] = (200, 100, 50)
    cmyk = PIL.Image.fromarray(colour).convert("CMYK")
    image = decode(stored(tmp_path / "a.jpg", cmyk, quality=95))
    assert image.shape == (16, 16, 3)
    np.testing.assert_allclose(image, colour, atol=4)


def test_alpha_is_dropped(tmp_path: Path) -> None:
    pixels = picture(2, 4)
    np.testing.assert_array_equal(decode(stored(tmp_path / "a.png", pixels)), pixels[..., :3])


def test_palette_with_transparency(tmp_path: Path) -> None:
    image = PIL.Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    path = stored(tmp_path / "a.png", image, transparency=bytes([0, 255]))
    np.testing.assert_array_equal(decode(path), [[[10, 20, 30], [40, 50, 60]]])


def test_black_and_white(tmp_path: Path) -> None:
    image = decode(stored(tmp_path / "a.png", np.array([[True, False]])))
    np.testing.assert_array_equal(image, [[[255] * 3, [0] * 3]])


@pytest.mark.parametrize("size", [None, (30, 20)])
def test_exif_turns_the_picture_upright(tmp_path: Path, size: tuple[int, int] | None) -> None:
    lying, exif = upright_by_exif(picture())
    path = stored(tmp_path / "a.png", lying, exif=exif)
    np.testing.assert_array_equal(decode(path, size), picture())


def test_exif_is_passed_over_where_the_stored_pixels_were_annotated(tmp_path: Path) -> None:
    lying, exif = upright_by_exif(picture())
    path = stored(tmp_path / "a.png", lying, exif=exif)
    np.testing.assert_array_equal(decode(path, (20, 30)), np.asarray(lying))


def test_another_size_is_refused(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.png", picture())
    with pytest.raises(DataError, match=r"a\.png: the image is 30x20 pixels, .* says 31x20"):
        decode(path, (31, 20))


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.png: no such image file"):
        decode(tmp_path / "gone.png")


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")  # Pillow, then it raises
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.gif", "a.bmp", "a.tif"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.9])
def test_a_truncated_file_is_one_line_of_error(tmp_path: Path, name: str, kept: float) -> None:
    path = stored(tmp_path / name, picture())
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(DataError) as caught:
        decode(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_text_is_no_image(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_text("boat")
    with pytest.raises(DataError, match="not an image that can be read"):
        decode(path)


def test_float_pixels_have_no_known_range(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.tif", np.ones((2, 2), dtype=np.float32))
    with pytest.raises(DataError, match="type F have no known range"):
        decode(path)


def test_an_enormous_image_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stored(tmp_path / "a.png", picture())
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match="make the image smaller"):
        decode(path)
