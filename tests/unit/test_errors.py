"""Errors name fields; a Python caller reads an argument, a user of the command line a flag."""

import pickle

import pytest

from biasaudit.cli import train
from biasaudit.cli.flags import FLAGS, as_flag, complaint, message_of
from biasaudit.config import SegmentSettings, Settings, load_settings
from biasaudit.data.catalogue import load_dataset
from biasaudit.errors import ConfigError, DataError, RunError, named_field


@pytest.mark.parametrize(
    ("field", "value", "python", "flag"),
    [
        ("data.pixel_labels", 500, "pixel_labels=500", "--pixel-labels 500"),
        ("data.pixel_labels", None, "pixel_labels", "--pixel-labels"),
        ("data.pixel_labels", 0, "pixel_labels=0", "--pixel-labels 0"),
        ("data.name", "my photos", "name=my photos", "--data my photos"),
        ("split", "vall", "split=vall", "--split vall"),
        ("max_gap", "", "max_gap=", "--max-gap "),
        ("training.learning_rate", None, "learning_rate", "--set training.learning_rate"),
        ("model.frozen", 3, "frozen=3", "--set model.frozen=3"),
        (
            "data.options.folder",
            "FOLDER",
            "data.options.folder=FOLDER",
            "--set data.options.folder=FOLDER",
        ),
    ],
)
def test_a_field_in_both_writings(field, value, python, flag):
    error = ConfigError(f"a, {named_field(field, value)}: b", f"c {named_field(field, value)} d")
    assert str(error) == f"a, {python}: b; c {python} d"
    assert (error.message, error.hint) == (f"a, {python}: b", f"c {python} d")
    assert complaint(error) == f"a, {flag}: b; c {flag} d"
    assert message_of(error) == f"a, {flag}: b"
    assert error.field == field


def test_a_text_without_fields_stays_as_it_is():
    text = "shore: object and context=water, {object} `split` --mode"
    error = DataError(text)
    assert str(error) == complaint(error) == text
    assert error.field is None


def test_the_field_at_fault():
    both = f"{named_field('object')} and {named_field('context')} are both 'boat'"
    assert DataError(both).field == "object"
    assert DataError(both, field="context").field == "context"
    assert DataError("names no object", f"give {named_field('object')}").field is None


def test_an_error_passes_between_processes():
    error = RunError(f"{named_field('run', 'a')}: b", f"see {named_field('out')}", field="out")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), complaint(copy), copy.field) == (str(error), complaint(error), "out")
    assert copy.args == ("run=a: b",)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"data.pixel_labels": -1}, "data.pixel_labels"),
        ({"training.sede": 1}, "training.sede"),
        ({"training.seed.more": 1}, "training.seed.more"),
    ],
)
def test_settings_name_their_field(options, field):
    with pytest.raises(ConfigError) as error:
        load_settings(None, (), {"training.seed": 1, **options})
    assert error.value.field == field
    assert "--" not in str(error.value)


def test_an_option_of_a_dataset_is_named_in_full():
    with pytest.raises(ConfigError, match=r"^data\.options\.watr: 'harbour' has no") as error:
        load_dataset("harbour", {"watr": 1})
    assert error.value.field == "data.options.watr"


def test_flags_are_those_of_train(monkeypatch):
    """Every flag of train that stands for a setting, and no other, has its place in FLAGS."""
    given = {}

    def ask(file, assignments, options):
        given.update(options)
        raise ConfigError("asked")

    monkeypatch.setattr("biasaudit.config.load_settings", ask)
    names = {field: "--" + field.rpartition(".")[2].replace("_", "-") for field in FLAGS}
    assert {**names, "data.name": "--data"} == FLAGS
    with pytest.raises(ConfigError, match="asked"):
        train.train()
    assert set(given) == {field for field in FLAGS if not field.startswith("segment.")}
    tree = {**Settings().model_dump(), "segment": SegmentSettings().model_dump()}
    for field in FLAGS:
        section, _, name = field.partition(".")
        assert name in tree[section]
        assert as_flag(field, valued=False) == FLAGS[field]
