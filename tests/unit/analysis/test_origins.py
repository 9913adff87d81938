"""Which images an audit rests on."""

import pandas as pd

from biasaudit.analysis.origins import UNKNOWN, images_digest, origins_of
from biasaudit.results import Verdict

ROWS = [
    # subset, source, label, context, pair
    ("test", "web", 1, 1, ""),
    ("test", "web", 1, 0, ""),
    ("test", "own", 0, 1, ""),
    ("val", "own", 0, 0, ""),
    ("val", "own", 1, None, ""),
    ("val", "own", 1, 0, "4"),
]


def table():
    columns = ["subset", "source", "label", "context", "pair"]
    rows = pd.DataFrame(ROWS, columns=columns)
    rows["context"] = rows["context"].astype(float)
    return rows.assign(id=rows.index.astype(str), split="s", group="")


def test_counts_by_subset_and_source():
    verdict = Verdict(
        kind="biased", headline="", reason="", margin=0.05, level=0.95, strata=("test / web",)
    )
    found = origins_of(table(), "boat", "water", verdict)
    assert [(one.name, one.counts, one.compared) for one in found] == [
        ("test / own", {"water-without-boat": 1}, False),
        ("test / web", {"boat-with-water": 1, "boat-without-water": 1}, True),
        ("val / own", {"neither": 1, UNKNOWN: 1}, False),
    ]


def test_an_image_of_two_splits_counts_once():
    twice = pd.concat([table(), table().assign(split="t")])
    verdict = Verdict(kind="biased", headline="", reason="", margin=0.05, level=0.95)
    found = origins_of(twice, "boat", "water", verdict)
    assert sum(sum(one.counts.values()) for one in found) == 5


def test_the_digest_is_of_images_and_labels_not_of_answers():
    rows = table()
    assert len(images_digest(rows)) == 64
    assert images_digest(rows) == images_digest(rows.sample(frac=1, random_state=0))
    assert images_digest(rows) == images_digest(rows.assign(score=1.0, decision=0))
    for column, value in (("label", 0), ("context", 1.0), ("source", "x"), ("id", "9")):
        changed = rows.copy()
        changed.loc[4, column] = value
        assert images_digest(changed) != images_digest(rows)
