"""VOC: lists, annotations, label maps, and what is said of a faulty one."""

import numpy as np
import PIL.Image
import pytest
from coco_tree import rectangle
from four_formats import HEIGHT, WIDTH, put, put_map, write_voc

from biasaudit.data.catalogue import load_dataset
from biasaudit.data.checks.faults import Notebook
from biasaudit.errors import BiasAuditError


@pytest.fixture
def tree(tmp_path):
    return write_voc(tmp_path / "voc")


@pytest.fixture
def devkit(tree):
    return tree / "VOCdevkit" / "VOC2012"


def train(tree):
    return {s.id.partition(".")[0]: s for s in load_dataset(str(tree)).subset("train")}


def replace(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_boxes_stand_in_for_a_label_map(tree, devkit):
    (devkit / "SegmentationClass" / "two.png").unlink()
    two = train(tree)["two"]
    region = two.regions["boat"]
    assert region.form == "box"
    np.testing.assert_array_equal(region.load(), rectangle(2, 3, 12, 9) | rectangle(20, 2, 27, 8))
    assert two.regions["water"].form == "mask"


def test_an_object_without_a_box_has_no_region(tree, devkit):
    (devkit / "SegmentationClass" / "plain.png").unlink()
    put(
        devkit / "Annotations",
        "plain.xml",
        b"<annotation><object><name>boat</name></object><object><name>boat</name><bndbox>"
        b"<xmin>1</xmin><ymin>1</ymin><xmax>4.6</xmax><ymax>5</ymax></bndbox></object></annotation>",
    )
    plain = train(tree)["plain"]
    assert plain.labels == {"boat"}
    assert not plain.regions


def test_a_box_without_a_size_takes_the_image_s(tree, devkit):
    (devkit / "SegmentationClass" / "plain.png").unlink()
    (tree / "contexts" / "plain.png").unlink()
    put(
        devkit / "Annotations",
        "plain.xml",
        b"<annotation><object><name>boat</name><bndbox><xmin>1</xmin><ymin>1</ymin>"
        b"<xmax>4.6</xmax><ymax>99</ymax></bndbox></object></annotation>",
    )
    mask = train(tree)["plain"].regions["boat"].load()
    np.testing.assert_array_equal(mask, rectangle(0, 0, 5, HEIGHT))


def test_labels_without_an_annotation_come_from_the_label_map(tree, devkit):
    (devkit / "Annotations" / "two.xml").unlink()
    assert train(tree)["two"].labels == {"boat"}


def test_the_augmented_list(tree, devkit):
    """Its lines name the image and its mask, and its masks lie in a folder of their own."""
    put_map(devkit / "SegmentationClassAug", "plain.png", rectangle(0, 0, 3, 3).astype("u1") * 4)
    (devkit / "SegmentationClass" / "plain.png").unlink()
    put(tree, "aug.txt", b"/JPEGImages/plain.jpg /SegmentationClassAug/plain.png\n\n")
    replace(tree / "dataset.toml", 'train = "train"', 'train = "aug.txt"')
    replace(
        tree / "dataset.toml",
        "[subsets]",
        'masks = ["SegmentationClass", "SegmentationClassAug"]\n[subsets]',
    )
    (plain,) = load_dataset(str(tree)).subset("train")
    np.testing.assert_array_equal(plain.regions["boat"].load(), rectangle(0, 0, 3, 3))


def test_classes_of_one_s_own(tree, devkit):
    replace(tree / "dataset.toml", "[subsets]", 'classes = ["cow", "a", "b", "boat"]\n[subsets]')
    for file in (devkit / "SegmentationClass").iterdir():
        with PIL.Image.open(file) as image:
            values = np.array(image)
        values[values == 10] = 1
        PIL.Image.fromarray(values).save(file)
    dataset = load_dataset(str(tree))
    assert dataset.classes == ("cow", "a", "b", "boat")
    np.testing.assert_array_equal(
        train(tree)["cowfield"].regions["cow"].load(), rectangle(14, 4, 22, 11)
    )


def test_a_label_map_that_holds_more_than_the_annotation(tree, devkit):
    """The region is left out, and a check says so."""
    put(devkit / "Annotations", "two.xml", b"<annotation/>")
    two = train(tree)["two"]
    assert two.labels == frozenset()
    assert set(two.regions) == {"water"}
    notes = Notebook()
    load_dataset(str(tree), complain=notes)
    (fault,) = notes.faults
    assert fault.kind == "mask without its class"
    assert fault.file.endswith("two.png")
    assert "'boat'" in fault.message


def small_map(devkit, tree):
    put_map(devkit / "SegmentationClass", "two.png", np.zeros((5, 4), dtype=np.uint8))


def odd_value(devkit, tree):
    put_map(devkit / "SegmentationClass", "two.png", np.full((HEIGHT, WIDTH), 77, dtype=np.uint8))


def coloured_map(devkit, tree):
    PIL.Image.new("RGB", (WIDTH, HEIGHT)).save(devkit / "SegmentationClass" / "two.png")


FAULTS = {
    "image": (
        lambda devkit, tree: (devkit / "JPEGImages" / "two.jpg").unlink(),
        "missing file",
        "two.jpg: no such image file",
    ),
    "twice": (
        lambda devkit, tree: put(devkit / "ImageSets/Segmentation", "train.txt", b"two\ntwo\n"),
        "duplicate id",
        "two.jpg: listed twice",
    ),
    "xml": (
        lambda devkit, tree: put(devkit / "Annotations", "two.xml", b"<annotation>"),
        "faulty annotation",
        "two.xml: not XML",
    ),
    "number": (
        lambda devkit, tree: replace(devkit / "Annotations" / "two.xml", "<xmin>3", "<xmin>x"),
        "faulty annotation",
        "two.xml: bndbox.xmin is not a number ('x')",
    ),
    "empty box": (
        lambda devkit, tree: replace(devkit / "Annotations" / "two.xml", "<xmax>12", "<xmax>2"),
        "faulty annotation",
        "two.xml: bndbox of 'boat' holds no pixel",
    ),
    "nameless": (
        lambda devkit, tree: replace(devkit / "Annotations" / "two.xml", ">boat<", "><"),
        "faulty annotation",
        "two.xml: an object has no name",
    ),
    "class": (
        lambda devkit, tree: replace(devkit / "Annotations" / "two.xml", "boat", "boot"),
        "class without a name",
        "two.xml: object 'boot' is no class of the dataset; did you mean 'boat'?",
    ),
    "size": (small_map, "wrong size", "two.png: the mask is 4x5 pixels"),
    "value": (odd_value, "class without a name", "two.png: value 77 has no class"),
    "colours": (coloured_map, "unreadable", "two.png: a picture in colours (RGB)"),
    "broken": (
        lambda devkit, tree: put(devkit / "SegmentationClass", "two.png", b"PNG"),
        "unreadable",
        "two.png: not a mask that can be read",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_refused_and_a_check_goes_on(tree, devkit, name):
    plant, kind, message = FAULTS[name]
    plant(devkit, tree)
    with pytest.raises(BiasAuditError) as caught:
        load_dataset(str(tree))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    notes = Notebook()
    dataset = load_dataset(str(tree), complain=notes)
    assert kind in {fault.kind for fault in notes.faults}
    assert len(dataset.subset("val")) == 4


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('train = "train"', 'train = "trian"', "subsets.train: no such image list: trian"),
        ('"contexts"', '"context"', "context_masks: no such folder"),
        ("water = 56\ngrass = 29\n", "", "context_masks and [context_values] belong together"),
        ("water = 56", "water = 255", "context_values.water: 255 is void"),
        ("water = 56", "boat = 56", "context_values.boat: a class is called that already"),
        ("[subsets]", 'root = "VOC"\n[subsets]', "root: no such folder"),
        ("[subsets]", 'masks = ["Aug"]\n[subsets]', "masks: no such folder"),
    ],
)
def test_a_faulty_description(tree, old, new, message):
    replace(tree / "dataset.toml", old, new)
    with pytest.raises(BiasAuditError) as caught:
        load_dataset(str(tree))
    assert message in str(caught.value)
    assert str(tree / "dataset.toml") in str(caught.value)


def test_void_is_known_where_the_label_map_has_any(tree, devkit):
    file = devkit / "SegmentationClass" / "two.png"
    values = np.array(PIL.Image.open(file))
    assert train(tree)["two"].void is None
    values[3:5, 7:9] = 255
    PIL.Image.fromarray(values).save(file)
    two = train(tree)["two"]
    np.testing.assert_array_equal(two.void.load(), values == 255)
    assert not (two.regions["boat"].load() & two.void.load()).any()
    file.unlink()
    assert train(tree)["two"].void is None
