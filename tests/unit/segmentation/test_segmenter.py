"""A segmenter is trained, kept, read again and measured."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import biasaudit as ba
from biasaudit.config import segment_settings
from biasaudit.data.sample import Region, Sample
from biasaudit.errors import ConfigError, DataError, RunError, RunFailedError
from biasaudit.segmentation.evaluate import evaluate_segmenter, truth_of
from biasaudit.segmentation.metrics import VOID
from biasaudit.segmentation.training import as_channels


@pytest.fixture(scope="module")
def data():
    return ba.load_dataset("harbour", options={"train": 60, "val": 12, "group": 4})


@pytest.fixture(scope="module")
def run(data):
    return ba.train(data, epochs=1)


@pytest.fixture(scope="module")
def segmenter(run, data):
    return ba.train_segmenter(run, data, iterations=120, learning_rate=0.02)


def test_training_lowers_every_loss_but_the_cost_of_agreement(segmenter):
    first, last = segmenter.losses[0], segmenter.losses[-1]
    assert [row["step"] for row in segmenter.losses] == [50, 100, 120]
    assert last["seed"] < first["seed"]
    assert last["expand"] < first["expand"]
    assert all(np.isfinite(value) for row in segmenter.losses for value in row.values())


def test_the_defaults_of_the_backbone_are_recorded(segmenter):
    settings = segmenter.settings
    assert (settings.image_size, settings.stride, settings.batch_size) == (64, 4, 15)
    assert (settings.weights, settings.seed) == ("scenes", 0)


def test_the_same_seed_gives_the_same_network(run, data):
    first, second = (ba.train_segmenter(run, data, iterations=3) for _ in range(2))
    for name, value in first.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name]), name
    other = ba.train_segmenter(run, data, iterations=3, seed=1)
    assert not torch.equal(first.network.head[-1].weight, other.network.head[-1].weight)


def test_figures_of_a_newer_version_are_refused_before_the_work(
    segmenter, data, tmp_path, monkeypatch
):
    saved = segmenter.save(tmp_path / "drawer")
    newer = '{"format_version": 2, "others": []}'
    (saved.path / "evaluation.json").write_text(newer)
    monkeypatch.setattr("biasaudit.segmentation.serve.evaluate_segmenter", None)
    with pytest.raises(RunError) as error:
        ba.evaluate_segmenter(saved, data, save=True)
    assert str(error.value) == (
        f"{saved.path / 'evaluation.json'}: format_version 2 is newer than 1; update biasaudit"
    )
    assert (saved.path / "evaluation.json").read_text() == newer


def test_saved_and_read_again(segmenter, data, tmp_path):
    saved = segmenter.save(tmp_path / "drawer")
    again = ba.load_segmenter(saved.path)
    assert (again.classes, again.settings, dict(again.run)) == (
        segmenter.classes,
        segmenter.settings,
        dict(segmenter.run),
    )
    image = data.subset("val")[0].load_image()
    np.testing.assert_array_equal(again.mask(image), segmenter.mask(image))
    assert sorted(file.name for file in saved.path.iterdir()) == [
        "segmenter.csv",
        "segmenter.json",
        "segmenter.safetensors",
    ]
    with pytest.raises(RunError, match="not an empty folder"):
        segmenter.save(saved.path)


def test_a_second_segmenter_has_the_name_of_its_own_folder(run, data, tmp_path):
    made = [ba.train_segmenter(run, data, iterations=1, parent=tmp_path) for _ in range(2)]
    assert made[1].name == f"{made[0].name}-2"
    for one in made:
        assert one.path.name == one.name == ba.load_segmenter(one.path).name


@pytest.mark.parametrize("verb", [ba.train_segmenter, ba.repair])
def test_a_folder_and_one_above_a_new_one_exclude_each_other(run, data, tmp_path, verb):
    with pytest.raises(ConfigError, match=r"^out=.*/a and parent=.*/b: .*; give one of them$"):
        verb(run, data, out=tmp_path / "a", parent=tmp_path / "b")
    assert not list(tmp_path.iterdir())


def test_probabilities_of_an_image_of_any_size(segmenter):
    image = np.random.default_rng(0).integers(0, 256, (30, 50, 3)).astype(np.uint8)
    for crf in (False, True):
        found = segmenter.probabilities(image, crf=crf)
        assert found.shape == (5, 30, 50)
        torch.testing.assert_close(found.sum(dim=0), torch.ones(30, 50))
        assert segmenter.mask(image, crf=crf).shape == (30, 50)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("segmenter.json", lambda text: "{", "not JSON"),
        ("segmenter.json", lambda text: text.replace("harbournet", "nonet"), "unknown backbone"),
        (
            "segmenter.json",
            lambda text: text.replace('"iterations": 120', '"iterations": -1'),
            "cannot be read",
        ),
        (
            "segmenter.json",
            lambda text: text.replace('"boat",', '"boat", "ship",'),
            r"does not fit segmenter.json \(size mismatch for .*; train the segmenter again",
        ),
        (
            "segmenter.safetensors",
            lambda text: "x",
            "segmenter.safetensors: not a file of weights .*; train the segmenter again",
        ),
    ],
)
def test_damaged_files_are_refused_in_one_line(segmenter, tmp_path, name, change, words):
    folder = segmenter.save(tmp_path / "drawer").path
    file = folder / name
    file.write_text(change(file.read_text() if name.endswith("json") else ""))
    with pytest.raises(ba.BiasAuditError, match=words) as error:
        ba.load_segmenter(folder)
    assert "\n" not in str(error.value)


def test_a_folder_without_a_segmenter(tmp_path):
    with pytest.raises(RunError, match="holds no segmenter"):
        ba.load_segmenter(tmp_path)
    with pytest.raises(RunError, match="no such folder"):
        ba.load_segmenter(tmp_path / "none")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"threshold": 1.0}, "threshold=1.0"),
        ({"iterations": 0}, "iterations=0"),
        ({"thresold": 0.3}, "did you mean 'threshold'"),
        ({"stride": 3}, "stride=3: not a power of two"),
        ({"weights": "none.pth"}, "none.pth"),
    ],
)
def test_settings_that_do_not_fit(run, data, setting, words):
    with pytest.raises(ConfigError, match=words):
        ba.train_segmenter(run, data, **setting)


def test_a_training_that_diverges_says_so(run, data, tmp_path):
    with pytest.raises(RunFailedError, match="the loss is") as error:
        ba.train_segmenter(run, data, iterations=30, learning_rate=1e30, out=tmp_path / "drawer")
    assert "learning_rate" in error.value.hint
    assert not (tmp_path / "drawer").exists()


def test_a_dataset_of_other_classes(segmenter, data, tmp_path):
    with pytest.raises(DataError, match="knows the class 'tree'"):
        ba.segment(segmenter, replace(data, classes=("boat", "car", "house")))


def test_a_dataset_in_memory_has_to_be_given_again(run, data):
    nameless = replace(data, origin="")
    made = ba.train_segmenter(run, nameless, iterations=1)
    with pytest.raises(ConfigError, match="no name loads again") as refused:
        ba.evaluate_segmenter(made)
    assert refused.value.field == "data.name"
    assert ba.evaluate_segmenter(made, nameless, crf=False).n == 12


def test_masks_as_arrays(segmenter, data):
    found = ba.segment(segmenter, data, crf=False)
    assert list(found) == [sample.id for sample in data.subset("val")]
    mask = next(iter(found.values()))
    assert (mask.dtype, mask.shape) == (np.uint8, (64, 64))
    np.testing.assert_array_equal(
        mask, segmenter.mask(data.subset("val")[0].load_image(), crf=False)
    )


def test_cues_name_present_classes_alone(run, data):
    for sample in data.subset("train"):
        present = {data.class_index[name] + 1 for name in sample.labels}
        found = ba.cues(run, data)[sample.id]
        assert set(np.unique(found)) <= present | {0, VOID}
        break
    with pytest.raises(ConfigError, match="unknown setting 'iterations'"):
        ba.cues(run, data, iterations=3)


def test_a_corrected_export_is_not_overwritten(segmenter, run, data, tmp_path):
    file = ba.export_masks(segmenter, tmp_path, data, subset="val", crf=False)
    assert len(json.loads(file.read_text())["images"]) == 12
    with pytest.raises(RunError, match=r"holds val\.json already"):
        ba.export_masks(run, tmp_path, data, subset="val")


def region(rows, form="mask"):
    return Region(form, lambda: np.array(rows, bool))


def sample(labels, regions):
    return Sample(
        "x", frozenset(labels), frozenset(), lambda: np.zeros((2, 3, 3), np.uint8), regions
    )


def test_truth_by_hand():
    big, small = region([[1, 1, 1], [1, 0, 0]]), region([[0, 1, 0], [0, 1, 0]])
    found = truth_of(sample("ab", {"a": big, "b": small}), ("a", "b"))
    assert found.tolist() == [[1, 2, 1], [1, 2, 0]]


def test_what_lies_in_a_box_alone_is_not_decided():
    box, mask = region([[1, 1, 0], [1, 1, 0]], "box"), region([[1, 0, 0], [0, 0, 0]])
    found = truth_of(sample("ab", {"a": box, "b": mask}), ("a", "b"))
    assert found.tolist() == [[2, VOID, 0], [VOID, VOID, 0]]


def test_void_is_not_decided_beside_masks():
    mask, void = region([[1, 0, 0], [0, 0, 0]]), region([[1, 1, 0], [0, 0, 0]])
    found = truth_of(replace(sample("a", {"a": mask}), void=void), ("a",))
    assert found.tolist() == [[1, VOID, 0], [0, 0, 0]]
    found = truth_of(replace(sample("", {}), void=void), ("a",))
    assert found.tolist() == [[VOID, VOID, 0], [0, 0, 0]]


def test_a_present_class_without_a_region_has_no_truth():
    assert truth_of(sample("a", {}), ("a",)) is None
    assert truth_of(sample("", {}), ("a",)).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_images_without_masks_are_left_out_and_counted(segmenter, data):
    known = data.subset("val")[0]
    lacking = sample(["boat"], {})
    found = evaluate_segmenter(segmenter, [known, lacking], "val", crf=False)
    assert (found.n, found.n_without_masks, found.with_crf) == (1, 1, None)
    with pytest.raises(DataError, match="no image has the regions"):
        evaluate_segmenter(segmenter, [lacking], "val")


class Answering:
    """A segmenter that gives every image of 2x3 pixels the same mask."""

    name, run, classes = "answering", {}, ("a", "b")

    def __init__(self, rows):
        self.rows = np.array(rows, np.uint8)

    def mask(self, image, *, crf=True):
        return self.rows


class Unasked:
    """A segmenter that no image is given to."""

    classes = ("a", "b")


def test_a_class_known_as_boxes_alone_has_no_iou_and_no_part_in_the_mean():
    mask, box = region([[1, 1, 0], [0, 0, 0]]), region([[0, 0, 1], [0, 0, 1]], "box")
    both = sample("ab", {"a": mask, "b": box})
    answering = Answering([[1, 0, 2], [2, 0, 0]])
    found = evaluate_segmenter(answering, [both, both], "val", crf=False).without_crf
    assert found.iou == {"background": 1 / 3, "a": 1 / 2, "b": None}
    assert found.mean_iou == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert "b" not in found.iou_ci
    absent = evaluate_segmenter(answering, [sample("a", {"a": mask})], "val", crf=False)
    assert absent.without_crf.iou["b"] == 0  # answered where it is not


def test_boxes_alone_are_refused_before_an_image_is_segmented():
    box = sample("a", {"a": region([[1, 1, 0], [1, 1, 0]], "box")})
    for samples in ([box], [box, sample("", {})]):
        with pytest.raises(DataError, match="subset 'val': no image has a mask") as refused:
            evaluate_segmenter(Unasked(), samples, "val")
        assert refused.value.hint == "name a subset whose images have masks"


def test_a_perfect_segmenter_scores_one(data):
    class Perfect:
        name, run, classes = "perfect", {}, data.classes

        def mask(self, image, *, crf=True):
            return next(t for s, t in truths if np.array_equal(s.load_image(), image))

    truths = [(s, truth_of(s, data.classes)) for s in data.subset("val")]
    found = evaluate_segmenter(Perfect(), data.subset("val"), "val")
    assert found.without_crf.mean_iou == found.with_crf.mean_iou == 1.0
    assert set(found.without_crf.iou) == {"background", *data.classes}


def test_cues_as_channels():
    cues = torch.tensor([[[0, 2], [VOID, 1]]], dtype=torch.uint8)
    found = as_channels(cues, 3)
    assert found.shape == (1, 3, 2, 2)
    assert found.sum() == 3
    assert [found[0, 0, 0, 0], found[0, 2, 0, 1], found[0, 1, 1, 1]] == [1, 1, 1]


def test_settings_are_named_with_their_section():
    with pytest.raises(ConfigError) as error:
        segment_settings({"background": 2})
    assert error.value.field == "segment.background"


def test_regions_that_a_run_was_trained_with(data, run):
    guided = ba.train(data, "gain_ext", pixel_labels=4, epochs=1)
    with_them = ba.train_segmenter(guided, data, iterations=1, regions=True)
    without = ba.train_segmenter(guided, data, iterations=1)
    assert (with_them.settings.regions, without.settings.regions) == (True, False)
    assert with_them.losses[0]["seed"] != without.losses[0]["seed"]
    with pytest.raises(ConfigError, match="was trained without pixel labels"):
        ba.train_segmenter(run, data, iterations=1, regions=True)
    id = guided.labels.entries[0].id
    fewer = [sample for sample in data.subset("train") if sample.id != id]
    other = replace(data, subsets={**data.subsets, "train": fewer})
    with pytest.raises(DataError, match=f"no training image '{id}'"):
        ba.train_segmenter(guided, other, iterations=1, regions=True)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((6, 8), np.uint8),
        np.zeros((6, 8, 4), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((6, 8, 3)),
    ],
)
def test_an_image_of_another_form_is_refused(segmenter, image):
    with pytest.raises(DataError, match=r"image: \w+ of shape .*\(H, W, 3\) uint8"):
        segmenter.mask(image)


def test_a_run_is_no_segmenter_and_a_segmenter_has_no_threshold(run, segmenter, data, tmp_path):
    for call in (ba.segment, ba.evaluate_segmenter):
        with pytest.raises(ConfigError, match="not a segmenter; train one"):
            call(run, data)
    with pytest.raises(ConfigError, match="'threshold'; a segmenter's masks have none"):
        ba.export_masks(segmenter, tmp_path / "masks", data, threshold=0.5)
    assert not (tmp_path / "masks").exists()


def test_masks_are_exported_from_a_folder(segmenter, data, tmp_path):
    folder = segmenter.save(tmp_path / "drawer").path
    file = ba.export_masks(str(folder), tmp_path / "masks", data, subset="val", crf=False)
    assert len(json.loads(file.read_text())["images"]) == 12
    with pytest.raises(RunError, match="no such folder"):
        ba.export_masks(tmp_path / "none", tmp_path / "more", data)
