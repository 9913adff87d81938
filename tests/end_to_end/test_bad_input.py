"""Bad input: one line that names it and the way out, exit code 2, nothing left behind."""

import json

import numpy as np
import pytest
from PIL import Image


def assert_one_line(answer, *words, code=2):
    assert answer.code == code
    assert answer.out == ""
    lines = [line for line in answer.err.splitlines() if not line.startswith("note:")]
    assert len(lines) == 1, answer.err
    assert lines[0].startswith("error: ")
    for word in words:
        assert word in lines[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--mode", "gain_exd"], ["--mode gain_exd", "did you mean 'gain_ext'"]),
        (["--mode", "gain_ext"], ["--mode gain_ext", "--pixel-labels N"]),
        (["--mode", "gain_ext", "--pixel-labels", "999999"], ["--pixel-labels 999999", "at most"]),
        (["--pixel-labels", "-1"], ["--pixel-labels"]),
        (["--pixel-labels", "many"], ["--pixel-labels"]),
        (["--data", "nowhere"], ["--data nowhere", "no such folder"]),
        (["--data", "harbor"], ["--data harbor", "harbour"]),
        (["--object", "bota"], ["bota", "did you mean 'boat'"]),
        (["--context", "watr"], ["watr", "did you mean 'water'"]),
        (["--backbone", "resnet19"], ["resnet19", "did you mean 'resnet"]),
        (["--weights", "imagenet"], ["--weights imagenet", "scenes"]),
        (["--weights", "no.pth"], ["no.pth", "no such file"]),
        (["--device", "tpu"], ["--device", "auto"]),
        (["--device", "mps"], ["--device mps"]),
        (["--set", "training.sede=1"], ["did you mean 'seed'"]),
        (["--set", "data.options.watr=1"], ["data.options.watr"]),
        (["--config", "none.toml"], ["none.toml"]),
        (["--epochs", "0"], ["--epochs"]),
        (["--frobnicate"], ["--frobnicate"]),
    ],
)
def test_train(biasaudit, tmp_path, arguments, words):
    assert_one_line(biasaudit("train", *arguments), *words)
    assert not list(tmp_path.rglob("weights*"))
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["no run in runs/", "biasaudit train"]),
        (["--run", "nowhere"], ["--run nowhere", "no such folder"]),
        (["--run", "empty"], ["--run empty", "not a finished run"]),
    ],
)
def test_evaluate(biasaudit, tmp_path, arguments, words):
    (tmp_path / "empty").mkdir()
    assert_one_line(biasaudit("evaluate", *arguments), *words)


def test_evaluate_on_what_the_run_does_not_know(biasaudit, trained):
    trained()
    assert_one_line(biasaudit("evaluate", "--split", "biased-bota"), "biased-bota")
    assert_one_line(biasaudit("evaluate", "--split", "vall"), "vall", "val")
    assert_one_line(biasaudit("evaluate", "--object", "cow"), "cow")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["no results in runs/", "biasaudit evaluate"]),
        (["nowhere"], ["nowhere", "biasaudit evaluate"]),
        (["bad.json"], ["bad.json"]),
        (["--gallery", "-1"], ["--gallery"]),
        (["new.json"], ["newer", "update biasaudit"]),
        (["good.json", "--out", "report.docx"], ["report.docx", ".html"]),
    ],
)
def test_report(biasaudit, tmp_path, arguments, words):
    (tmp_path / "bad.json").write_text("{'runs'")
    (tmp_path / "new.json").write_text(json.dumps({"format_version": 99, "runs": []}))
    (tmp_path / "good.json").write_text(json.dumps({"format_version": 1, "runs": []}))
    assert_one_line(biasaudit("report", *arguments), *words)


@pytest.fixture
def photographs(tmp_path):
    """A COCO dataset of eight drawn images in a folder."""
    root = tmp_path / "photos"
    (root / "images").mkdir(parents=True)
    images, annotations = [], []
    for number in range(8):
        shade = np.full((40, 40, 3), 20 * number, dtype=np.uint8)
        Image.fromarray(shade).save(root / "images" / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": 40, "height": 40})
        annotations.append(
            {
                "id": number,
                "image_id": number,
                "category_id": 1 + number % 2,
                "iscrowd": 0,
                "bbox": [5, 5, 20, 20],
                "area": 400,
                "segmentation": [[5, 5, 25, 5, 25, 25, 5, 25]],
            }
        )
    categories = [
        {"id": 1, "name": "boat", "isthing": 1},
        {"id": 2, "name": "water", "isthing": 0},
    ]
    for subset, chosen in (("train", images[:4]), ("val", images[4:])):
        ids = {image["id"] for image in chosen}
        content = {
            "info": {"annotated_contexts": True},
            "images": chosen,
            "categories": categories,
            "annotations": [a for a in annotations if a["image_id"] in ids],
        }
        (root / f"{subset}.json").write_text(json.dumps(content))
    (root / "dataset.toml").write_text(
        'format = "coco"\nimages = "images"\nobject = "boat"\ncontext = "water"\n'
        '[subsets]\ntrain = "train.json"\nval = "val.json"\n'
    )
    return root


TINY = ("--backbone", "harbournet", "--batch-size", "2", "--epochs", "1", "--image-size", "32")


def test_photographs_that_are_right(biasaudit, photographs):
    answer = biasaudit(
        "train", "--data", photographs, *TINY, "--mode", "gain_ext", "--pixel-labels", "2"
    )
    assert answer.code == 0, answer.err
    answer = biasaudit("evaluate")
    assert answer.code == 0, answer.err
    assert "note: biased-boat: groups are drawn from 'val'" in answer.err


def test_an_unreadable_image(biasaudit, photographs, tmp_path):
    (photographs / "images" / "1.png").write_bytes(b"not a picture")
    assert_one_line(biasaudit("train", "--data", photographs, *TINY), "1.png")
    assert not list(tmp_path.glob("runs/*"))


def test_a_mask_of_another_size(biasaudit, photographs):
    file = photographs / "train.json"
    content = json.loads(file.read_text())
    content["annotations"][0]["segmentation"] = {"counts": [900], "size": [30, 30]}
    file.write_text(json.dumps(content))
    assert_one_line(biasaudit("train", "--data", photographs, *TINY), "train.json", "30")


def test_a_label_without_a_category(biasaudit, photographs):
    file = photographs / "train.json"
    content = json.loads(file.read_text())
    content["annotations"][0]["category_id"] = 77
    file.write_text(json.dumps(content))
    assert_one_line(biasaudit("train", "--data", photographs, *TINY), "train.json", "77")


def test_more_pixel_labels_than_there_are(biasaudit, photographs):
    answer = biasaudit(
        "train", "--data", photographs, *TINY, "--mode", "gain_ext", "--pixel-labels", "3"
    )
    assert_one_line(answer, "--pixel-labels 3", "ask for 2 at most")
