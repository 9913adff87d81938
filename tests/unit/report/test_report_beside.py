"""Localization and segmentation in every form of the report, from records with known numbers."""

import base64
import csv
import io
import re

import numpy as np
import pytest
from PIL import Image
from report_factory import DEMO, World, boxes, localized, write_audits, write_segmenter

import biasaudit as ba
from biasaudit.report.build import render_html
from biasaudit.report.drawing.masks import FEW, VOID_COLOUR, colour_of, mask_uri
from biasaudit.report.export import render_csv, render_markdown
from biasaudit.report.sections.boxes import box_page
from biasaudit.report.sections.segmentation import segmentation_page
from biasaudit.results import Beside, IouFigures, load_all, load_audits, read_segmentation

SMALL = World(n=(8, 8), val=10, side=16)


@pytest.fixture
def runs(tmp_path):
    paths = write_audits(tmp_path / "runs", DEMO[:2], SMALL)
    return load_audits(
        [
            localized(path, boxes(100, right, (right + 5, right, 3)))
            for path, right in zip(paths, (20, 60), strict=True)
        ]
    )


@pytest.fixture
def drawer(tmp_path):
    ious = {"background": 0.9, "boat": 0.5, "car": None}
    crf = IouFigures(mean_iou=0.75, mean_iou_ci=(0.7, 0.8), iou={**ious, "boat": 0.6})
    return write_segmenter(tmp_path / "drawer", ious, with_crf=crf, n_without_masks=2)


def test_absent_where_nobody_measured(demo_runs):
    html = render_html(load_audits(demo_runs[:1]), gallery_size=0)
    assert 'id="localization"' not in html
    assert 'id="segmentation"' not in html
    assert "MaxBoxAcc" not in html
    assert "mean IoU" not in html


def test_localization_of_two_runs_in_one_table(runs):
    page = box_page(runs, [])
    assert [row.label for row in page.rows] == ["baseline", "gain"]
    assert [row.images for row in page.rows] == ["boat, test"] * 2
    assert page.levels == ("0.3", "0.5", "0.7")
    assert [e.value for e in page.rows[1].levels] == [0.65, 0.6, 0.03]
    assert page.rows[0].thresholds == "0.27, 0.31"
    (told,) = page.sentences
    # Wilson's intervals of 60 and 20 in 100, by an independent table
    assert told == (
        "boat, test, 100 images: the boxes of gain are right most often, 60% [50, 69]; those of "
        "baseline, 20% [13, 29]. The intervals do not touch."
    )
    html = render_html(runs, gallery_size=0)
    assert '<a href="#localization">Localization</a>' in html
    assert html.count('id="localization"') == 1
    assert '<b>60%</b> <span class="ci">[50, 69]</span>' in html
    assert "<dt>MaxBoxAcc</dt>" in html


def test_intervals_that_overlap_say_so(runs):
    runs[1].localization.figures[0] = boxes(100, 25, (30, 25, 3))
    assert box_page(runs, []).sentences[0].endswith("The intervals overlap.")


def test_one_run_and_runs_that_were_not_audited(tmp_path):
    alone = localized(tmp_path / "evidence-78", boxes(40, 10, (12, 10, 2), px_ap=None))
    _, beside = load_all([alone])
    page = box_page([], beside.localizations)
    assert page.sentences == (
        "boat, test, 40 images: 25% [14, 40] of the boxes that evidence-78 names are right, at "
        "thresholds chosen on 30 images of val.",
    )
    assert page.rows[0].px_ap.value is None
    html = render_html([], beside=beside)
    assert '<h1 class="verdict">Boxes and masks from attention</h1>' in html
    assert "evidence-78" in html


def test_classes_of_several_datasets_are_told_apart(tmp_path):
    path = localized(tmp_path / "run", boxes(40, 10, (12, 10, 2)))
    localized(path, boxes(40, 10, (12, 10, 2), dataset="photos"))
    _, beside = load_all([path])
    assert [row.images for row in box_page([], beside.localizations).rows] == [
        "boat, test, harbour",
        "boat, test, photos",
    ]


def test_segmentation_with_and_without_crf(drawer):
    page = segmentation_page([read_segmentation(drawer)])
    assert [(c.label, c.way) for c in page.columns] == [
        ("drawer", "network"),
        ("drawer", "with CRF"),
    ]
    assert [name for name, _ in page.rows] == ["mean", "background", "boat", "car"]
    values = {name: [e.value for e in entries] for name, entries in page.rows}
    assert values["mean"] == [pytest.approx(0.7), 0.75]
    assert values["boat"] == [0.5, 0.6]
    assert values["car"] == [None, None]
    assert page.sentences == (
        "drawer, from the attention of baseline-seed0: mean IoU 0.75 [0.70, 0.80] with the CRF, "
        "0.70 [0.20, 0.80] without it, on 40 images of val of harbour; 2 left out, which show a "
        "class without its region.",
    )
    assert [item.id for item in page.pictures] == [f"val-{n:05d}" for n in range(4)]
    assert [layer.label for layer in page.pictures[0].layers] == ["image", "truth", "drawer"]
    # 20 x 20 and 16 x 20 of 56 x 56 pixels, and two undecided rows
    assert page.pictures[0].layers[1].told == "boat 13%, undecided 4%"
    assert page.pictures[0].layers[2].told == "boat 10%"
    assert page.legend == (("boat", FEW[0]), ("car", FEW[1]), ("undecided", VOID_COLOUR))


def test_two_segmenters_share_a_photograph_and_the_colours(tmp_path, drawer):
    """A class keeps its colour where another segmenter knows it by another value."""
    other = write_segmenter(tmp_path / "other", {"background": 0.9, "car": 0.5, "boat": 0.4})
    page = segmentation_page([read_segmentation(drawer), read_segmentation(other)])
    assert len(page.pictures) == 4
    assert [layer.label for layer in page.pictures[0].layers] == [
        "image",
        "truth",
        "drawer",
        "other",
    ]
    assert page.pictures[0].layers[2].told.startswith("boat")
    assert page.pictures[0].layers[3].told.startswith("car")
    first, second = (decoded(page.pictures[0].layers[place].uri) for place in (2, 3))
    assert colours(first) == {FEW[0]}
    assert colours(second) == {FEW[1]}


def test_segmenters_of_one_name_are_told_apart(drawer):
    found = [read_segmentation(drawer)] * 2
    assert [c.label for c in segmentation_page(found).columns][::2] == ["drawer (1)", "drawer (2)"]


def test_segmenters_of_several_datasets_and_subsets_are_told_apart(drawer):
    ious = {"background": 0.9, "boat": 0.5, "car": None}
    for dataset, subset in (("harbour", "test"), ("photos", "val")):
        write_segmenter(drawer, ious, dataset=dataset, subset=subset, n=1)
    page = segmentation_page([read_segmentation(drawer)])
    assert [(c.label, c.way) for c in page.columns] == [
        ("drawer, val, harbour", "network"),
        ("drawer, val, harbour", "with CRF"),
        ("drawer, test, harbour", "network"),
        ("drawer, val, photos", "network"),
    ]
    (told,) = page.sentences
    assert told.endswith(
        "without its region. Mean IoU 0.70 [0.20, 0.80] on 1 image of test of harbour. "
        "Mean IoU 0.70 [0.20, 0.80] on 1 image of val of photos."
    )


def test_segmenters_of_several_subsets_do_not_name_their_one_dataset(drawer):
    write_segmenter(drawer, {"background": 0.9, "boat": 0.5, "car": None}, subset="test")
    page = segmentation_page([read_segmentation(drawer)])
    assert {c.label for c in page.columns} == {"drawer, val", "drawer, test"}


def test_a_run_has_one_name_in_tables_and_sentences(runs, drawer):
    found = read_segmentation(drawer)
    assert runs[1].run.mode == "gain"
    runs[1].run.weights_sha256 = found.record.run["weights"] = "ef" * 32
    (told,) = segmentation_page([found], runs).sentences
    assert told.startswith("drawer, from the attention of gain: ")
    assert "drawer, from the attention of gain: " in render_html(
        runs, gallery_size=0, beside=Beside(segmentations=(found,))
    )
    runs[1].run.weights_sha256 = None
    (told,) = segmentation_page([found], runs).sentences
    assert told.startswith("drawer, from the attention of baseline-seed0: ")


def test_one_image_is_no_plural(tmp_path):
    alone = localized(tmp_path / "evidence", boxes(1, 1, (1, 1, 1), n_val=1))
    (told,) = box_page([], load_all([alone])[1].localizations).sentences
    assert told.startswith("boat, test, 1 image: ")
    assert told.endswith("chosen on 1 image of val.")


def test_no_pictures_no_gallery(drawer):
    (drawer / "evaluation.npz").unlink()
    html = ba.report([drawer]).text
    assert 'id="segmentation"' in html
    assert 'class="card"' not in html


def test_a_mask_as_a_picture():
    mask = np.array([[0, 1], [3, 255]], np.uint8)
    picture = decoded(mask_uri(mask, 3))
    assert picture.shape == (2, 2, 4)
    assert picture[..., 3].tolist() == [[0, 190], [190, 190]]
    assert colours(picture) == {FEW[0], FEW[2], VOID_COLOUR}


def test_many_classes_have_colours_that_come_again():
    named = [colour_of(c, 40) for c in range(40)]
    assert len(set(named)) == 20
    assert named[:20] == named[20:]


def test_a_report_of_a_segmenter_stays_small(drawer):
    assert len(ba.report([drawer]).text.encode()) < 60_000


def test_markdown(runs, drawer):
    text = render_markdown(runs, Beside(segmentations=(read_segmentation(drawer),)))
    lines = text.splitlines()
    assert any(
        line == "| gain | boat, test | 100 | 60% [50, 69] | 25% [18, 34] | 65% [55, 74] | "
        "60% [50, 69] | 3% [1, 8] | 43% [10, 90] | 0.50 |"
        for line in lines
    )
    assert "| boat | 0.50 [0.40, 0.50] | 0.60 |" in lines
    heads = [line for line in lines if line.startswith("| run | images")]
    assert heads[0].count("|") == 11


def test_csv(runs, drawer):
    text = render_csv(runs, Beside(segmentations=(read_segmentation(drawer),)))
    rows = list(csv.DictReader(io.StringIO(text)))
    found = {
        (row["run"], row["object"], row["metric"]): row for row in rows if row["split"] == "test"
    }
    one = found["gain-0-s0", "boat", "max_box_acc"]
    assert (one["n"], one["value"], one["mode"]) == ("100", "0.6", "gain")
    assert float(one["low"]) == pytest.approx(0.502, abs=1e-3)
    assert found["gain-0-s0", "boat", "px_ap"]["low"] == ""
    masks = {(row["object"], row["metric"]): row["value"] for row in rows if row["run"] == "drawer"}
    assert masks["", "mean_iou_with_crf"] == "0.75"
    assert masks["boat", "iou"] == "0.5"
    assert ("car", "iou") not in masks


def test_hostile_names_are_text(tmp_path):
    name = '"><script>alert(1)</script>'
    path = localized(tmp_path / "run", boxes(40, 10, (12, 10, 2), object=name, subset=name))
    drawer = write_segmenter(tmp_path / "drawer", {"background": 0.5, name: 0.5})
    html = ba.report([path, drawer]).text
    assert "<script>alert" not in html


def decoded(uri):
    content = base64.b64decode(re.sub("^data:image/png;base64,", "", uri))
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))


def colours(picture):
    drawn = picture[picture[..., 3] > 0]
    return {"#" + bytes(pixel[:3]).hex() for pixel in np.unique(drawn, axis=0)}
