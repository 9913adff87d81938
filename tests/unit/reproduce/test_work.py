"""What was measured stands, as long as the same images have masks."""

import json
from dataclasses import replace

import pytest

import biasaudit as ba
from biasaudit.reproduce import work
from biasaudit.results import SEGMENTATION_FILE


@pytest.fixture(scope="module")
def data():
    return ba.load_dataset("harbour", options={"train": 20, "val": 12, "group": 4})


@pytest.fixture
def segmenter(data, tmp_path):
    made = ba.train_segmenter(ba.train(data, epochs=1), data, iterations=1)
    return made.save(tmp_path / "drawer")


def with_masks(data, count):
    """The dataset with the regions of the first ``count`` images of val alone."""
    val = [
        sample if place < count else replace(sample, regions={})
        for place, sample in enumerate(data.subset("val"))
    ]
    return replace(data, subsets={**data.subsets, "val": val})


def test_masks_that_came_since_are_measured(data, segmenter):
    folder = segmenter.path

    def n_of(count, crf=False):
        return work._evaluated(folder, segmenter, with_masks(data, count), crf, work.Watch()).n

    assert n_of(7) == 7
    file = folder / SEGMENTATION_FILE
    first = file.stat().st_mtime_ns
    assert n_of(7) == 7
    assert file.stat().st_mtime_ns == first  # it stood
    assert n_of(12) == 12
    assert [one["n"] for one in json.loads(file.read_text())["figures"]] == [12]
    assert n_of(12, crf=True) == 12  # not there yet: the CRF was not asked for
    (kept,) = json.loads(file.read_text())["figures"]
    assert kept["with_crf"] is not None
