"""The cache gives the same images as the files, and notices a changed one."""

import os
import pickle

import numpy as np
import PIL.Image
import pytest
import torch
from torch.utils.data import DataLoader

from biasaudit.data import images
from biasaudit.data.batches import SampleTensors, collate
from biasaudit.data.images import ImageFile
from biasaudit.data.sample import Sample
from biasaudit.errors import DataError


def draw(path, seed):
    noise = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    PIL.Image.fromarray(noise).save(path)


@pytest.fixture
def samples(tmp_path):
    made = []
    for number in range(5):
        path = tmp_path / f"{number}.png"
        draw(path, number)
        made.append(Sample(path.name, frozenset(), frozenset(), ImageFile(path)))
    return made


def tensors(samples, cache, size=8):
    return SampleTensors(samples, ("boat",), size, keep=False, cache=cache)


def all_images(data):
    return torch.stack([data[i].image for i in range(len(data))])


@pytest.fixture
def decoded(monkeypatch):
    """Names of the files decoded so far."""
    names = []
    decode = images.decode

    def noting(path, size=None):
        names.append(path.name)
        return decode(path, size)

    monkeypatch.setattr(images, "decode", noting)
    return names


def test_the_same_images_and_no_file_is_decoded_again(samples, tmp_path, decoded):
    plain = all_images(tensors(samples, None))
    decoded.clear()
    first = tensors(samples, tmp_path / "cache")
    assert torch.equal(all_images(first), plain)
    assert len(decoded) == 5
    assert torch.equal(all_images(first), plain)
    assert torch.equal(all_images(tensors(samples, tmp_path / "cache")), plain)
    assert len(decoded) == 5


def test_a_changed_file_is_noticed(samples, tmp_path, decoded):
    all_images(tensors(samples, tmp_path / "cache"))
    draw(tmp_path / "3.png", 99)
    decoded.clear()
    again = all_images(tensors(samples, tmp_path / "cache"))
    assert decoded == ["3.png"]
    assert torch.equal(again, all_images(tensors(samples, None)))


def test_a_change_of_time_alone_is_noticed(samples, tmp_path, decoded):
    data = tensors(samples, tmp_path / "cache")
    all_images(data)
    os.utime(tmp_path / "1.png", ns=(1, 1))
    decoded.clear()
    all_images(data)
    assert decoded == ["1.png"]


def test_another_size_and_another_list_are_kept_apart(samples, tmp_path):
    cache = tmp_path / "cache"
    all_images(tensors(samples, cache))
    for size, some in ((6, samples), (8, samples[::-1]), (8, samples[:2])):
        expected = all_images(tensors(some, None, size))
        assert torch.equal(all_images(tensors(some, cache, size)), expected)
        assert torch.equal(all_images(tensors(some, cache, size)), expected)


def test_the_annotated_size_belongs_to_the_key(tmp_path):
    """A lying picture is given upright or as stored, as its annotations have it."""
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    PIL.Image.fromarray(noise).save(tmp_path / "a.png", exif=exif)
    for size in ((20, 30), (30, 20)):
        one = [Sample("a", frozenset(), frozenset(), ImageFile(tmp_path / "a.png", size))]
        assert torch.equal(tensors(one, tmp_path / "cache")[0].image, tensors(one, None)[0].image)


def test_drawn_images_are_not_kept(tmp_path):
    calls = []
    image = np.zeros((4, 4, 3), dtype=np.uint8)
    drawn = [Sample("a", frozenset(), frozenset(), lambda: (calls.append(1), image)[1])]
    data = tensors(drawn, tmp_path / "cache")
    assert torch.equal(data[0].image, data[0].image)
    assert len(calls) == 2


def test_a_missing_file_is_an_error_as_without_a_cache(samples, tmp_path):
    all_images(tensors(samples, tmp_path / "cache"))
    (tmp_path / "2.png").unlink()
    with pytest.raises(DataError, match=r"2\.png: no such image file"):
        all_images(tensors(samples, tmp_path / "cache"))


def test_loading_processes_share_it(samples, tmp_path):
    expected = all_images(tensors(samples, None))
    data = tensors(samples, tmp_path / "cache")
    for _ in range(2):
        loader = DataLoader(data, 2, collate_fn=collate, num_workers=2)
        found = torch.cat([batch.images for batch in loader])
        assert torch.equal(found, expected.float() / 255)


def test_it_travels_without_its_arrays(samples, tmp_path):
    data = tensors(samples, tmp_path / "cache", size=200)
    expected = all_images(data)
    packed = pickle.dumps(data)
    assert len(packed) < 20_000
    assert torch.equal(all_images(pickle.loads(packed)), expected)


def test_a_folder_that_cannot_be_made(samples, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"the cache cannot be written .* go without"):
        tensors(samples, tmp_path / "file")


def test_a_full_disk_is_one_line(samples, tmp_path, monkeypatch):
    data = tensors(samples, tmp_path / "cache")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("biasaudit.data.cache._write", full)
    with pytest.raises(DataError, match=r"cannot be written \(No space left on device\)"):
        data[0]
