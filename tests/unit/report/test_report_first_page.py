"""The first layer of the report: a decision for each model."""

import re
from dataclasses import replace

import numpy as np
import pytest
from report_factory import Recipe, World, add_decision, audited, write_audits, write_runs

from biasaudit.report.build import render_html
from biasaudit.report.export import render_markdown, render_model_card
from biasaudit.report.grouping import build_audits
from biasaudit.report.sections.cards import cards, common_identity
from biasaudit.report.sections.excess import excess, front
from biasaudit.report.sections.matrix import matrix, notes, origins, unknown
from biasaudit.report.sections.telling import partner, telling
from biasaudit.results import (
    Answered,
    AnswerEffect,
    GateRecord,
    Skipped,
    load_audits,
    read_results,
)

RECIPES = [Recipe("baseline", 0, 0.3, 0.4, 0.2), Recipe("gain_ext", 78, 0.97, 0.98, 0.7)]
REPAIR = {"repair": {"repaired": "runs/baseline-0-s0", "settings": {}}}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    world = World(n=(60, 60), val=40, side=16)
    return write_audits(tmp_path_factory.mktemp("audits"), RECIPES, world)


@pytest.fixture(scope="module")
def views(paths):
    return load_audits(paths)


@pytest.fixture(scope="module")
def audit(views):
    return build_audits(views)[0]


def test_every_model_has_its_own_verdict(audit):
    first, second = cards(audit, 0)
    assert (first.label, first.kind, first.badge) == ("baseline", "biased", "Biased by water")
    assert second.kind != "biased"
    recorded = audit.splits()[0].verdict
    assert (first.effect.value, first.effect.low) == (recorded.effect, recorded.effect_ci[0])
    assert first.advice.first.startswith("do not deploy it where boat and water part")


def test_cost_is_counted_against_the_lead_run(audit):
    first, second = cards(audit, 0)
    assert [name for name, _ in first.costs] == ["val"]
    told = dict(second.costs)
    assert "0 points" in told["val"]
    assert "against baseline" in told["val"]
    assert told["others"] == "other classes not measured"
    assert told["labels"] == "78 images outlined"


def test_what_the_cards_share_is_said_once(audit):
    made, shared = common_identity(cards(audit, 0))
    assert dict(shared)["audited"] == "2026-11-21"
    assert dict(shared)["weights"] == "sha256 abababababab…"
    assert all(card.identity == [] for card in made)
    alone, none = common_identity(cards(audit, 0)[:1])
    assert (none, len(alone[0].identity)) == ([], 4)


def test_gates_stand_on_the_card(paths, tmp_path):
    line = "FAIL  val.accuracy = 0.950 [0.900, 0.980] (at least 0.97, held against the estimate)"
    gate = GateRecord(name="val.accuracy", passed=False, line=line)
    runs = load_audits(paths[:1])
    runs[0] = replace(runs[0], run=runs[0].run.model_copy(update={"gates": [gate]}))
    (card,) = cards(build_audits(runs)[0], 0)
    assert card.gates == ["✗ failed: val.accuracy = 0.950 (at least 0.97)"]


def test_the_four_groups_make_the_effect(audit):
    found = matrix(audit, [0])
    verdict = audit.splits()[0].verdict
    assert [(q.name, q.aligned) for q in found.quarters] == [
        ("boat-with-water", True),
        ("boat-without-water", False),
        ("water-without-boat", False),
        ("neither", True),
    ]
    assert [q.training for q in found.quarters] == [95, 5, 5, 95]
    shares = [float(re.search(r"\((\d+) of", q.yes[0][1])[1]) / q.n for q in found.quarters]
    effect = (shares[0] - shares[1] + shares[2] - shares[3]) / 2
    # val has none of the conflicting groups, so that test alone enters
    assert found.strata == ("test",)
    assert effect == pytest.approx(verdict.effect)
    assert f"= {100 * effect:+.0f} points" in found.sums[0][1]


def test_origins_and_unknown_contexts(views):
    table = views[0].per_image.copy()
    table.loc[table["split"] == "val", "context"] = np.nan
    (audit,) = build_audits([replace(views[0], per_image=table)])
    found = origins(audit)
    assert [one.name for one in found] == ["test", "val"]
    assert unknown(found) == 40
    html = render_html([replace(views[0], per_image=table)], gallery_size=0)
    assert "40 images are not annotated for water and are left out: unknown is not no." in html


def test_notes_of_the_split_are_shown(paths):
    run = read_results(paths[0]).runs[0]
    run.splits["biased-boat"].note = "all images of a group are taken by hand"
    (audit,) = build_audits([replace(load_audits(paths[:1])[0], run=run)])
    assert notes(audit) == ["All images of a group are taken by hand."]


def test_images_that_could_not_be_read_are_told(views):
    run = views[0].run.model_copy(update={"skipped": Skipped(n=3)})
    html = render_html([replace(views[0], run=run)], gallery_size=0)
    assert "baseline: 3 images could not be read and were left out." in html


def test_two_pictures_of_wrong_answers_that_the_other_run_mends(audit):
    assert partner(audit, 0) == 1
    found = telling(audit, 0)
    assert [one.item.group for one in found] == list(audit.groups)
    assert [one.title for one in found] == [
        "boat without water: boat missed",
        "water without boat: taken for boat",
    ]
    for one in found:
        assert [shot.correct for shot in one.shots] == [False, True]
        assert one.item.photo.startswith("data:image/")


def test_a_repaired_run_stands_beside_the_baseline_before_a_better_one(tmp_path):
    recipes = [*RECIPES, Recipe("baseline+repair", 9, 0.8, 0.8, 0.5)]
    paths = write_runs(tmp_path, recipes, World(n=(30, 30), val=20, side=8))
    for path, changes in zip(paths, ({}, {}, {"settings": REPAIR}), strict=True):
        audited(path, **changes)
    (audit,) = build_audits(load_audits(paths))
    assert partner(audit, 0) == 2
    assert [point.before for point in front(audit)] == [None, None, 0]


def test_attention_on_object_and_context_with_their_counts(audit):
    first, _ = excess(audit)
    verdict = audit.splits()[0].verdict
    assert (first.object.value, first.context.value) == (
        verdict.object_excess,
        verdict.context_excess,
    )
    assert first.context.value == pytest.approx(0.2)
    assert (first.object.n, first.object_of, first.context.n) == (60, 60, 60)


def test_a_figure_on_few_images_says_so(views):
    table = views[0].per_image.copy()
    boats = table.index[table["group"] == "boat-without-water"]
    table.loc[boats[7:], "energy_pointing_game"] = np.nan
    run = views[0].run.model_copy(deep=True)
    run.splits["biased-boat"].groups["boat-without-water"].attention.n_valid = 7
    html = render_html([replace(views[0], run=run, per_image=table)], gallery_size=0)
    assert "Images with a map: baseline 7 of 60." in html
    assert ">7 of 60</td>" in html


def test_no_empty_section_for_one_run(views):
    html = render_html(views[:1], gallery_size=0)
    assert "What labels buy" not in html
    assert 'href="#labels"' not in html
    assert "This model is biased by water." in html


def test_an_all_zero_map_says_so(tmp_path):
    paths = write_runs(tmp_path, RECIPES[:1], World(n=(3, 3), val=4, side=8))
    arrays = dict(np.load(paths[0] / "gallery.npz"))
    arrays["maps"][0] = 0
    np.savez_compressed(paths[0] / "gallery.npz", **arrays)
    html = render_html(load_audits(paths))
    assert html.count("all-zero map") == 1
    assert html.count("the attention map is zero everywhere") == 1


def test_runs_without_a_verdict_keep_their_sentences(demo_runs):
    html = render_html(load_audits(demo_runs), gallery_size=0)
    assert '<ul class="models">' not in html
    assert 'class="verdict">Where boat and water part' in html


def test_other_forms_say_what_the_page_says(paths, tmp_path):
    copies = write_audits(tmp_path, RECIPES, World(n=(60, 60), val=40, side=16))
    for path in copies:
        add_decision(path, 0.3)
    views = load_audits(copies)
    (audit,) = build_audits(views)
    for render in (render_markdown, render_model_card):
        text = render(views)
        for card in cards(audit, 0):
            assert f"- **{card.label}**: {card.mark} {card.badge}; effect" in text
            assert f"  - next: {card.advice.first}" in text
        assert "Flips of edited pairs:" in text
        assert "| 75% [30, 95] of 4 |" in text
        assert "Perturbation, change of the probability in points:" in text
        assert "| −30 | −5 | −40 |" in text
    assert "- weights: sha256 abababababab…" in render_model_card(views)


def external(path):
    settings = {"external": {"model": "resnet18", "state": "m.pth", "classes": ["boat"]}}
    return audited(path, mode="external", name="harbour-v7", settings=settings, data="/d/bar2")


def test_an_external_model_is_called_by_its_name_and_no_training_is_claimed(tmp_path):
    paths = write_runs(tmp_path, RECIPES[:1], World(n=(20, 20), val=20, side=8))
    views = load_audits([external(paths[0])])
    page, card = render_html(views, gallery_size=0), render_model_card(views)
    page = page[page.index("<body") :]
    for text in (page, card):
        assert "harbour-v7" in text
        assert "biasaudit evaluate --model resnet18 --state m.pth" in text
        assert "--name harbour-v7 --data /d/bar2" in text
        for claim in ("biasaudit train", "trained with one seed", "like the training images and",
                      "GAIN", "gain_ext", "training data: ", "pixel labels: 0"):  # fmt: skip
            assert claim not in text
    assert "trained elsewhere" in card
    assert "its training data is not known here" in card


def test_edited_pairs_are_counted_as_versions(views):
    run = views[0].run.model_copy(deep=True)
    verdict = run.splits["biased-boat"].verdict
    verdict.evidence, verdict.strata = "edited pairs", ()
    verdict.groups = {name: Answered(right=0, n=0) for name in verdict.groups}
    one = AnswerEffect(effect=0.5, effect_ci=(0.4, 0.6), p_value=0.001, n_with=31, n_without=29)
    verdict.by_answer = {"yes": one}
    (audit,) = build_audits([replace(views[0], run=run)])
    found = matrix(audit, [0])
    assert [q.n for q in found.quarters] == [31, 29, 0, 0]
    assert [q.yes for q in found.quarters] == [[], [], [], []]
    assert "31 edited versions" in render_html([replace(views[0], run=run)], gallery_size=0)
