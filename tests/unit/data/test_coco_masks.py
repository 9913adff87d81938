import numpy as np
import pytest
from coco_tree import packed_rle, plain_rle
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask

from biasaudit.data.formats.coco_masks import (
    decode_rle,
    encode_box,
    encode_segmentation,
    run_lengths,
    union,
)

masks = hnp.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40)))


@settings(deadline=None)
@given(masks)
def test_run_lengths_are_those_of_the_definition(mask: np.ndarray) -> None:
    assert run_lengths(packed_rle(mask)["counts"].encode()) == plain_rle(mask)["counts"]


def test_run_lengths_by_hand() -> None:
    # 6 is "6"; 40 = 8 + 1·32: low five bits with the sign "another follows", then 1.
    # The fourth run, 6, is written as its difference to the second: 6 - 40 = -34.
    code = coco_mask.frPyObjects({"size": [1, 55], "counts": [6, 40, 3, 6]}, 1, 55)["counts"]
    assert code[:3] == b"6X1"
    assert run_lengths(code) == [6, 40, 3, 6]


@pytest.mark.parametrize("code", [b"", b"X", b"\xff", b"06 "])
def test_a_damaged_code_has_no_runs(code: bytes) -> None:
    assert run_lengths(code) == []


@settings(deadline=None)
@given(masks)
def test_both_run_length_codes_give_the_mask_back(mask: np.ndarray) -> None:
    for code in (plain_rle(mask), packed_rle(mask)):
        np.testing.assert_array_equal(decode_rle(encode_segmentation(code, *mask.shape)), mask)


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.data())
def test_union_is_the_union(height: int, width: int, data: st.DataObject) -> None:
    instances = data.draw(st.lists(hnp.arrays(bool, (height, width)), min_size=1, max_size=4))
    region = union([encode_segmentation(packed_rle(m), height, width) for m in instances], "mask")
    expected = np.any(instances, axis=0)
    if not expected.any():
        assert region is None
    else:
        assert region is not None
        np.testing.assert_array_equal(region.load(), expected)
        assert region.area_fraction == pytest.approx(expected.mean(), abs=1e-12)


def test_two_polygons_of_one_instance() -> None:
    polygons = [[1, 1, 4, 1, 4, 3, 1, 3], [6, 0, 8, 0, 8, 5, 6, 5]]
    expected = np.zeros((5, 10), dtype=bool)
    expected[1:3, 1:4] = True
    expected[0:5, 6:8] = True
    np.testing.assert_array_equal(decode_rle(encode_segmentation(polygons, 5, 10)), expected)


def test_a_box_is_filled_and_cut_at_the_border() -> None:
    expected = np.zeros((5, 10), dtype=bool)
    expected[2:5, 7:10] = True
    box = encode_box([7, 2, 20, 20], 5, 10)
    assert box is not None
    np.testing.assert_array_equal(decode_rle(box), expected)


@pytest.mark.parametrize("box", [[12, 0, 3, 3], [0, 0, 0, 3], [-5, 0, 5, 3]])
def test_a_box_without_area_inside_the_image_is_none(box: list[float]) -> None:
    assert encode_box(box, 5, 10) is None
