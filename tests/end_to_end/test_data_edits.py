"""An audit on edited pairs, where the biased groups are empty."""

from pathlib import Path

import pytest
from four_formats import write_coco

from biasaudit.results import read_per_image, read_results

PHOTOS = Path(__file__).parents[3] / "shared" / "photos"
TINY = ("--weights", "none", "--batch-size", "4", "--epochs", "1", "--image-size", "32")


def test_evaluate_on_edited_pairs(biasaudit, tmp_path):
    root = write_coco(tmp_path / "own")
    trained = biasaudit("train", "--data", root, "--backbone", "harbournet", *TINY, "--out", "run")
    assert trained.code == 0, trained.err
    answer = biasaudit("evaluate", "--run", "run", "--split", "edited-boat")
    assert answer.code == 0, answer.err
    assert "boat-removed (n=1)" in answer.out
    assert "note: edited-boat: 1 images, edited" in answer.err
    table = read_per_image(tmp_path / "run" / "per_image.csv")
    assert table.query("split == 'edited-boat'")["pair"].tolist() == ["alpha.png", "alpha.png"]
    assert set(table.query("split == 'val'")["pair"]) == {""}
    assert biasaudit("report", "run").code == 0
    listed = biasaudit("list", "splits", "--data", root)
    assert "edited-boat" in listed.out


def test_an_empty_group_is_listed_and_edited_pairs_stand_in(biasaudit, tmp_path):
    root = write_coco(tmp_path / "own")
    listed = biasaudit("list", "splits", "--data", root, "--object", "cow", "--context", "grass")
    assert listed.code == 0, listed.err
    (row,) = [line for line in listed.out.splitlines() if line.startswith("biased-cow")]
    assert "cannot be measured" in row
    assert "no image of subset 'test' is in group" in row


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photographs are not here")
@pytest.mark.photos
@pytest.mark.slow
def test_cows_and_grass_by_two_words(biasaudit, tmp_path):
    """biased-cow has an empty group; the edited pairs answer."""
    words = ("--object", "cow", "--context", "grass")
    trained = biasaudit("train", "--data", PHOTOS, *words, *TINY, "--out", "run")
    assert trained.code == 0, trained.err
    refused = biasaudit("evaluate", "--run", "run", "--split", "biased-cow")
    assert refused.code == 2
    assert "group 'cow-without-grass'" in refused.err
    assert "or measure --split edited-cow" in refused.err
    answer = biasaudit("evaluate", "--run", "run")
    assert answer.code == 0, answer.err
    assert "note: a group of biased-cow is empty: edited pairs instead" in answer.err
    split = read_results(tmp_path / "run").runs[0].splits["edited-cow"]
    assert {name: group.n for name, group in split.groups.items()} == {
        "cow-removed": 17,
        "cow-on-other-ground": 17,
        "cow-on-context-ground": 17,
        "cow-patch-on-other-ground": 17,
        "cow-patch-on-context-ground": 17,
    }
