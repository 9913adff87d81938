"""A folder of images, nothing else: described, trained on, audited, tagged; from any folder."""

import csv
import html
import json
import re

import numpy as np
import pytest
from PIL import Image

from biasaudit.data.catalogue import load_dataset
from biasaudit.results import read_results

TINY = ["--backbone", "harbournet", "--weights", "none", "--image-size", 32, "--epochs", 1]
CLASSES = ("n01440764", "n02102040", "n03028079")


def draw(root, subset, classes=CLASSES, count=12, seed=0):
    """Write pictures whose hue tells the class, as Imagenette lays them out."""
    rng = np.random.default_rng(seed)
    for place, name in enumerate(classes):
        for number in range(count):
            image = rng.integers(0, 90, (48, 40, 3), dtype=np.uint8)
            image[..., place] += 120
            file = root / subset / name / f"{name}_{number}.JPEG"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(file, quality=90)
    return root


@pytest.fixture
def nette(tmp_path):
    return draw(tmp_path / "imagenette", "train")


def test_from_a_train_folder_to_a_report(biasaudit, nette, tmp_path):
    described = biasaudit("data", "init", "imagenette", "--object", "n02102040")
    assert described.code == 0, described.err
    assert "val = 0.15" in described.out
    trained = biasaudit("train", "--data", "imagenette", *TINY)
    assert trained.code == 0, trained.err
    evaluated = biasaudit("evaluate")
    assert evaluated.code == 0, evaluated.err
    assert "val (n=" in evaluated.out
    reported = biasaudit("report", "--out", "report.html")
    assert reported.code == 0, reported.err
    assert "n02102040" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_what_data_init_finds(biasaudit, nette, tmp_path):
    draw(tmp_path / "all", ".")
    draw(tmp_path / "deep" / "images", "test")
    told = {
        "imagenette": {"train": 31, "val": 5},
        "all": {"train": 31, "val": 5},
        "deep": {"test": 36},
    }
    for folder, sizes in told.items():
        assert biasaudit("data", "init", folder).code == 0
        data = load_dataset(str(tmp_path / folder))
        assert data.object == CLASSES[0]
        found = {name: len(samples) for name, samples in data.subsets.items()}
        assert found.keys() == sizes.keys()
        assert sum(found.values()) == 36
        assert all(abs(found[name] - size) <= 1 for name, size in sizes.items())
    again = biasaudit("data", "init", "all")
    assert again.code == 2
    assert "is there already" in again.err
    (tmp_path / "empty").mkdir()
    assert "no images in class folders" in biasaudit("data", "init", "empty").err
    assert "'biasaudit data init'" in biasaudit("train", "--data", "empty").err
    assert (
        "did you mean 'n01440764'?"
        in biasaudit("data", "init", draw(tmp_path / "more", "train"), "--object", "n0144076").err
    )


def test_test_images_alone_from_another_folder(biasaudit, nette, tmp_path, monkeypatch):
    """A relative dataset is found again from anywhere, and a folder with test images suffices."""
    assert biasaudit("data", "init", "imagenette").code == 0
    assert biasaudit("train", "--data", "imagenette", *TINY, "--out", "run").code == 0
    held = draw(tmp_path / "held", "test", seed=1)
    assert biasaudit("data", "init", held).code == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    own = biasaudit("evaluate", "--run", tmp_path / "run")
    assert own.code == 0, own.err
    run = ["--run", tmp_path / "run"]
    answer = biasaudit("evaluate", *run, "--data", "../held", "--out", "there", "--json")
    assert answer.code == 0, answer.err
    (found,) = json.loads(answer.out)["runs"]
    assert list(found["splits"]) == ["test"]
    assert found["splits"]["test"]["overall"]["n"] == 36
    assert list(found["classes"]) == ["test"]
    refused = biasaudit("train", "--data", "../held", *TINY)
    assert refused.code == 2
    assert "no subset 'train'" in refused.err


def test_train_alone_without_a_share_says_what_to_write(biasaudit, nette):
    (nette / "dataset.toml").write_text(f'format = "folder"\nimages = "."\nobject = "{CLASSES[0]}"')
    answer = biasaudit("train", "--data", nette, *TINY)
    assert answer.code == 2
    assert "no subset 'val'; write val = 0.15 into dataset.toml" in answer.err


def test_a_check_counts_classes_and_what_nobody_annotated(biasaudit, nette):
    for number in range(9):
        (nette / "train" / CLASSES[0] / f"{CLASSES[0]}_{number}.JPEG").unlink()
    assert biasaudit("data", "init", nette).code == 0
    answer = biasaudit("data", "check", "--data", nette, "--json")
    told = json.loads(answer.out)
    assert sum(told["classes"][CLASSES[0]].values()) == 3
    assert sum(told["classes"][CLASSES[1]].values()) == 12
    assert told["imbalance"]["train"] == pytest.approx(
        max(of["train"] for of in told["classes"].values())
        / min(of["train"] for of in told["classes"].values())
    )
    assert "images of each class" in biasaudit("data", "check", "--data", nette).out


def test_contexts_are_tagged_and_taken_back(biasaudit, nette, tmp_path):
    assert biasaudit("data", "init", nette).code == 0
    sheet = ["data", "contexts", "--data", nette]
    assert "names none" in biasaudit(*sheet).err
    options = ["--context", "grass", "--context", "water", "--subset", "val", "--subset", "train"]
    answer = biasaudit(*sheet, *options, "--out", "sheet")
    assert answer.code == 0, answer.err
    page = (tmp_path / "sheet" / "contexts.html").read_text(encoding="utf-8")
    assert page.count("<figure") == page.count("data:image/jpeg;base64,") == 36
    assert "http" not in page
    with (tmp_path / "sheet" / "contexts.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["image", "subset", "labels", "grass", "water"]
    assert len(rows) == 36
    # the page's rows are those of the table, ready to be joined with the tags
    starts = [html.unescape(row) for row in re.findall(r'data-row="([^"]*)"', page)]
    assert starts == [",".join(row[:3]) for row in rows]
    with (tmp_path / "tagged.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows([*row[:3], number % 2, ""] for number, row in enumerate(rows))
    back = biasaudit(*sheet, "--tags", "tagged.csv")
    assert back.code == 0, back.err
    assert "tagged: grass 36, water 0 of 36 images" in back.err
    data = load_dataset(str(nette))
    assert (data.context, data.contexts) == ("grass", ("grass", "water"))
    shown = [s for found in data.subsets.values() for s in found if "grass" in s.contexts]
    assert len(shown) == 18
    check = biasaudit("data", "check", "--data", nette)
    assert "images that nobody annotated for" in check.out  # water
    assert "-without-grass" in check.out
    # a second sheet begins with what was tagged
    assert biasaudit(*sheet, "--subset", "val", "--out", "again").code == 0
    with (tmp_path / "again" / "contexts.csv").open(newline="") as file:
        assert {row[3] for row in list(csv.reader(file))[1:]} <= {"0", "1"}


def test_results_without_val_stand_in_the_table(biasaudit, nette, tmp_path):
    assert biasaudit("data", "init", nette).code == 0
    assert biasaudit("train", "--data", nette, *TINY, "--out", "run").code == 0
    held = draw(tmp_path / "held", "test", seed=1)
    assert biasaudit("data", "init", held).code == 0
    answer = biasaudit("evaluate", "--run", "run", "--data", held)
    assert answer.code == 0, answer.err
    assert "test (n=36)" in answer.out
    assert list(read_results(tmp_path / "run").runs[0].splits) == ["test"]
