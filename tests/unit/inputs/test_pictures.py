"""Image files at the gate: regular, of known formats, and not larger than allowed."""

import os
import struct
import warnings
import zlib

import numpy as np
import PIL.Image
import pytest

from biasaudit.data.formats.label_maps import read_label_map
from biasaudit.data.loading.images import WrongSizeError, decode, size_of
from biasaudit.errors import ConfigError, DataError
from biasaudit.inputs import pictures

READERS = {"decode": decode, "size_of": size_of, "read_label_map": read_label_map}


def png_header(width, height):
    """A PNG file that says its size and holds next to nothing."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"0" * 100))


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("side", [7_100, 10_000, 60_000, 2**31 - 1])
def test_a_picture_of_too_many_pixels(tmp_path, read, side):
    file = tmp_path / "bomb.png"
    file.write_bytes(png_header(side, side))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
        with pytest.raises(DataError, match=r"megapixels allowed|cannot be read") as caught:
            read(file)
    assert str(file) in caught.value.message
    with pytest.raises(DataError, match=r"megapixels|cannot be read"):  # with warnings as errors
        read(file)


def test_the_limit_is_a_setting(tmp_path, monkeypatch):
    file = tmp_path / "small.png"
    PIL.Image.fromarray(np.zeros((1000, 1001), np.uint8)).save(file)
    assert decode(file).shape == (1000, 1001, 3)
    monkeypatch.setenv(pictures.LIMIT_VARIABLE, "1")
    with pytest.raises(DataError, match="more than the 1 megapixels allowed"):
        decode(file)
    monkeypatch.setenv(pictures.LIMIT_VARIABLE, "many")
    with pytest.raises(ConfigError, match="BIASAUDIT_MAX_MEGAPIXELS=many"):
        decode(file)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("what", ["pipe", "folder", "device", "postscript"])
def test_only_regular_files_of_known_formats_are_opened(tmp_path, read, what):
    file = tmp_path / "given.png"
    if what == "pipe":
        os.mkfifo(file)
    elif what == "folder":
        file.mkdir()
    elif what == "device":
        file.symlink_to("/dev/zero")
    else:
        file.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nquit\n")
    with pytest.raises(DataError, match=r"given\.png"):
        read(file)


def test_the_header_is_compared_before_pixels_are_decoded(tmp_path, monkeypatch):
    file = tmp_path / "other.png"
    PIL.Image.new("RGB", (30, 20)).save(file)
    monkeypatch.setattr(PIL.Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(WrongSizeError, match="30x20 pixels, its annotation says 9x9"):
        decode(file, (9, 9))
