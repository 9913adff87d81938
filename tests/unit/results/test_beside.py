"""What localize and segment evaluate leave beside a run and a segmenter, and how it is read."""

import hashlib
import json

import numpy as np
import pytest
from report_factory import boxes, localized, write_audits, write_segmenter

from biasaudit.errors import RunError, RunFailedError
from biasaudit.results import (
    EXAMPLES_FILE,
    LOCALIZATION_FILE,
    RUN_WEIGHTS,
    SEGMENTATION_FILE,
    SEGMENTER_WEIGHTS,
    add_localization,
    load_all,
    load_audits,
    read_localization,
    read_segmentation,
)

OURS, OTHERS = "ab" * 32, "cd" * 32


def test_other_images_are_added_and_the_same_ones_replaced(tmp_path):
    localized(tmp_path, boxes(10, 5, (6, 5, 4)))
    localized(tmp_path, boxes(10, 6, (6, 5, 4), object="car"))
    localized(tmp_path, boxes(10, 7, (6, 5, 4)))
    found = read_localization(tmp_path, OURS)
    assert [(one.object, one.max_box_acc) for one in found.figures] == [("car", 0.6), ("boat", 0.7)]


def test_figures_of_other_weights_are_replaced_all(tmp_path):
    localized(tmp_path, boxes(10, 5, (6, 5, 4)), OTHERS)
    localized(tmp_path, boxes(10, 6, (6, 5, 4), object="car"))
    assert [one.object for one in read_localization(tmp_path, OURS).figures] == ["car"]


def test_a_broken_file_is_replaced(tmp_path):
    (tmp_path / LOCALIZATION_FILE).write_text("{")
    localized(tmp_path, boxes(10, 5, (6, 5, 4)))
    assert len(read_localization(tmp_path).figures) == 1
    assert [file.name for file in tmp_path.iterdir()] == [LOCALIZATION_FILE]


def test_nothing_measured_is_none(tmp_path):
    assert read_localization(tmp_path, OURS) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tree: tree.update(name=3), "name: input should be a valid string"),
        (lambda tree: tree.update(format_version=99), "format_version 99 is newer"),
        (lambda tree: tree.update(weights_sha256="x"), "weights_sha256"),
        (lambda tree: tree["figures"][0].update(max_box_acc=2), "max_box_acc"),
        (lambda tree: tree["figures"][0].pop("n"), "n: field required"),
        (lambda tree: tree["figures"][0].update(max_box_acc_ci=[0, 1e400]), "not finite"),
    ],
)
def test_a_wrong_localization_is_one_line(tmp_path, change, words):
    localized(tmp_path, boxes(10, 5, (6, 5, 4)))
    file = tmp_path / LOCALIZATION_FILE
    tree = json.loads(file.read_text())
    change(tree)
    file.write_text(json.dumps(tree))
    with pytest.raises(RunError, match=words) as error:
        read_localization(tmp_path)
    assert str(error.value).startswith(str(file))
    assert len(str(error.value).splitlines()) == 1


def test_a_localization_of_other_weights_than_the_audit(tmp_path):
    (run,) = write_audits(tmp_path)[:1]
    localized(run, boxes(10, 5, (6, 5, 4)), OTHERS)
    with pytest.raises(RunError, match="measured with other weights than results") as error:
        load_audits([run])
    assert error.value.hint == "run 'biasaudit localize' again"
    localized(run, boxes(10, 5, (6, 5, 4)), OURS)
    assert load_audits([run])[0].localization.figures[0].n == 10


def test_a_localization_is_taken_by_the_name_of_its_file(tmp_path):
    localized(tmp_path, boxes(10, 5, (6, 5, 4)))
    audits, beside = load_all([tmp_path / LOCALIZATION_FILE])
    assert (audits, [one.figures[0].n for one in beside.localizations]) == ([], [10])


def test_a_run_that_was_localized_alone_and_its_weights_changed(tmp_path):
    localized(tmp_path, boxes(10, 5, (6, 5, 4)), hashlib.sha256(b"ours").hexdigest())
    assert len(load_all([tmp_path])[1].localizations) == 1  # no weights beside the figures
    (tmp_path / RUN_WEIGHTS).write_bytes(b"ours")
    assert len(load_all([tmp_path])[1].localizations) == 1
    (tmp_path / RUN_WEIGHTS).write_bytes(b"others")
    with pytest.raises(RunError, match=r"other weights than weights\.safetensors") as error:
        load_all([tmp_path])
    assert error.value.hint == "run 'biasaudit localize' again"


def test_a_folder_that_cannot_be_written_loses_nothing(tmp_path):
    (tmp_path / "run").write_text("a file where the folder should be")
    with pytest.raises(RunFailedError, match="it is in ") as error:
        add_localization(tmp_path / "run", "run", OURS, boxes(10, 5, (6, 5, 4)))
    other = error.value.message.rpartition("it is in ")[2]
    assert f"{other}".startswith("/")


def test_a_segmenter_is_read_with_its_pictures(tmp_path):
    folder = write_segmenter(tmp_path / "drawer", {"background": 0.9, "boat": 0.5})
    found = read_segmentation(folder)
    assert found.record.figures[0].without_crf.iou == {"background": 0.9, "boat": 0.5}
    assert found.examples.ids.tolist() == [f"val-{n:05d}" for n in range(4)]
    assert read_segmentation(folder / SEGMENTATION_FILE).record == found.record


def test_pictures_are_those_of_the_last_subset(tmp_path):
    ious = {"background": 0.9, "boat": 0.5}
    write_segmenter(tmp_path / "drawer", ious)
    write_segmenter(tmp_path / "drawer", ious, subset="test")
    figures = read_segmentation(tmp_path / "drawer").record.figures
    assert [(one.subset, one.examples_sha256 is None) for one in figures] == [
        ("val", True),
        ("test", False),
    ]


def test_a_segmenter_whose_weights_changed(tmp_path):
    folder = write_segmenter(tmp_path / "drawer", {"background": 0.9, "boat": 0.5})
    (folder / SEGMENTER_WEIGHTS).write_bytes(b"others")
    with pytest.raises(RunError, match="other weights than segmenter") as error:
        read_segmentation(folder)
    assert error.value.hint == "run 'biasaudit segment evaluate' again"


def test_pictures_of_another_evaluation(tmp_path):
    folder = write_segmenter(tmp_path / "drawer", {"background": 0.9, "boat": 0.5})
    content = (folder / EXAMPLES_FILE).read_bytes()
    (folder / EXAMPLES_FILE).write_bytes(content + b"x")
    with pytest.raises(RunError, match="is not the file that evaluation"):
        read_segmentation(folder)
    (folder / EXAMPLES_FILE).unlink()
    assert read_segmentation(folder).examples is None


def test_a_mask_of_no_class(tmp_path):
    folder = write_segmenter(tmp_path / "drawer", {"background": 0.9, "boat": 0.5, "car": 0.1})
    file = folder / SEGMENTATION_FILE
    tree = json.loads(file.read_text())
    tree["classes"] = ["boat"]
    file.write_text(json.dumps(tree))
    with pytest.raises(RunError, match="a value of a mask is none of the 2 classes"):
        read_segmentation(folder)


def test_a_segmenter_that_was_not_measured(tmp_path):
    (tmp_path / SEGMENTER_WEIGHTS).write_bytes(b"")
    with pytest.raises(RunError, match="a segmenter that was not measured"):
        load_all([tmp_path])


def test_all_kinds_of_folders(tmp_path):
    run, other = write_audits(tmp_path / "runs")[:2]
    alone = localized(tmp_path / "alone", boxes(10, 5, (6, 5, 4)))
    drawer = write_segmenter(tmp_path / "drawer", {"background": 0.9, "boat": 0.5})
    audits, beside = load_all([run, alone, drawer, load_audits([other])[0]])
    assert [audit.name for audit in audits] == [load_audits([p])[0].name for p in (run, other)]
    assert [one.name for one in beside.localizations] == ["alone"]
    assert [one.record.name for one in beside.segmentations] == ["drawer"]
    with pytest.raises(RunError, match=r"no results\.json there"):
        load_all([tmp_path])


def test_arrays_of_another_shape(tmp_path):
    folder = write_segmenter(tmp_path / "drawer", {"background": 0.9, "boat": 0.5})
    found = read_segmentation(folder)
    arrays = {name: getattr(found.examples, name) for name in ("ids", "images", "masks")}
    np.savez(folder / EXAMPLES_FILE, **arrays, truths=found.examples.truths[:2])
    from biasaudit.inputs.files import Source
    from biasaudit.results import Examples

    with pytest.raises(RunError, match="array 'truths' has the shape"):
        Examples.load(Source(folder / EXAMPLES_FILE, RunError), 2)
