"""Samples become batches: shapes, values, mirroring."""

import multiprocessing

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from biasaudit.data.loading.batches import Batch, SampleTensors, collate, loaded
from biasaudit.data.sample import Region, Sample
from biasaudit.errors import DataError

CLASSES = ("boat", "car")


def sample(number, labels=("boat",), region=True):
    image = np.full((4, 6, 3), number, dtype=np.uint8)
    mask = np.zeros((4, 6), dtype=bool)
    mask[:2, :3] = True
    mask[0, 0] = False
    regions = {"boat": Region("mask", lambda: mask, float(mask.mean()))} if region else {}
    return Sample(f"{number}", frozenset(labels), frozenset(), lambda: image, regions)


def tensors(**options):
    samples = [sample(10), sample(20, ("car",), region=False), sample(30, ("boat", "car"))]
    gave = {"10": {"boat": "mask"}, "30": {"boat": "box"}}
    return SampleTensors(samples, CLASSES, 4, gave, **options)


def test_a_batch_by_hand():
    batch = collate([tensors()[i] for i in range(3)])
    assert batch.images.shape == (3, 3, 4, 4)
    assert batch.images[:, 0, 0, 0].tolist() == pytest.approx([10 / 255, 20 / 255, 30 / 255])
    assert batch.labels.tolist() == [[1, 0], [0, 1], [1, 1]]
    assert batch.region_rows.tolist() == [0, 2]
    assert batch.region_classes.tolist() == [0, 0]
    # 6 columns become 4: a mask keeps its missing quadrant, a box fills it
    assert batch.regions[0].tolist() == [[0, 1, 0, 0], [1, 1, 0, 0], [0] * 4, [0] * 4]
    assert batch.regions[1].tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0] * 4, [0] * 4]
    assert len(batch) == 3
    assert batch.to("cpu").indices.tolist() == [0, 1, 2]


def test_a_batch_without_regions():
    batch = collate([tensors()[1]])
    assert batch.regions.shape == (0, 4, 4)


def test_mirroring_depends_on_seed_and_epoch_alone():
    data = tensors(mirror=3)
    plain = tensors()

    def mirrored(epoch, order):
        data.start_epoch(epoch)
        return {i: not torch.equal(data[i].regions[0], plain[i].regions[0]) for i in order}

    seen = [mirrored(epoch, (0, 2)) for epoch in range(12)]
    assert [mirrored(epoch, (2, 0)) for epoch in range(12)] == seen
    for i in (0, 2):
        assert {flips[i] for flips in seen} == {True, False}
    data.start_epoch(next(e for e, flips in enumerate(seen) if flips[0]))
    assert torch.equal(data[0].regions[0], plain[0].regions[0].flip(-1))
    assert torch.equal(data[0].image, plain[0].image.flip(-1))


def test_images_are_decoded_once_where_kept():
    reads = []
    image = np.zeros((4, 4, 3), dtype=np.uint8)
    one = Sample("a", frozenset(), frozenset(), lambda: (reads.append(1), image)[1])
    kept = SampleTensors([one], CLASSES, 4)
    kept[0], kept[0]
    assert len(reads) == 1
    streamed = SampleTensors([one], CLASSES, 4, keep=False)
    streamed[0], streamed[0]
    assert len(reads) == 3


def test_shapes_are_checked():
    good = collate([tensors()[0]])
    with pytest.raises(ValueError, match=r"regions: shape \(1, 2, 2\), expected \(1, 4, 4\)"):
        Batch(
            good.images,
            good.labels,
            torch.zeros(1, 2, 2),
            good.region_rows,
            good.region_classes,
            good.indices,
            good.mirrored,
        )


def unreadable():
    raise DataError("not an image")


@pytest.mark.parametrize("processes", [0, 2])
def test_where_loading_fails_no_process_of_it_is_left(processes):
    fine = [sample(number) for number in range(4)]
    images = SampleTensors([*fine, Sample("a", frozenset(), frozenset(), unreadable)], CLASSES, 4)
    before = multiprocessing.active_children()
    batches = loaded(DataLoader(images, 2, collate_fn=collate, num_workers=processes))
    assert [len(next(batches)) for _ in range(2)] == [2, 2]
    with pytest.raises(DataError, match="not an image"):
        next(batches)
    assert multiprocessing.active_children() == before
