import pytest
from report_factory import Recipe, World, write_runs

from biasaudit.report.grouping import build_audits, run_labels
from biasaudit.report.sections.localization import localization
from biasaudit.report.view import group_words
from biasaudit.results import Audit, Group, Overall, Run, Split, load_audits


def view(mode="baseline", labels=0, seed=0, name=None, **fields):
    values = {
        "name": name or f"{mode}-{labels}-{seed}",
        "object": "boat",
        "context": "water",
        "backbone": "net",
        "dataset": "d",
        **fields,
    }
    return Audit(Run(mode=mode, pixel_labels=labels, seed=seed, **values), source="here")


def split(accuracy, groups=()):
    return Split(
        overall=Overall(n=10, accuracy=accuracy, constant_baseline=0.5),
        groups={name: Group(n=5, accuracy=a) for name, a in groups},
    )


def test_labels_name_mode_and_budget_and_the_seed_only_where_it_differs():
    labels = run_labels([view(), view("gain_ext", 78, 0), view("gain_ext", 78, 1)])
    assert labels == ["baseline", "gain_ext · 78 labels (seed 0)", "gain_ext · 78 labels (seed 1)"]


def test_labels_are_never_the_same():
    assert run_labels([view(), view(), view()]) == [
        "baseline-0-0",
        "baseline-0-0 (2)",
        "baseline-0-0 (3)",
    ]
    assert run_labels([view(name="a"), view(name="b")]) == ["a", "b"]
    assert run_labels([view(box_labels=200)]) == ["baseline · 200 boxes"]


def test_runs_are_grouped_by_what_they_were_asked():
    views = [
        view(splits={"biased-boat": split(0.4, [("boat-without-water", 0.3)])}),
        view("gain", splits={"biased-boat": split(0.5, [("boat-without-water", 0.6)])}),
        view(object="car", context="road", splits={"biased-car": split(0.9, [("x", 0.9)])}),
    ]
    boat, car = build_audits(views)
    assert (boat.object, len(boat.columns), boat.number) == ("boat", 2, 1)
    assert (car.object, car.split, car.number) == ("car", "biased-car", 2)


def test_the_objects_own_split_comes_first_and_others_follow():
    splits = {
        "foggy": split(0.4, [("a", 0.3)]),
        "biased-boat": split(0.4, [("b", 0.3)]),
    }
    assert [audit.split for audit in build_audits([view(splits=splits)])] == [
        "biased-boat",
        "foggy",
    ]


def test_table_rows_in_the_papers_order(demo_runs):
    (audit,) = build_audits(load_audits(demo_runs))
    rows = audit.table()
    assert [row.key for row in rows] == [
        "val",
        "boat-without-water",
        "water-without-boat",
        "overall",
        "auroc",
    ]
    assert [row.n for row in rows] == [400, 200, 200, 400, 400]
    assert rows[1].note == "right answer: yes"
    assert rows[2].note == "right answer: no"
    assert rows[3].constant_baseline == 0.5


def test_overall_is_the_mean_of_the_groups(demo_runs):
    (audit,) = build_audits(load_audits(demo_runs))
    by_key = {row.key: row for row in audit.table()}
    for place in range(5):
        groups = [by_key[name].entries[place].value for name in audit.groups]
        assert by_key["overall"].entries[place].value == pytest.approx(sum(groups) / 2)


def test_gaps_are_val_minus_the_group(demo_runs):
    (audit,) = build_audits(load_audits(demo_runs))
    gap = audit.gaps()[0].entries[0]
    assert gap.value == pytest.approx(audit.val()[0].value - audit.group(audit.groups[0])[0].value)
    assert gap.low < gap.value < gap.high


def test_a_run_that_lacks_a_group_leaves_a_hole():
    views = [
        view(splits={"biased-boat": split(0.4, [("a", 0.3), ("b", 0.5)])}),
        view("gain", splits={"biased-boat": split(0.6, [("a", 0.6)])}),
        view("gain_ext", splits={"val": split(0.9)}),
    ]
    (audit,) = build_audits(views)
    rows = {row.key: row for row in audit.table()}
    assert [e.value for e in rows["b"].entries] == [0.5, None, None]
    assert [e.value for e in rows["overall"].entries] == [0.4, 0.6, None]
    assert [e.value for e in rows["val"].entries] == [None, None, 0.9]


def test_without_groups_there_is_val_alone():
    (audit,) = build_audits([view(splits={"val": split(0.9)})])
    assert audit.split is None
    assert [row.key for row in audit.table()] == ["val"]
    assert audit.gaps() == []
    assert localization(audit) == []


def test_overlap_keeps_only_places_with_attention(demo_runs):
    (audit,) = build_audits(load_audits(demo_runs))
    assert [row.name for row in localization(audit)] == ["val", "boat without water"]


def test_groups_of_unequal_size_keep_their_own_n(tmp_path):
    paths = write_runs(tmp_path, [Recipe("baseline", 0, 0.3, 0.6, 0.2)], World(n=(16, 110), side=8))
    (audit,) = build_audits(load_audits(paths))
    assert [row.n for row in audit.table()] == [400, 16, 110, 126, 126]


def test_group_words():
    assert group_words("boat-without-water") == "boat without water"
    assert group_words("sail-boat-without-deep-water") == "sail-boat without deep-water"
    assert group_words("x\u202e") == "x"
