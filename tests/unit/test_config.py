"""Settings: where they come from, and what is refused."""

import json
from pathlib import Path

import pytest

from biasaudit.config import Settings, load_settings
from biasaudit.errors import ConfigError


def test_the_later_wins(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text("[training]\nseed = 1\nepochs = 2\nmode = 'gain'\n")
    settings = load_settings(
        file, ["training.seed=5", "training.epochs=6"], {"training.epochs": 7, "data.object": None}
    )
    training = settings.training
    assert (training.mode, training.seed, training.epochs) == ("gain", 5, 7)
    assert settings.data.object is None


def test_config_json_is_read_again(tmp_path):
    settings = load_settings(None, ["terms.mining.sigma=0.4", "data.options.size=96"])
    file = tmp_path / "config.json"
    file.write_text(json.dumps(settings.model_dump(mode="json")))
    assert load_settings(file) == settings


def test_values_are_read_as_toml_else_as_text():
    settings = load_settings(None, ["data.flip=false", "data.name=my photos", "data.object='cow'"])
    assert (settings.data.flip, settings.data.name, settings.data.object) == (
        False,
        "my photos",
        "cow",
    )


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        (
            "training.sede=1",
            "set=training.sede=1: unknown setting 'training.sede'; did you mean 'seed'",
        ),
        ("trainig.seed=1", "did you mean 'training'"),
        ("training.seed=-1", "training.seed: input should be greater than or equal to 0"),
        ("training.device=gpu", "training.device: input should be 'auto'"),
        ("seed", "not of the form key=value"),
        ("=3", "not of the form key=value"),
        ("training.seed.more=3", "'seed' is no table; write training.seed=VALUE"),
    ],
)
def test_bad_assignments_name_the_way_out(assignment, message):
    with pytest.raises(ConfigError) as error:
        load_settings(None, ["training.seed=1", assignment])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_options_are_named_as_the_user_wrote_them():
    with pytest.raises(ConfigError, match=r"^pixel_labels=-3: input should be"):
        load_settings(None, (), {"data.pixel_labels": -3})


@pytest.mark.parametrize(
    ("content", "message"),
    [("seed = ", "config="), ("[training]\nsede = 1\n", "sede"), ("[trainin]\n", "training")],
)
def test_bad_files_are_refused(tmp_path, content, message):
    file = tmp_path / "a.toml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=message) as error:
        load_settings(file)
    assert "a.toml" in str(error.value)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml: no such file"):
        load_settings(tmp_path / "none.toml")


def test_defaults_are_valid():
    assert load_settings() == Settings()


@pytest.mark.parametrize(
    ("given", "kept", "folder"),
    [
        ("memory", "memory", None),
        ("off", "off", None),
        ("decoded", "{here}/decoded", "{here}/decoded"),
        ("/var/decoded", "/var/decoded", "/var/decoded"),
    ],
)
def test_a_cache_folder_is_kept_in_full(tmp_path, monkeypatch, given, kept, folder):
    """A run may be evaluated from elsewhere."""
    monkeypatch.chdir(tmp_path)
    data = load_settings(None, [f"data.cache={given}"], {}).data
    assert data.cache == kept.format(here=tmp_path)
    assert data.cache_folder == (None if folder is None else Path(folder.format(here=tmp_path)))
