import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from biasaudit.report.drawing.pictures import (
    LEVELS,
    SIDE,
    TOP_ALPHA,
    attention_uri,
    outline,
    photo_uri,
    scale_stops,
)


def decode(uri):
    kind, content = re.fullmatch(r"data:(image/\w+);base64,(.+)", uri).groups()
    return kind, Image.open(io.BytesIO(base64.b64decode(content)))


def test_a_photo_comes_back_nearly_the_same():
    image = np.zeros((32, 32, 3), np.uint8)
    image[:, 16:] = (200, 120, 40)
    kind, picture = decode(photo_uri(image))
    assert kind == "image/webp"
    assert picture.size == (32, 32)
    back = np.asarray(picture.convert("RGB")).astype(int)
    assert np.abs(back[:, [4, 28]] - image[:, [4, 28]]).max() < 16


def test_without_webp_a_photo_is_a_jpeg(monkeypatch):
    monkeypatch.setattr("PIL.features.check", lambda name: False)
    kind, picture = decode(photo_uri(np.full((8, 8, 3), 90, np.uint8)))
    assert (kind, picture.format) == ("image/jpeg", "JPEG")


def test_no_attention_is_transparent_and_more_is_lighter_and_denser():
    ramp = np.linspace(0, 255, LEVELS).round().astype(np.uint8)[None]
    kind, picture = decode(attention_uri(ramp))
    assert kind == "image/png"
    assert picture.size == (SIDE, SIDE)
    pixels = np.asarray(picture.convert("RGBA")).astype(float)[0]
    assert pixels[0, 3] == 0
    assert pixels[-1, 3] == round(TOP_ALPHA * 255)
    assert (np.diff(pixels[:, 3]) >= 0).all()
    luminance = pixels[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) >= 0).all()
    assert len(np.unique(luminance)) == LEVELS


def test_a_small_map_is_smooth_on_paper():
    """No printed square of an 8 by 8 map: neighbouring pixels differ by a few steps alone."""
    map_ = np.zeros((8, 8), np.uint8)
    map_[3, 4] = 255
    _, picture = decode(attention_uri(map_))
    steps = np.asarray(picture).astype(int)
    assert steps.shape == (SIDE, SIDE)
    assert np.abs(np.diff(steps, axis=0)).max() <= LEVELS / 6
    assert np.unravel_index(steps.argmax(), steps.shape)[0] // (SIDE // 8) == 3
    expected = torch_free_bilinear(map_ / 255.0, SIDE) * (LEVELS - 1)
    assert np.abs(steps - expected).max() <= 0.51


def torch_free_bilinear(values, side):
    """Return the bilinear upsampling without aligned corners, written out by its definition."""
    small = len(values)
    at = np.clip((np.arange(side) + 0.5) * small / side - 0.5, 0, small - 1)
    low = np.minimum(np.floor(at).astype(int), small - 2)
    part = at - low
    rows = values[low] * (1 - part)[:, None] + values[low + 1] * part[:, None]
    return rows[:, low] * (1 - part) + rows[:, low + 1] * part


def test_a_larger_map_keeps_its_pixels():
    _, picture = decode(attention_uri(np.full((SIDE * 2, SIDE * 2), 255, np.uint8)))
    assert picture.size == (SIDE * 2, SIDE * 2)


def test_the_legend_has_the_same_ends_as_the_layer():
    stops = scale_stops(4)
    assert [stop[0] for stop in stops] == [
        0.0,
        pytest.approx(0.32, abs=0.02),
        *[pytest.approx(0.68, abs=0.02), 1.0],
    ]
    assert stops[0][2] == 0
    assert stops[-1][2] == pytest.approx(TOP_ALPHA, abs=0.01)


def area(path):
    """Return the area inside an SVG path of straight pieces, by the shoelace formula."""
    total = 0.0
    for ring in path.strip("Z").split("Z"):
        points = [tuple(map(float, p.split())) for p in ring.lstrip("M").split("L")]
        total += sum(
            x0 * y1 - x1 * y0
            for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True)
        )
    return abs(total) / 2


def test_an_outline_encloses_its_region():
    region = np.zeros((40, 60), bool)
    region[10:30, 20:50] = True
    path = outline(region)
    assert path.startswith("M")
    assert path.endswith("Z")
    assert area(path) == pytest.approx(600, rel=0.02)
    numbers = [float(v) for v in re.findall(r"[\d.]+", path)]
    assert min(numbers) == pytest.approx(10, abs=0.6)
    assert max(numbers) == pytest.approx(50, abs=0.6)


def test_an_outline_has_one_ring_for_each_border():
    region = np.zeros((40, 40), bool)
    region[4:14, 4:14] = True
    region[20:38, 20:38] = True
    region[26:32, 26:32] = False
    assert outline(region).count("M") == 3


def test_outlines_of_extreme_regions():
    assert outline(np.zeros((8, 8), bool)) == ""
    assert area(outline(np.ones((40, 40), bool))) == pytest.approx(1600, rel=0.02)
    single = np.zeros((8, 8), bool)
    single[3, 3] = True
    assert outline(single).startswith("M")
