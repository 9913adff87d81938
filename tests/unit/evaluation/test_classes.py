"""Every class's decisions on scenes of one colour, by a network whose scores are those colours."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from biasaudit.data.sample import Dataset, Sample
from biasaudit.errors import RunError
from biasaudit.evaluation import audit as evaluation
from biasaudit.evaluation.classes import answer_classes, images_of, scores_of
from biasaudit.evaluation.predict import Subject, decisions_of, one_pass
from biasaudit.models.classifier import Classifier, PooledLinear
from biasaudit.results import CLASS_COLUMNS, Audit

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "grey": (40, 45, 50)}


def scene(id, colour, *labels, contexts=()):
    image = np.full((8, 8, 3), COLOURS[colour], np.uint8)
    return Sample(id, frozenset(labels), frozenset(contexts), lambda: image)


class Counted(Classifier):
    """Scores are the mean red, green and blue, less a half; counts the images it sees."""

    def __init__(self, *, softmax=False):
        body = nn.Conv2d(3, 3, 1, bias=False)
        body.weight.data = torch.eye(3)[:, :, None, None]
        head = PooledLinear(3, 3)
        head.linear.weight.data = torch.eye(3)
        head.linear.bias.data = torch.full((3,), -0.5)
        super().__init__(body, head, (0.0,) * 3, (1.0,) * 3)
        self.softmax = softmax
        self.seen = 0
        self.eval()

    def forward(self, images):
        self.seen += len(images)
        return super().forward(images)


def subject(**options):
    return Subject(Counted(**options), ("a", "b", "c"), 8, torch.device("cpu"), batch_size=2)


VAL = [scene("v0", "red", "a"), scene("v1", "green", "b"), scene("v2", "grey", "c")]
TEST = [
    scene("t0", "red", "a", contexts=["sky"]),
    scene("t1", "blue", "a"),
    scene("t2", "blue", "c", contexts=["sky"]),
    scene("t3", "green", "a", "b", contexts=["sea"]),
    scene("t4", "grey"),
]


def dataset(classes=("a", "b", "c", "z")):
    return Dataset("d", classes, ("sky", "sea"), {"train": VAL, "val": VAL, "test": TEST})


def decisions(table, subset):
    rows = table[table["subset"] == subset]
    return rows["decision"].to_numpy().reshape(-1, 3).tolist()


def test_each_class_for_itself_and_one_chosen():
    for softmax, grey in ((False, [0, 0, 0]), (True, [0, 0, 1])):
        one = subject(softmax=softmax)
        table = answer_classes(one, dataset(), scores_of(one, images_of(dataset())))
        assert tuple(table.columns) == CLASS_COLUMNS
        assert table["class"].unique().tolist() == ["a", "b", "c"]
        assert decisions(table, "val") == [[1, 0, 0], [0, 1, 0], grey]
        assert decisions(table, "test")[1:4] == [[0, 0, 1], [0, 0, 1], [0, 1, 0]]
        # The highest score is the highest one whatever the decision: grey is bluest.
        assert table.loc[table["id"] == "t4", "top"].tolist() == [0, 0, 1]
        assert (table["correct"] == (table["label"] == table["decision"])).all()


def test_a_class_is_chosen_with_less_than_half_of_the_probability():
    """Grey: .157, .176, .196 give log-odds of -.71, -.69, -.67: no score is above 0."""
    one = subject(softmax=True)
    done = one_pass(one, "c", [VAL[2]])
    logits = np.array([40, 45, 50]) / 255 - 0.5
    chances = np.exp(logits) / np.exp(logits).sum()
    assert done.table["score"].tolist() == pytest.approx([np.log(chances[2] / (1 - chances[2]))])
    assert done.table["score"].iloc[0] < 0
    assert done.table[["decision", "correct"]].to_numpy().tolist() == [[1, 1]]
    assert done.scores.shape == (1, 3)
    assert one_pass(one, "a", [VAL[2]]).table["decision"].tolist() == [0]


def test_the_first_of_equal_scores_is_chosen():
    assert decisions_of(np.array([[1, 1, 0], [0, 2, 2]], np.float32), True).tolist() == [
        [1, 0, 0],
        [0, 1, 0],
    ]
    assert decisions_of(np.array([[1, 1, 0]], np.float32), False).tolist() == [[1, 1, 0]]


def case(one, splits=("val", "biased-a")):
    found = evaluation.plan_splits(dataset(), splits, "a", "sky")
    about = {"name": "n", "mode": "baseline", "backbone": "b"}
    return evaluation.Case(one, dataset(), "a", "sky", found, about)


def test_an_audit_passes_no_image_twice(tmp_path):
    one = subject()
    ready = case(one)
    told = []
    audit = evaluation.audit(ready, evaluation.Request(all_pairs=True), told.append)
    # Val, and of test the images of the groups, then the others once.
    assert one.model.seen == len(VAL) + len(TEST) == sum(told) == evaluation.passes_of(ready)
    assert audit.classes.groupby("subset", observed=True).size().to_dict() == {"test": 15, "val": 9}
    figures = audit.run.classes["val"]
    assert (figures.n, figures.top_1) == (3, 1.0)
    assert figures.confusion.counts == np.eye(3, dtype=int).tolist()
    # t3 has two classes, t4 none.
    assert audit.run.classes["test"].top_1 is None
    assert audit.run.classes["test"].classes["a"].recall == pytest.approx(1 / 3)
    again = Audit.load(audit.save(tmp_path))
    pd.testing.assert_frame_equal(again.classes, audit.classes)
    assert again.run.classes == audit.run.classes
    (tmp_path / "classes.csv").write_text("other")
    with pytest.raises(RunError, match=r"classes\.csv: is not the file"):
        Audit.load(tmp_path)


def test_scores_that_are_no_numbers_are_refused():
    one = subject()
    one.model.head.linear.bias.data[1] = torch.nan
    with pytest.raises(RunError, match="'b' for image 'v0'"):
        answer_classes(one, dataset(), scores_of(one, images_of(dataset())))
