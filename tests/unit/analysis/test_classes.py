"""Recall, precision, confusion, and harm to other classes, counted by hand."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from biasaudit.analysis import class_harm, compare_audits, harm_sentence
from biasaudit.analysis.classes import class_answers
from biasaudit.errors import RunError
from biasaudit.results import Audit, Run, class_rows, read_classes, table_bytes
from biasaudit.statistics import wilson_interval

NAMES = ("boat", "car", "tree")


def table(labels, decisions, subset="val", top=None):
    ids = [f"{subset}-{i}" for i in range(len(labels))]
    return class_rows(
        subset,
        ids,
        NAMES,
        labels=labels,
        scores=np.asarray(decisions) - 0.5,
        decisions=decisions,
        top=decisions if top is None else top,
    )


def one_hot(*places):
    return np.eye(4, dtype=int)[list(places)][:, :3]


def test_recall_and_precision():
    found = class_answers(
        table([[1, 1, 0], [1, 0, 0], [0, 0, 0]], [[1, 0, 0], [0, 1, 0], [1, 1, 0]])
    )
    boat, car, tree = found["val"].classes.values()
    assert (boat.n, boat.recall, boat.predicted, boat.precision) == (2, 0.5, 2, 0.5)
    assert boat.recall_ci == wilson_interval(1, 2)
    assert (car.n, car.recall, car.precision) == (1, 0.0, 0.0)
    assert car.precision_ci == wilson_interval(0, 2)
    assert (tree.n, tree.recall, tree.recall_ci, tree.precision) == (0, None, None, None)
    # Two classes in one image, none in another: nobody chooses one.
    assert found["val"].top_1 is None
    assert found["val"].confusion is None


def test_a_subset_that_only_a_category_names_is_none():
    rows = table(one_hot(0, 1), one_hot(0, 1))
    rows["subset"] = pd.Categorical(rows["subset"], categories=["test", "val"])
    assert list(class_answers(rows)) == ["val"]


def test_confusion_where_each_image_has_one_class():
    rows = table(one_hot(0, 0, 1, 2, 2), one_hot(0, 1, 1, 2, 3))
    found = class_answers(rows)["val"]
    assert (found.n, found.top_1) == (5, 3 / 5)
    assert found.top_1_ci == wilson_interval(3, 5)
    assert found.confusion.classes == list(NAMES)
    assert found.confusion.counts == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    # The last image's highest score is of a class that the dataset does not know.
    assert found.confusion.elsewhere == [0, 0, 1]


def test_top_1_is_by_the_highest_score_even_without_a_yes():
    labels = one_hot(0, 1)
    found = class_answers(table(labels, np.zeros_like(labels), top=labels))["val"]
    assert found.top_1 == 1.0
    assert found.classes["boat"].recall == 0.0


def audit(*tables, object="boat"):
    run = Run(name="r", mode="m", object=object, context=None, backbone="b", dataset="d")
    return Audit(run, classes=pd.concat(tables, ignore_index=True))


def cars(right, n, extra=0):
    """``n`` cars, so many of them right, after ``extra`` boats that are all right."""
    labels = one_hot(*[0] * extra, *[1] * n)
    decisions = one_hot(*[0] * extra, *[1 if r else 3 for r in right])
    return labels, decisions


def test_harm_is_shown():
    """78 cars: 13 turn wrong, 2 right. The boats, all lost, are left out."""
    before = [1] * 60 + [0] * 18
    after = [1] * 47 + [0] * 13 + [1] * 2 + [0] * 16
    labels, first = cars(before, 78, extra=5)
    _, second = cars(after, 78, extra=5)
    second[:5] = 0
    found = class_harm(audit(table(labels, first)), audit(table(labels, second)))
    assert (found.pooled.n, found.pooled.worse, found.pooled.better) == (78, 13, 2)
    p = stats.binomtest(2, 15).pvalue
    assert found.pooled.p_value == pytest.approx(p)
    assert list(found.by_class) == ["car"]
    assert found.p_adjusted["car"] == pytest.approx(p)
    assert found.shown
    assert found.classes_shown == ["car"]
    assert harm_sentence(found) == (
        "78 images of other objects: 11 more wrong (13 turned wrong, 2 right), p = .007. "
        "By class (Holm): car 11 of 78."
    )


def test_no_harm_is_never_said_without_what_would_have_been_shown():
    labels, first = cars([1] * 78, 78)
    _, second = cars([0, 0] + [1] * 76, 78)
    found = class_harm(audit(table(labels, first)), audit(table(labels, second)))
    assert not found.shown
    # Six answers that turn one way are the fewest with p <= .05: 2 / 2**6 = .031.
    assert harm_sentence(found).startswith(
        "78 images of other objects: no harm shown: 2 more wrong (2 turned wrong, 0 right), "
        "p = .500; a loss of "
    )
    assert harm_sentence(found).endswith("fewer than 6 could not be shown at all.")
    likely = math.ceil(found.pooled.likely * 78 - 1e-6)
    assert f"a loss of {likely} or more would have been in four cases of five" in harm_sentence(
        found
    )
    assert 6 < likely < 12


def test_few_images_can_show_nothing_and_the_sentence_says_so():
    labels, first = cars([1] * 4, 4)
    _, second = cars([0] * 4, 4)
    told = harm_sentence(class_harm(audit(table(labels, first)), audit(table(labels, second))))
    assert told.endswith("so few can show no harm at all.")
    assert "no harm shown" not in told


def test_a_gain_is_no_harm():
    labels, first = cars([0] * 20, 20)
    _, second = cars([1] * 20, 20)
    found = class_harm(audit(table(labels, first)), audit(table(labels, second)))
    assert not found.shown
    assert found.classes_shown == []
    assert "20 fewer wrong" in harm_sentence(found)


def test_subsets_are_pooled_and_an_image_of_two_objects_counts_once():
    labels = [[0, 1, 1], [1, 1, 0]]
    first = audit(table(labels, labels), table(labels, labels, "test"))
    lost = audit(table(labels, np.zeros((2, 3))), table(labels, labels, "test"))
    found = class_harm(first, lost)
    assert (found.pooled.n, found.pooled.worse) == (4, 2)
    assert (found.by_class["car"].n, found.by_class["tree"].n) == (4, 2)


def test_the_order_of_rows_and_categories_changes_nothing():
    labels, first = cars([1] * 60 + [0] * 18, 78, extra=5)
    _, second = cars([1] * 47 + [0] * 31, 78, extra=5)
    before, after = audit(table(labels, first)), audit(table(labels, second))
    turned = after.classes.iloc[::-1].reset_index(drop=True)
    other = turned.assign(id=turned["id"].astype(object).astype("category"))
    texts = turned.astype({"subset": object, "id": object, "class": object})
    found = class_harm(before, after)
    assert found.pooled.worse == 13
    for rows in (turned, other, texts, texts.iloc[::-1]):
        assert class_harm(before, replace(after, classes=rows)).pooled == found.pooled
    some = after.classes[after.classes["id"] != "val-5"]
    assert class_harm(before, replace(after, classes=some)).pooled.n == 77


def test_what_cannot_be_compared():
    labels = one_hot(0, 1)
    whole = audit(table(labels, labels))
    assert class_harm(whole, replace(whole, classes=None)) is None
    boats = audit(table(one_hot(0, 0), labels))
    assert class_harm(boats, boats) is None
    with pytest.raises(RunError, match="'val-1' has the class 'car' in one of them alone"):
        class_harm(whole, audit(table(one_hot(0, 2), labels)))


def test_compare_carries_it(tmp_path):
    labels, first = cars([1] * 10, 10)
    _, second = cars([0] * 10, 10)
    rows = pd.DataFrame(
        {
            "split": "val",
            "group": "",
            "id": ["a", "b"],
            "label": [1, 0],
            "score": [1.0, -1.0],
            "decision": [1, 0],
            "correct": [1, 1],
            "energy_pointing_game": np.nan,
            "pair": "",
        }
    )
    sides = [replace(audit(table(labels, one)), per_image=rows) for one in (first, second)]
    found = compare_audits(*sides)["val"].harm
    assert found.pooled.worse == 10


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("label", "lable", "no column 'label'"),
        (",1,0.5,1,1,1", ",2,0.5,1,1,1", "row 2: label is neither 0 nor 1"),
        (",1,0.5,1,1,1", ",1,,1,1,1", "row 2: score is not a number"),
        (",1,0.5,1,1,1", ",1,0.5,1,0,1", "row 2: correct is not what"),
        ("val-0,car", "val-0,boat", "row 3: the image and class stand twice"),
    ],
)
def test_tables_that_are_refused(tmp_path, old, new, words):
    text = table_bytes(table(one_hot(0, 1), one_hot(0, 1))).decode()
    assert old in text
    file = tmp_path / "classes.csv"
    file.write_text(text)
    assert len(read_classes(file)) == 6
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(RunError, match=words):
        read_classes(file)


def test_class_names_are_kept_as_written(tmp_path):
    """A class called "null" or "007" is no missing value and no number."""
    rows = class_rows(
        "val",
        ["1"],
        ["null", "007"],
        labels=[[1, 0]],
        scores=[[1, -1]],
        decisions=[[1, 0]],
        top=[[1, 0]],
    )
    (tmp_path / "classes.csv").write_bytes(table_bytes(rows))
    assert read_classes(tmp_path / "classes.csv")["class"].tolist() == ["null", "007"]
