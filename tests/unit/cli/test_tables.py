"""The table that ``evaluate`` prints."""

from biasaudit.cli.tables import results_table
from biasaudit.results import Group, OperatingPointRecord, Overall, Run, Split

GROUPS = ("boat-without-water", "water-without-boat")


def run_with(name, fitted, threshold):
    group = Group(n=50, accuracy=0.5, accuracy_ci=(0.4, 0.6))
    overall = Overall(n=100, accuracy=0.5, auroc=0.75)
    for part, value in ((group, fitted), (overall, fitted)):
        part.accuracy_at_operating_point = value
        part.accuracy_at_operating_point_ci = None if value is None else (value - 0.1, value + 0.1)
    return Run(
        name=name,
        mode="m",
        object="boat",
        context="water",
        backbone="b",
        dataset="d",
        operating_point=OperatingPointRecord(
            fitted_in="training", subset="val", n=9, positives=4, threshold=threshold
        ),
        splits={
            "biased-boat": Split(overall=overall, groups=dict.fromkeys(GROUPS, group)),
            "val": Split(overall=Overall(n=40, accuracy=0.9)),
        },
    )


def lines(table):
    columns = [list(column.cells) for column in table.columns]
    return list(zip(*columns, strict=True))


def test_the_fitted_accuracy_stands_below_the_raw_one():
    table = results_table([run_with("a", 0.8, 1.5), run_with("b", None, None)])
    assert lines(table) == [
        ("val (n=40)", "90.0", "90.0"),
        ("boat-without-water (n=50)", "50.0 [40, 60]", "50.0 [40, 60]"),
        ("  fitted", "80.0 [70, 90]", "–"),
        ("water-without-boat (n=50)", "50.0 [40, 60]", "50.0 [40, 60]"),
        ("  fitted", "80.0 [70, 90]", "–"),
        ("overall", "50.0", "50.0"),
        ("  fitted", "80.0 [70, 90]", "–"),
        ("AUROC", "0.75", "0.75"),
    ]
    assert "Fitted: a yes is a score above the threshold fitted on val" in str(table.caption)


def test_without_an_operating_point_there_is_no_such_row():
    table = results_table([run_with("b", None, None)])
    assert [line[0] for line in lines(table)] == [
        "val (n=40)",
        "boat-without-water (n=50)",
        "water-without-boat (n=50)",
        "overall",
        "AUROC",
    ]
    assert "Fitted" not in str(table.caption)
