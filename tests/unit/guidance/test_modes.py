"""Modes, and modes that a user composes."""

import pytest

from biasaudit.config import load_settings
from biasaudit.errors import ConfigError
from biasaudit.guidance.modes import MODES, active_terms
from biasaudit.guidance.terms import TERMS, Term, TermOptions


@pytest.mark.parametrize("mode", list(MODES))
def test_every_mode_is_whole(mode):
    terms = active_terms(load_settings(None, [f"training.mode={mode}"]))
    assert [active.name for active in terms] == list(MODES[mode].terms)
    assert len(MODES[mode].summary.split()) >= 3
    assert all(len(TERMS[active.name].summary.split()) >= 3 for active in terms)


def test_a_terms_summary_is_the_first_line_of_what_its_function_says():
    assert TERMS["energy"].summary == "Share of the attention's energy outside the labelled region."
    assert Term(lambda step, options: step, TermOptions).summary == ""


def test_a_mode_of_the_users_own(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(
        "[training]\nmode = 'mine'\n[modes.mine.classification]\n"
        "[modes.mine.external]\nweight = 5.0\n[terms.external]\nscaling = 'none'\n"
    )
    cl, external = active_terms(load_settings(file))
    assert (cl.name, external.options.weight, external.options.scaling) == (
        "classification",
        5.0,
        "none",
    )


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["training.mode=gain_exd"], "mode=gain_exd: unknown mode; did you mean 'gain_ext'"),
        (["terms.mining.weight=1"], "terms.mining: mode 'baseline' has no such term"),
        (["training.mode=gain", "terms.mining.sigm=1"], "did you mean 'sigma'"),
        (["training.mode=gain", "terms.mining.sigma=2"], "terms.mining.sigma: Input should be"),
        (["training.mode=mine", "modes.mine.minning.weight=1"], "unknown loss term 'minning'"),
    ],
)
def test_what_does_not_exist_is_refused(assignments, message):
    with pytest.raises(ConfigError) as error:
        active_terms(load_settings(None, assignments))
    assert message in str(error.value)


def test_attention_methods_are_those_of_the_registry():
    settings = load_settings(None, ['training.mode="gain"', 'terms.mining.method="hires_cam"'], {})
    assert active_terms(settings)[1].options.method == "hires_cam"
    wrong = load_settings(None, ['training.mode="gain"', 'terms.mining.method="hirescam"'], {})
    with pytest.raises(ConfigError, match=r"terms\.mining\.method.*did you mean 'hires_cam'"):
        active_terms(wrong)
