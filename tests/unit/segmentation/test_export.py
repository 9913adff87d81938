"""What is exported is read again: as PNG by Pillow, as COCO by the reader of datasets."""

import json
import tarfile
from io import BytesIO

import fsspec
import numpy as np
import PIL.Image
import pytest

import biasaudit as ba
from biasaudit.errors import RunError
from biasaudit.segmentation.export import export_masks, indexed_png, run_lengths
from biasaudit.segmentation.metrics import VOID


def test_run_lengths_by_hand():
    mask = np.array([[1, 0], [1, 0], [0, 1]], bool)
    assert run_lengths(mask) == [0, 2, 3, 1]
    assert run_lengths(np.zeros((2, 2), bool)) == [4]
    assert run_lengths(np.ones((2, 2), bool)) == [0, 4]


@pytest.mark.parametrize("seed", range(4))
def test_run_lengths_as_pycocotools_reads_them(seed):
    api = pytest.importorskip("pycocotools.mask")
    mask = np.random.default_rng(seed).random((7, 9)) < 0.4
    coded = api.frPyObjects({"size": [7, 9], "counts": run_lengths(mask)}, 7, 9)
    assert int(api.area(coded)) == mask.sum()


def test_png_keeps_indices_in_the_colours_of_voc():
    found = np.array([[0, 1, 2], [15, 20, VOID]], np.uint8)
    image = PIL.Image.open(BytesIO(indexed_png(found)))
    assert image.mode == "P"
    np.testing.assert_array_equal(np.array(image), found)
    colours = np.array(image.convert("RGB"))
    assert colours.tolist() == [
        [[0, 0, 0], [128, 0, 0], [0, 128, 0]],
        [[192, 128, 128], [0, 64, 128], [224, 224, 192]],
    ]


@pytest.fixture
def harbour():
    return ba.load_dataset("harbour", options={"train": 12, "val": 6, "group": 2})


def read_again(folder, data, draw):
    """Export drawn label maps of train and val, and read the folder as a dataset."""
    told = {}
    for subset in ("train", "val"):
        told[subset] = [(sample, draw(sample)) for sample in data.subset(subset)]
        export_masks(folder, data, subset, told[subset])
    (folder / "dataset.toml").write_text(
        'format = "coco"\nimages = "images"\nobject = "boat"\ncontext = "water"\n'
        '[subsets]\ntrain = "train.json"\nval = "val.json"\n'
    )
    again = ba.load_dataset(folder)
    return again, [
        (after, *pair)
        for subset, pairs in told.items()
        for after, pair in zip(again.subset(subset), pairs, strict=True)
    ]


def test_exported_masks_are_pixel_labels_of_a_dataset(harbour, tmp_path):
    rng = np.random.default_rng(0)

    def draw(sample):
        values = [0, VOID] + [harbour.class_index[name] + 1 for name in sample.labels]
        return rng.choice(values, (64, 64)).astype(np.uint8)

    again, pairs = read_again(tmp_path, harbour, draw)
    assert (again.classes, set(again.contexts)) == (harbour.classes, set(harbour.contexts))
    for after, before, found in pairs:
        assert (after.labels, after.contexts) == (before.labels, before.contexts)
        assert after.annotated == before.annotated
        np.testing.assert_array_equal(after.load_image(), before.load_image())
        folder = tmp_path / "masks" / before.id.partition("-")[0]
        png = PIL.Image.open(folder / f"{before.id}.png")
        np.testing.assert_array_equal(np.array(png), found)
        for name in before.labels:
            inside = found == harbour.class_index[name] + 1
            np.testing.assert_array_equal(after.regions[name].load(), inside)


def test_a_class_without_a_pixel_keeps_its_label(harbour, tmp_path):
    _, pairs = read_again(tmp_path, harbour, lambda sample: np.full((64, 64), VOID, np.uint8))
    for after, before, _ in pairs:
        assert after.labels == before.labels
        assert not after.regions


def test_boxes_and_areas(harbour, tmp_path):
    sample = next(s for s in harbour.subset("val") if s.labels)
    name = sorted(sample.labels)[0]
    found = np.zeros((64, 64), np.uint8)
    found[10:20, 30:33] = harbour.class_index[name] + 1
    file = export_masks(tmp_path, harbour, "val", [(sample, found)])
    said = json.loads(file.read_text())
    (own,) = [a for a in said["annotations"] if "bbox" in a]
    assert (own["bbox"], own["area"]) == ([30, 10, 3, 10], 30)


def noise(seed):
    stream = BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    PIL.Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def drawn_half(sample):
    found = np.zeros((6, 8), np.uint8)
    found[:, :4] = len(sample.labels)
    return found


def test_images_of_archives_are_written_and_read_again(tmp_path):
    for subset in ("train", "val"):
        with tarfile.open(tmp_path / f"{subset}-0.tar", "w") as archive:
            for place, labels in enumerate((["boat"], [])):
                files = {"png": noise(place), "json": json.dumps({"labels": labels}).encode()}
                for kind, content in files.items():
                    entry = tarfile.TarInfo(f"{place}.{kind}")
                    entry.size = len(content)
                    archive.addfile(entry, BytesIO(content))
    shards = 'train = "train-0.tar"\nval = "val-0.tar"\n'
    (tmp_path / "dataset.toml").write_text(
        f'format = "webdataset"\ncontexts = ["water"]\n[shards]\n{shards}'
    )
    (tmp_path / "out").mkdir()
    again, pairs = read_again(tmp_path / "out", ba.load_dataset(tmp_path), drawn_half)
    assert [sample.id for sample in again.subset("train")] == ["train-0/0.png", "train-0/1.png"]
    for after, before, _ in pairs:
        np.testing.assert_array_equal(after.load_image(), before.load_image())
        assert after.labels == before.labels == set(after.regions)


@pytest.fixture
def memory():
    files = fsspec.filesystem("memory")
    yield files
    files.rm("/export", recursive=True)


def test_images_behind_urls_are_written_within_the_folder(memory, tmp_path):
    first, second, third = (f"memory://export/{name}" for name in ("x?v=1", "x?v=2", "../y:1"))
    for place, url in enumerate((first, second, third)):
        memory.pipe(url, noise(place))
    rows = f"{first},boat,train,1\n{second},boat,val,\n{third},boat,train,0\n"
    (tmp_path / "t.csv").write_text(f"image,labels,subset,water\n{rows}")
    (tmp_path / "dataset.toml").write_text(
        'format = "manifest"\nmanifest = "t.csv"\ncontexts = ["water"]\n'
    )
    (tmp_path / "out").mkdir()
    again, pairs = read_again(tmp_path / "out", ba.load_dataset(tmp_path), drawn_half)
    assert [sample.id for sample in again.subset("train")] == ["export/x.png", "export/y_1.png"]
    assert [sample.id for sample in again.subset("val")] == ["export/x-2.png"]
    for after, before, _ in pairs:
        np.testing.assert_array_equal(after.load_image(), before.load_image())


def test_masks_of_images_of_one_stem_have_names_of_their_own(tmp_path):
    (tmp_path / "images" / "boat").mkdir(parents=True)
    names = ("boat/other.jpg", "boat/plain.jpg", "boat/plain.jpg.png", "boat/plain.png")
    for place, name in enumerate(names):
        (tmp_path / "images" / name).write_bytes(noise(place))
    (tmp_path / "dataset.toml").write_text('format = "folder"\n[subsets]\ntrain = "."\n')
    data = ba.load_dataset(tmp_path)
    samples = data.subset("train")
    assert [sample.id for sample in samples] == list(names)
    maps = [np.full((6, 8), place, np.uint8) for place in range(len(samples))]
    export_masks(tmp_path / "out", data, "train", zip(samples, maps, strict=True))
    masks = tmp_path / "out" / "masks" / "train" / "boat"
    found = {file.name: int(np.array(PIL.Image.open(file))[0, 0]) for file in masks.iterdir()}
    assert found == {"other.png": 0, "plain.jpg-2.png": 1, "plain.jpg.png": 2, "plain.png.png": 3}


def test_a_folder_that_cannot_be_written(harbour, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written to"):
        export_masks(
            tmp_path / "file",
            harbour,
            "val",
            [(harbour.subset("val")[0], np.zeros((64, 64), np.uint8))],
        )
