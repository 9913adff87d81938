import json
import pickle
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from coco_tree import Subset, draw, picture, plain_rle, polygon, rectangle
from pycocotools.coco import COCO

from biasaudit.data.catalogue import load_dataset
from biasaudit.data.sample import Dataset, Sample
from biasaudit.errors import ConfigError, DataError

# pycocotools 2.0 under NumPy 2, in the oracle's decoding.
WARNS = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PHOTOS = Path(__file__).parents[4] / "shared" / "photos"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("coco") / "harbourside")


@pytest.fixture(scope="module")
def dataset(tree: Path) -> Dataset:
    return load_dataset(str(tree))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A tree that the test may spoil."""
    return draw(tmp_path / "own")


def by_id(dataset: Dataset, subset: str) -> dict[str, Sample]:
    return {sample.id: sample for sample in dataset.subset(subset)}


def change(file: Path, *path: object, to: object) -> None:
    """Set one value deep in a JSON file."""
    tree = json.loads(file.read_text())
    part = tree
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = to
    file.write_text(json.dumps(tree))


def test_what_the_dataset_is(dataset: Dataset) -> None:
    assert dataset.name == "harbourside"
    assert dataset.classes == ("boat", "cow")
    assert dataset.contexts == ("water", "grass")
    assert (dataset.object, dataset.context) == ("boat", "water")
    assert {name: len(samples) for name, samples in dataset.subsets.items()} == {
        "train": 7,
        "val": 3,
        "test": 2,
    }


def test_labels_and_contexts(dataset: Dataset) -> None:
    train = by_id(dataset, "train")
    assert train["two.png"].labels == {"boat"}
    assert train["two.png"].contexts == {"water"}
    assert train["crowd.png"].labels == {"cow"}
    assert train["nothing.png"].labels == set()
    assert train["nothing.png"].regions == {}


def test_two_instances_are_one_region(dataset: Dataset) -> None:
    region = by_id(dataset, "train")["two.png"].regions["boat"]
    expected = rectangle(2, 3, 12, 9) | rectangle(8, 5, 20, 12)
    np.testing.assert_array_equal(region.load(), expected)
    assert region.form == "mask"
    # 10·6 + 12·7 pixels, of which 4·4 lie in both.
    assert region.area_fraction == (60 + 84 - 16) / 600


@pytest.mark.parametrize(
    ("subset", "image", "name", "form", "expected"),
    [
        ("train", "two.png", "water", "mask", rectangle(0, 12, 30, 20)),
        ("train", "packed.png", "boat", "mask", rectangle(5, 5, 9, 17)),
        ("train", "box.png", "boat", "box", rectangle(4, 6, 12, 16)),
        ("train", "mixed.png", "boat", "box", rectangle(2, 3, 12, 9) | rectangle(20, 10, 30, 20)),
        ("train", "crowd.png", "cow", "mask", rectangle(0, 0, 4, 4) | rectangle(10, 0, 30, 6)),
        ("val", "void/grey.png", "grass", "mask", rectangle(0, 0, 15, 20)),
        ("val", "turned.png", "water", "mask", rectangle(3, 0, 4, 20)),
    ],
)
def test_regions(
    dataset: Dataset, subset: str, image: str, name: str, form: str, expected: np.ndarray
) -> None:
    region = by_id(dataset, subset)[image].regions[name]
    mask = region.load()
    assert mask.dtype == np.bool_
    np.testing.assert_array_equal(mask, expected)
    assert region.form == form
    assert region.area_fraction == expected.mean()


@WARNS
def test_masks_agree_with_pycocotools(tree: Path, dataset: Dataset) -> None:
    compared = 0
    for subset in dataset.subsets:
        oracle = COCO(str(tree / f"{subset}.json"))
        samples = by_id(dataset, subset)
        for image in oracle.loadImgs(oracle.getImgIds()):
            for name, region in samples[image["file_name"]].regions.items():
                found = oracle.loadAnns(
                    oracle.getAnnIds(image["id"], catIds=oracle.getCatIds(catNms=[name]))
                )
                if region.form == "mask":
                    union = np.any([oracle.annToMask(a) for a in found], axis=0)
                    np.testing.assert_array_equal(region.load(), union)
                    compared += 1
    assert compared == 7


def test_a_class_without_a_place_has_a_label_and_no_region(dataset: Dataset) -> None:
    named = by_id(dataset, "train")["named.png"]
    assert named.labels == {"boat"}
    assert named.regions == {}


def test_a_polygon_thinner_than_a_pixel_is_no_region(dataset: Dataset) -> None:
    void = by_id(dataset, "val")["void/grey.png"]
    assert void.labels == {"cow"}
    assert set(void.regions) == {"grass"}


def test_images_come_out_as_annotated(dataset: Dataset) -> None:
    val = by_id(dataset, "val")
    np.testing.assert_array_equal(val["turned.png"].load_image(), picture(3))
    np.testing.assert_array_equal(
        val["void/grey.png"].load_image(), np.stack([picture(1, 1)] * 3, axis=-1)
    )
    for subset in dataset.subsets.values():
        for sample in subset:
            assert sample.load_image().shape == (20, 30, 3)


def test_samples_travel_to_worker_processes(dataset: Dataset) -> None:
    sample = by_id(dataset, "train")["two.png"]
    copy = pickle.loads(pickle.dumps(sample))
    np.testing.assert_array_equal(copy.load_image(), sample.load_image())
    np.testing.assert_array_equal(
        copy.regions["boat"].load(), rectangle(2, 3, 12, 9) | rectangle(8, 5, 20, 12)
    )


def test_contexts_of_the_toml_win(own: Path) -> None:
    with (own / "dataset.toml").open("r+") as file:
        text = file.read()
        file.seek(0)
        file.write('contexts = ["cow"]\n' + text)
    dataset = load_dataset(str(own))
    assert dataset.classes == ("boat",)
    assert dataset.contexts == ("cow", "water", "grass")
    assert by_id(dataset, "train")["crowd.png"].contexts == {"cow"}


def test_without_isthing_every_category_is_an_object(own: Path) -> None:
    for name in ("train", "val", "test"):
        file = own / f"{name}.json"
        tree = json.loads(file.read_text())
        tree["categories"] = [{"id": c["id"], "name": c["name"]} for c in tree["categories"]]
        file.write_text(json.dumps(tree))
    assert load_dataset(str(own)).classes == ("boat", "cow", "water", "grass")


def split_by_role(root: Path) -> None:
    """Move contexts into files of their own, with other ids, as COCO-Stuff has them."""
    for name in ("train", "val", "test"):
        tree = json.loads((root / f"{name}.json").read_text())
        for role, thing in (("things", 1), ("stuff", 0)):
            kept = [c for c in tree["categories"] if c["isthing"] == thing]
            shift = {c["id"]: number for number, c in enumerate(kept, start=100)}
            part = {
                "images": [image | {"id": image["id"] + 50 * thing} for image in tree["images"]],
                "categories": [{"id": shift[c["id"]], "name": c["name"]} for c in kept],
                "annotations": [
                    a
                    | {
                        "category_id": shift[a["category_id"]],
                        "image_id": a["image_id"] + 50 * thing,
                    }
                    for a in tree["annotations"]
                    if a["category_id"] in shift
                ],
            }
            (root / f"{name}_{role}.json").write_text(json.dumps(part))


def test_objects_and_contexts_in_files_of_their_own(own: Path, dataset: Dataset) -> None:
    split_by_role(own)
    lines = [
        f'{name} = {{ objects = "{name}_things.json", contexts = "{name}_stuff.json" }}'
        for name in ("train", "val", "test")
    ]
    (own / "dataset.toml").write_text(
        'format = "coco"\nimages = "images"\n[subsets]\n' + "\n".join(lines)
    )
    joined = load_dataset(str(own))
    assert (joined.classes, joined.contexts) == (dataset.classes, dataset.contexts)
    for subset in dataset.subsets:
        for one, other in zip(joined.subset(subset), dataset.subset(subset), strict=True):
            assert (one.id, one.labels, one.contexts) == (other.id, other.labels, other.contexts)
            assert one.regions.keys() == other.regions.keys()
            for name, region in one.regions.items():
                np.testing.assert_array_equal(region.load(), other.regions[name].load())


def test_a_folder_of_images_for_each_subset(tmp_path: Path) -> None:
    for name in ("train", "val"):
        subset = Subset(tmp_path / name)
        subset.annotate(subset.image("same.png"), "boat")
        subset.write(tmp_path / f"{name}.json")
    (tmp_path / "dataset.toml").write_text(
        'format = "coco"\nimages = { train = "train", val = "val" }\n'
        '[subsets]\ntrain = "train.json"\nval = "val.json"\n'
    )
    dataset = load_dataset(str(tmp_path))
    assert [s.id for s in dataset.subset("train")] == ["train/same.png"]
    assert [s.id for s in dataset.subset("val")] == ["val/same.png"]


FAULTS = [
    ("train.json", ("images",), "none", "images: input should be a valid"),
    ("train.json", ("images", 0, "width"), 0, "images[0].width: input should be greater than 0"),
    ("train.json", ("images", 1, "file_name"), "./two.png", "file_name 'two.png' is given twice"),
    ("train.json", ("images", 1, "file_name"), "../two.png", "leaves the images folder"),
    ("train.json", ("images", 1, "file_name"), "/two.png", "leaves the images folder"),
    ("train.json", ("images", 1, "id"), 1, "images: id 1 is given twice"),
    ("train.json", ("images", 1, "file_name"), "gone.png", "gone.png (1 of 7 are missing)"),
    ("val.json", ("images", 1, "file_name"), "two.png", "'two.png' is in train and in val"),
    ("train.json", ("categories", 1, "name"), "boat", "categories: name 'boat' is given twice"),
    ("val.json", ("categories", 1, "name"), "ship", "category 'cow' is in train but not in val"),
    ("val.json", ("categories", 1, "isthing"), 0, "category 'cow' is an object in one of train"),
    ("train.json", ("annotations", 2, "category_id"), 5, "annotations[2].category_id: no category"),
    ("train.json", ("annotations", 2, "image_id"), 99, "annotations[2].image_id: no image"),
    ("train.json", ("annotations", 0, "bbox"), [1, 2, 3], "annotations[0].bbox: [1.0, 2.0, 3.0]"),
    ("train.json", ("annotations", 0, "bbox"), [1, 2, -3, 4], "is not x, y, width, height"),
    ("train.json", ("annotations", 0, "segmentation"), "abc", "segmentation is a str"),
    ("train.json", ("annotations", 0, "segmentation"), [[1, 2, 3, 4]], "3 points or more"),
    ("train.json", ("annotations", 0, "segmentation"), [["a"] * 6], "not a list of numbers"),
    ("train.json", ("annotations", 0, "segmentation"), [polygon(0, 0, 1e9, 5)], "far outside"),
    (
        "train.json",
        ("annotations", 2, "segmentation", "size"),
        [30, 20],
        "annotations[2] of 'two.png': segmentation.size is [30, 20], the image's [height, width]",
    ),
    (
        "train.json",
        ("annotations", 2, "segmentation", "counts"),
        [1, 2],
        "segmentation.counts add up to 3, the image has 600 pixels",
    ),
    ("train.json", ("annotations", 2, "segmentation", "counts"), None, "neither a string nor"),
    ("train.json", ("annotations", 3, "segmentation", "counts"), "05", "not a run-length code"),
]


@pytest.mark.parametrize(("file", "path", "value", "message"), FAULTS)
def test_a_faulty_annotation_file(
    own: Path, file: str, path: tuple, value: object, message: str
) -> None:
    change(own / file, *path, to=value)
    with pytest.raises(DataError) as caught:
        load_dataset(str(own))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert file in str(caught.value) or "dataset.toml" in str(caught.value)


def test_not_json(own: Path) -> None:
    (own / "train.json").write_text("{")
    with pytest.raises(DataError, match=r"train\.json: not COCO JSON \(invalid JSON"):
        load_dataset(str(own))


def test_no_such_annotation_file(own: Path) -> None:
    (own / "train.json").unlink()
    with pytest.raises(DataError, match=r"train\.json: no such file"):
        load_dataset(str(own))


def test_files_of_one_subset_must_list_the_same_images(own: Path) -> None:
    toml = own / "dataset.toml"
    toml.write_text(toml.read_text().replace('"train.json"', '["train.json", "extra.json"]'))
    tree = json.loads((own / "train.json").read_text())
    (own / "extra.json").write_text(
        json.dumps(tree | {"images": tree["images"][1:]} | {"annotations": []})
    )
    with pytest.raises(DataError, match=r"extra\.json: image 'two\.png' is not in every"):
        load_dataset(str(own))
    tree["images"][0]["width"] = 31
    (own / "extra.json").write_text(json.dumps(tree | {"annotations": []}))
    with pytest.raises(DataError, match=r"'two\.png' is 31x20 here and 30x20"):
        load_dataset(str(own))


def test_an_image_of_another_size_is_named_when_it_is_read(own: Path) -> None:
    PIL.Image.fromarray(picture()[:, :25]).save(own / "images" / "nothing.png")
    sample = by_id(load_dataset(str(own)), "train")["nothing.png"]
    with pytest.raises(DataError, match=r"nothing\.png: the image is 25x20 .* says 30x20"):
        sample.load_image()


def test_without_pycocotools(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pycocotools", None)
    with pytest.raises(ConfigError, match=r"pip install 'biasaudit\[coco\]'"):
        load_dataset(str(own))


@pytest.mark.photos
@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photographs are not there")
class TestPhotographs:
    @pytest.fixture(scope="class")
    @classmethod
    def photos(cls) -> Dataset:
        return load_dataset(str(PHOTOS))

    def test_counts(self, photos: Dataset) -> None:
        counts = {name: len(samples) for name, samples in photos.subsets.items()}
        assert counts == {"train": 734, "val": 170, "test": 63}
        assert (len(photos.classes), len(photos.contexts)) == (15, 7)
        boats = [s for s in photos.subset("train") if "boat" in s.labels]
        forms = [s.regions["boat"].form for s in boats]
        assert (forms.count("mask"), forms.count("box")) == (25, 300)

    @WARNS
    def test_masks_agree_with_pycocotools(self, photos: Dataset) -> None:
        oracle = COCO(str(PHOTOS / "test.json"))
        ids = {image["file_name"]: image["id"] for image in oracle.loadImgs(oracle.getImgIds())}
        for sample in photos.subset("test"):
            for name, region in sample.regions.items():
                found = oracle.getAnnIds(ids[sample.id], catIds=oracle.getCatIds(catNms=[name]))
                masks = [oracle.annToMask(a) for a in oracle.loadAnns(found)]
                np.testing.assert_array_equal(region.load(), np.any(masks, axis=0))

    def test_every_image_has_the_size_of_its_masks(self, photos: Dataset) -> None:
        for samples in photos.subsets.values():
            for sample in samples[::10]:
                shape = sample.load_image().shape
                for region in sample.regions.values():
                    mask = region.load()
                    assert mask.shape == shape[:2]
                    assert region.area_fraction == pytest.approx(mask.mean(), abs=1e-12)


def test_plain_rle_of_the_helper_is_the_definition() -> None:
    assert plain_rle(np.array([[False, True], [False, True]]))["counts"] == [2, 2]
    assert plain_rle(np.array([[True, True], [False, True]]))["counts"] == [0, 1, 1, 2]
