"""Every mode and every option's default and range, written down a second time by hand."""

import pytest
from pydantic import ValidationError

from biasaudit.config import load_settings
from biasaudit.errors import ConfigError
from biasaudit.guidance.built_in import TERMS
from biasaudit.guidance.edited import edited_images
from biasaudit.guidance.modes import MODES, active_terms

# mode: weights of its terms, whether groups are balanced, epochs of the head alone
RECIPES = {
    "baseline": ({"classification": 1.0}, False, 0),
    "gain": ({"classification": 1.0, "mining": 1.0}, False, 0),
    "gain_ext": ({"classification": 1.0, "mining": 1.0, "external": 10.0}, False, 0),
    "evidence": ({"classification": 1.0, "evidence": 1.0, "absent": 1.0}, False, 0),
    "energy": ({"classification": 1.0, "energy": 0.3}, False, 0),
    "rrr": ({"classification": 1.0, "input_gradient": 0.003}, False, 0),
    "upweight": ({"classification": 1.0}, True, 0),
    "last_layer": ({"classification": 1.0}, False, 3),
    "edited": ({"classification": 1.0, "edited": 10.0}, False, 0),
    "counterfactual": (
        {"classification": 1.0, "evidence": 1.0, "absent": 1.0, "edited": 10.0},
        False,
        0,
    ),
}
ALL = {"weight": 1.0, "warmup_epochs": 0.0}
MAPS = {**ALL, "method": "grad_cam", "second_order": False}
DEFAULTS = {
    "classification": {**ALL, "over_classes": "sum"},
    "mining": {
        **MAPS,
        "warmup_epochs": 1.0,
        "sigma": 0.5,
        "mask_scale": 10.0,
        "scaling": "max",
        "score": "sigmoid",
        "fill": "mean",
        "batch_norm": "batch",
    },
    "external": {**MAPS, "scaling": "max"},
    "evidence": {**MAPS, "second_order": True},
    "absent": {**MAPS, "second_order": True},
    "energy": {**MAPS, "second_order": True},
    "input_gradient": {**ALL, "batch_norm": "batch"},
    "edited": {
        **ALL,
        "scale": 1.5,
        "least_area": 0.06,
        "shift": 0.15,
        "margin": 0.03,
        "covered": 0.5,
        "decoys": False,
        "body_gradient": 0.1,
    },
}
SPENDS_LABELS = {"external", "evidence", "energy", "input_gradient", "edited"}
# lowest and highest value allowed, then values refused
RANGES = [
    ("classification", "weight", (0.0, 1e6), (-1e-9, float("inf"), float("nan"))),
    ("classification", "warmup_epochs", (0.0, 100.0), (-0.1,)),
    ("mining", "warmup_epochs", (0.0, 100.0), (-0.1,)),
    ("mining", "sigma", (0.0, 1.0), (-0.01, 1.01)),
    ("mining", "mask_scale", (1e-6, 1e3), (0.0, -1.0)),
    ("edited", "scale", (1.0, 4.0), (0.99,)),
    ("edited", "least_area", (0.0, 0.99), (-0.01, 1.0)),
    ("edited", "shift", (0.0, 1.0), (-0.01, 1.01)),
    ("edited", "margin", (0.0, 0.5), (-0.01, 0.51)),
    ("edited", "covered", (0.0, 1.0), (-0.01, 1.01)),
    ("edited", "body_gradient", (0.0, 1.0), (-0.01, 1.01)),
]


def test_the_tables_name_every_mode_and_term_of_the_package():
    own = {name for name in TERMS if TERMS[name].compute.__module__.startswith("biasaudit.")}
    assert own == set(DEFAULTS)
    assert set(MODES) == set(RECIPES)


@pytest.mark.parametrize("mode", RECIPES)
def test_a_mode_weighs_its_terms_as_written(mode):
    weights, balanced, head_epochs = RECIPES[mode]
    active = active_terms(load_settings(None, [f"training.mode={mode}"]))
    assert {one.name: one.options.weight for one in active} == weights
    assert (MODES[mode].balanced, MODES[mode].head_epochs) == (balanced, head_epochs)
    assert MODES[mode].reads_context is (mode in {"upweight", "last_layer"})
    for one in active:  # a mode sets weights and nothing else
        told = one.options.model_dump()
        assert told == {**DEFAULTS[one.name], "weight": weights[one.name]}


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_term_has_the_defaults_as_written(name):
    term = TERMS[name]
    assert term.options().model_dump() == DEFAULTS[name]
    assert term.needs_labels is (name in SPENDS_LABELS)
    assert term.prepare is (edited_images if name == "edited" else None)


@pytest.mark.parametrize(("name", "option", "allowed", "refused"), RANGES)
def test_an_option_ends_where_it_says(name, option, allowed, refused):
    options = TERMS[name].options
    for value in allowed:
        assert getattr(options.model_validate({option: value}), option) == value
    for value in refused:
        with pytest.raises(ValidationError) as error:
            options.model_validate({option: value})
        assert error.value.errors()[0]["loc"] == (option,)


def test_of_several_faults_the_first_is_told():
    settings = load_settings(
        None, ["training.mode=gain", "terms.mining.sigma=2", "terms.mining.mask_scale=0"]
    )
    with pytest.raises(ConfigError, match=r"terms\.mining\.sigma: Input should be less") as error:
        active_terms(settings)
    assert error.value.field == "terms.mining.sigma"


def test_options_stay_as_they_are_read():
    options = TERMS["mining"].options()
    with pytest.raises(ValidationError, match="frozen"):
        options.sigma = 0.1
