"""The camera experiment by the command line: boxes of both orientations, both test sets."""

import json

SIZES = [
    f"--set=data.options.{name}={count}"
    for name, count in (("train", 8), ("val", 2), ("test1", 3), ("test2", 4))
]


def test_train_and_evaluate_with_nothing_else_said(biasaudit, tmp_path):
    trained = biasaudit(
        "train", "--data", "camera", "--mode", "gain_ext", "--box-labels", 3, "--epochs", 1, *SIZES
    )  # fmt: skip
    assert trained.code == 0, trained.err
    assert "3 labels of each of forward, reverse: 6 in all" in trained.err

    evaluated = biasaudit("evaluate", "--json")
    assert evaluated.code == 0, evaluated.err
    (run,) = json.loads(evaluated.out)["runs"]
    assert (run["object"], run["context"], run["backbone"]) == ("forward", None, "harbournet")
    assert (run["box_labels"], run["labels_by_form"]) == (3, {"box": 6})
    assert {name: split["overall"]["n"] for name, split in run["splits"].items()} == {
        "val": 4, "test1": 6, "test2": 8,
    }  # fmt: skip
    assert all(split["groups"] == {} for split in run["splits"].values())

    labels = json.loads((tmp_path / "runs" / run["name"] / "labels.json").read_text())
    assert labels["objects"] == ["forward", "reverse"]
    assert [entry["object"] for entry in labels["entries"]] == ["forward"] * 3 + ["reverse"] * 3
    assert {entry["form"] for entry in labels["entries"]} == {"box"}


def test_one_split_and_the_other_orientation(biasaudit):
    biasaudit("train", "--data", "camera", "--epochs", "1", *SIZES)
    answer = biasaudit("evaluate", "--split", "test2", "--object", "reverse", "--json")
    assert answer.code == 0, answer.err
    (run,) = json.loads(answer.out)["runs"]
    assert set(run["splits"]) == {"val", "test2"}
    assert run["object"] == "reverse"
