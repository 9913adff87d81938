import shlex

from biasaudit.report.sections.provenance import (
    commands,
    facts,
    label_forms,
    settings_table,
    train_command,
)
from biasaudit.report.view import Column
from biasaudit.results import Audit, Run


def run(**fields):
    values = {
        "name": "r",
        "mode": "gain_ext",
        "object": "boat",
        "context": "water",
        "pixel_labels": 78,
        "seed": 2,
        "backbone": "mobilenet_v2",
        "dataset": "photos",
        **fields,
    }
    return Run(**values)


def test_a_bare_run():
    assert train_command(run()) == (
        "biasaudit train --data photos --mode gain_ext --object boat --context water "
        "--pixel-labels 78 --backbone mobilenet_v2 --seed 2"
    )


def test_settings_fill_the_options():
    settings = {
        "data": {"name": "../my photos", "image_size": 128, "options": {"water_given_boat": 0.5}},
        "model": {"weights": "imagenet"},
        "training": {"epochs": 6, "batch_size": None},
        "terms": {"mining": {"weight": 0.5}},
    }
    words = shlex.split(train_command(run(settings=settings, box_labels=9, context=None)))
    assert words[words.index("--data") + 1] == "../my photos"
    assert words[words.index("--box-labels") + 1] == "9"
    assert words[words.index("--image-size") + 1] == "128"
    assert words[words.index("--epochs") + 1] == "6"
    assert "--batch-size" not in words
    assert "--context" not in words
    assert "data.options.water_given_boat=0.5" in words
    assert "terms.mining.weight=0.5" in words


def test_names_cannot_break_out_of_the_command():
    command = train_command(run(object="boat; rm -rf ~ $(x) `y`"))
    assert "boat; rm -rf ~ $(x) `y`" in shlex.split(command)
    assert commands(run(), "biased-a b")[-1] == "biasaudit evaluate --split 'biased-a b'"
    assert commands(run(), None)[-1] == "biasaudit evaluate"


EXTERNAL = {"external": {"model": "resnet18", "state": "m.pth", "classes": ["boat", "car"]}}


def outside(**fields):
    settings = {**EXTERNAL, **fields.pop("settings", {})}
    return run(mode="external", name="mine", settings=settings, data="/d/photos", **fields)


def test_an_external_model_is_audited_and_not_trained():
    (line,) = commands(outside(), "biased-boat")
    words = shlex.split(line)
    assert words[:2] == ["biasaudit", "evaluate"]
    options = dict(zip(words[2::2], words[3::2], strict=True))
    assert options == {
        "--model": "resnet18",
        "--state": "m.pth",
        "--classes": "boat,car",
        "--name": "mine",
        "--data": "/d/photos",
        "--object": "boat",
        "--context": "water",
        "--split": "biased-boat",
    }
    assert facts(outside()) == ["external", "–", "–", "–", "–", "mobilenet_v2", "cpu"]


def test_a_repaired_external_model_is_repaired_first():
    record = {"repaired": "m.pth", "object": "boat", "settings": {"pixel_labels": 9}}
    repair, evaluate = commands(outside(settings={"repair": record}), None)
    assert repair.startswith("biasaudit repair --model resnet18 --state m.pth --classes boat,car")
    assert "--data /d/photos --object boat --pixel-labels 9" in repair
    assert evaluate.startswith("biasaudit evaluate --model resnet18")


def test_an_audit_on_other_data_names_them():
    *_, line = commands(run(data="/d/elsewhere"), "biased-boat")
    assert line == (
        "biasaudit evaluate --data /d/elsewhere --object boat --context water --split biased-boat"
    )
    assert commands(run(data="photos"), None)[-1] == "biasaudit evaluate"


def test_a_split_of_several_pairs_is_no_option():
    assert commands(run(), "biased-boat@water")[-1] == "biasaudit evaluate"


def test_differing_settings_come_first():
    trees = [{"a": 1, "t": {"mode": "x", "on": True}}, {"a": 1, "t": {"mode": "y"}}]
    columns = [Column(str(i), Audit(run(settings=tree))) for i, tree in enumerate(trees)]
    rows = settings_table(columns)
    assert [(row.key, row.values, row.same) for row in rows] == [
        ("t.mode", ("x", "y"), False),
        ("t.on", ("true", "–"), False),
        ("a", ("1", "1"), True),
    ]


def test_label_forms():
    assert label_forms(run(labels_by_form={"mask": 70, "box": 8})) == "8 boxes, 70 masks"
    assert label_forms(run(labels_by_form={"mask": 1, "box": 0})) == "1 mask"
    assert label_forms(run(pixel_labels=0)) == "none"
    assert label_forms(run()) == "form not recorded"
