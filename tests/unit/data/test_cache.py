"""The cache gives the same images as the files, and notices a changed one."""

import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from torch.utils.data import DataLoader

from biasaudit.data.loading import cache as cache_module
from biasaudit.data.loading.batches import SampleTensors, collate
from biasaudit.data.loading.images import ImageFile
from biasaudit.data.sample import Region, Sample
from biasaudit.data.splits.edited_samples import edited
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


def tensors(samples, cache, size=8, keep=False):
    return SampleTensors(samples, ("boat",), size, keep=keep, cache=cache)


def all_images(data):
    return torch.stack([data[i].image for i in range(len(data))])


@pytest.fixture
def digested(monkeypatch):
    """Names of the files whose content was read so far; files count as settled at once."""
    names = []
    digest = cache_module.hashlib.file_digest

    def noting(file, kind):
        names.append(Path(file.name).name)
        return digest(file, kind)

    monkeypatch.setattr(cache_module.hashlib, "file_digest", noting)
    monkeypatch.setattr(cache_module, "_SETTLED_NS", -1)
    return names


@pytest.fixture(autouse=True)
def heard(caplog):
    """Hear warnings, whatever ``--quiet`` an earlier test called with."""
    caplog.set_level("WARNING", "biasaudit")


def cached(folder):
    return sorted(path for path in (folder / "images").rglob("*") if path.is_file())


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


def test_a_second_epoch_reads_no_image_file(samples, tmp_path, digested):
    data = tensors(samples, tmp_path / "cache")
    all_images(data)
    assert len(set(digested)) == 5
    digested.clear()
    all_images(data)
    assert digested == []


def test_a_file_of_the_same_size_and_time_is_noticed(samples, tmp_path, digested):
    """A writer may set the time back; the file system's own time of change tells."""
    path = tmp_path / "1.bmp"
    one = [Sample("a", frozenset(), frozenset(), ImageFile(path))]
    stacks = []
    for seed in (1, 2):
        draw(path, seed)
        os.utime(path, ns=(1, 1))
        stacks.append(all_images(tensors(one, tmp_path / "cache")))
        assert torch.equal(stacks[-1], all_images(tensors(one, None)))
    assert not torch.equal(*stacks)


def test_a_file_that_changed_just_now_is_read_again(samples, tmp_path, digested, monkeypatch):
    monkeypatch.setattr(cache_module, "_SETTLED_NS", 3_600_000_000_000)
    data = tensors(samples, tmp_path / "cache")
    all_images(data)
    digested.clear()
    all_images(data)
    assert sorted(digested) == [sample.id for sample in samples]


def test_the_content_is_the_key(samples, tmp_path, decoded):
    """Touched, moved and copied pictures are found; two files of one content are kept once."""
    cache = tmp_path / "cache"
    expected = all_images(tensors(samples, cache))
    os.utime(tmp_path / "1.png", ns=(1, 1))
    (tmp_path / "elsewhere").mkdir()
    moved = []
    for sample in samples:
        path = tmp_path / "elsewhere" / f"moved-{sample.id}"
        shutil.copy(tmp_path / sample.id, path)
        moved.append(Sample(path.name, frozenset(), frozenset(), ImageFile(path)))
    decoded.clear()
    assert torch.equal(all_images(tensors(samples, cache)), expected)
    assert torch.equal(all_images(tensors(moved, cache)), expected)
    assert decoded == []
    assert len(cached(cache)) == 5


def test_an_edited_image_is_kept_until_what_it_is_made_of_changes(tmp_path, decoded):
    draw(tmp_path / "a.png", 1)
    draw(tmp_path / "b.png", 2)
    masks = [np.zeros((20, 30), dtype=bool) for _ in range(2)]
    masks[0][5:9, 5:9] = True
    masks[1][5:9, 5:10] = True

    def pasted(mask):
        a, b = (
            Sample(
                name,
                frozenset({"boat"}),
                frozenset(),
                ImageFile(tmp_path / name),
                {"boat": Region("mask", mask.copy)},
            )
            for name in ("a.png", "b.png")
        )
        return [edited(a, "on-other-ground", "boat", grounds=[b]), edited(a, "alone", "boat")]

    def change_ground():
        draw(tmp_path / "b.png", 3)

    cache = tmp_path / "cache"
    for mask, change, made in (
        (masks[0], None, ["a.png", "b.png", "a.png"]),
        (masks[0], None, []),
        (masks[1], None, ["a.png", "b.png", "a.png"]),
        (masks[1], change_ground, ["a.png", "b.png"]),
    ):
        if change is not None:
            change()
        expected = all_images(tensors(pasted(mask), None))
        decoded.clear()
        assert torch.equal(all_images(tensors(pasted(mask), cache)), expected)
        assert decoded == made


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: content[:-1], "195 bytes"),
        (lambda content: b"", "empty"),
        (lambda content: bytes([content[0] ^ 1]) + content[1:], "its sum differs"),
    ],
)
def test_a_damaged_cache_mends_itself_and_says_so(samples, tmp_path, caplog, damage, reason):
    cache = tmp_path / "cache"
    expected = all_images(tensors(samples, cache))
    for path in cached(cache)[:2]:
        path.write_bytes(damage(path.read_bytes()))
    assert torch.equal(all_images(tensors(samples, cache)), expected)
    (line,) = caplog.messages
    assert line.startswith(f"{cache}")
    assert "the cached image is damaged" in line
    assert reason in line
    assert line.endswith("it is decoded again, and so are others like it")
    caplog.clear()
    assert torch.equal(all_images(tensors(samples, cache)), expected)
    assert caplog.messages == []


def test_a_damaged_note_of_a_file_is_made_again(samples, tmp_path, digested):
    cache = tmp_path / "cache"
    expected = all_images(tensors(samples, cache))
    for path in (cache / "seen").rglob("*"):
        if path.is_file():
            path.write_bytes(b"?")
    digested.clear()
    assert torch.equal(all_images(tensors(samples, cache)), expected)
    assert len(set(digested)) == 5
    digested.clear()
    assert torch.equal(all_images(tensors(samples, cache)), expected)
    assert digested == []


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


def test_several_may_fill_it_at_once(samples, tmp_path, caplog):
    """Each writes files of its own and puts them in place whole."""
    expected = all_images(tensors(samples, None, 64))
    with ThreadPoolExecutor(8) as pool:
        cache = tmp_path / "cache"
        runs = [pool.submit(all_images, tensors(samples, cache, 64)) for _ in range(40)]
        assert all(torch.equal(run.result(), expected) for run in runs)
    assert len(cached(cache)) == 5
    assert not list(cache.rglob("*.partial"))
    assert caplog.messages == []


def test_it_takes_no_memory(samples, tmp_path):
    data = tensors(samples, tmp_path / "cache", size=200, keep=True)
    expected = all_images(data)
    packed = pickle.dumps(data)
    assert len(packed) < 20_000
    assert torch.equal(all_images(pickle.loads(packed)), expected)


def test_a_folder_that_cannot_be_made(samples, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"the cache cannot be written .* go without"):
        tensors(samples, tmp_path / "file")


def test_a_full_disk_costs_the_cache_not_the_run(samples, tmp_path, monkeypatch, caplog):
    expected = all_images(tensors(samples, None))

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert torch.equal(all_images(tensors(samples, tmp_path / "cache")), expected)
    assert caplog.messages == [
        f"{tmp_path / 'cache'}: the cache cannot be written (No space left on device); what is not "
        "in it is decoded every time"
    ]
    assert not list((tmp_path / "cache").rglob("*.partial"))
