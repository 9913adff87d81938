"""What the sources say of the settings is what the program does with them."""

from pathlib import Path

import pytest
import typer
from command_line import verbs
from pydantic_core import PydanticUndefined

from biasaudit.cli import app
from biasaudit.cli.flags import FLAGS
from biasaudit.cli.listing import settings_page
from biasaudit.cli.sources import setting, settings, terms
from biasaudit.config import RepairSettings, Settings
from biasaudit.data.synthetic.camera import CameraSettings
from biasaudit.data.synthetic.harbour import HarbourSettings
from biasaudit.guidance.built_in import TERMS

ROOT = Path(__file__).resolve().parents[3]
FOUND = {of: {one.key: one for one in several} for of, several in settings().items()}


def told(schema, prefix=""):
    """Return every default of a class of settings, as the table writes it."""
    defaults = {}
    for name, field in schema.model_fields.items():
        value = field.get_default(call_default_factory=True)
        assert value is not PydanticUndefined
        text = str(value).lower() if isinstance(value, bool) else str(value)
        defaults[prefix + name] = "empty" if value in ({}, [], ()) else text
    return defaults


def same(found, expected):
    assert list(found) == list(expected)
    for key, default in expected.items():
        assert found[key].meaning.endswith("."), key
        if default == "None":  # a meaning says what stands in
            assert found[key].default != "None"
        else:
            assert found[key].default == default, key


@pytest.mark.parametrize("section", ["data", "model", "training"])
def test_every_setting_is_told_with_its_default(section):
    same(FOUND[section], told(Settings.model_fields[section].annotation, f"{section}."))


def test_the_settings_of_a_repair_are_told():
    same(FOUND["repair"], told(RepairSettings, "repair."))


def test_the_settings_of_the_whole_run_are_told():
    assert list(FOUND["whole run"]) == ["terms", "modes", "plugins"]


@pytest.mark.parametrize(
    ("dataset", "schema"), [("harbour", HarbourSettings), ("camera", CameraSettings)]
)
def test_the_settings_of_drawn_datasets_are_told(dataset, schema):
    defaults = {f"data.options.{k}": str(v) for k, v in vars(schema()).items()}
    same(FOUND[f"dataset {dataset}"], defaults)


@pytest.mark.parametrize("name", list(TERMS))
def test_the_options_of_every_built_in_term_are_told(name):
    same(FOUND[f"term {name}"], told(TERMS[name].options, f"terms.{name}."))


def test_terms_are_named_as_their_table_does():
    assert dict(terms()) == {name: TERMS[name].summary for name in TERMS}


def test_a_default_that_is_none_says_what_stands_in():
    assert setting("training.epochs").default == "the backbone's own"
    assert "where None" not in setting("training.epochs").meaning
    assert setting("training.seed").kind == "whole number ≥ 0, < 2^31"


def test_the_page_of_settings_is_current():
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    wanted = settings_page(settings())
    assert page == wanted, "run: biasaudit list settings --markdown > docs/settings.md"


@pytest.mark.parametrize("key", [key for key in FLAGS if key != "data.name"])
def test_the_help_of_a_flag_is_the_meaning_of_its_setting(key):
    command = verbs()["segment train" if key.startswith("segment.") else "train"]
    (option,) = (p for p in command.params if FLAGS[key] in p.opts)
    one = setting(key)
    assert option.help.startswith(one.meaning)
    assert option.help.endswith(f"Default: {one.default}.")


@pytest.mark.parametrize("key", ["repair.pixel_labels", "repair.box_labels", "repair.max_val_loss"])
def test_the_help_of_repair_is_the_meaning_of_its_setting(key):
    command = typer.main.get_command(app).commands["repair"]
    flag = "--" + key.partition(".")[2].replace("_", "-")
    (option,) = (p for p in command.params if flag in p.opts)
    one = setting(key)
    assert option.help.startswith(one.meaning)
    assert str(option.default) == one.default


@pytest.mark.parametrize(
    "verb",
    ["localize", "repair", "segment cues", "segment train", "segment evaluate", "segment export"],
)
def test_what_a_trained_model_brings_is_no_default_of_the_settings(verb):
    told = {flag: option.help for option in verbs()[verb].params for flag in option.opts}
    assert told["--data"].endswith("Default: the one of the training.")
    if "--device" in told and verb != "segment train":
        assert told["--device"].endswith("Default: that of the training.")
