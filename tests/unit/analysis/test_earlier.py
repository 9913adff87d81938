"""A later audit beside an earlier one: what stays, what is replaced, what is another model's."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import biasaudit as ba
from biasaudit.analysis import earlier
from biasaudit.analysis.earlier import added_to
from biasaudit.results import MAPS_FILE, RESULTS_FILE, Audit, Gallery, read_maps

OPTIONS = {"train": 32, "val": 12, "group": 6}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """An audit with all that can be asked for, on disk; and the same in memory."""
    data = ba.load_dataset("harbour", options=OPTIONS)
    run = ba.train(data, epochs=1, batch_size=16)
    made = ba.audit(run, data, faithfulness=True, all_pairs=True, maps=True)
    folder = tmp_path_factory.mktemp("first") / "audit"
    made.save(folder)
    return folder, made, run, data


@pytest.fixture(scope="module")
def plain(first):
    """The same audit, and nothing else asked for."""
    _, _, run, data = first
    return ba.audit(run, data)


@pytest.fixture(scope="module")
def pairs(first):
    """A later audit, of edited pairs."""
    _, _, run, data = first
    return ba.audit(run, data, splits=["edited-boat"])


@pytest.fixture(scope="module")
def car(first):
    """A later audit, of another object."""
    _, _, run, data = first
    return ba.audit(run, data, object="car", context="road")


def with_classes(audit, change):
    """Return an audit whose table of classes is changed."""
    classes = audit.classes.copy()
    return replace(audit, classes=change(classes))


def test_an_empty_folder_adds_nothing(tmp_path, plain):
    assert added_to(tmp_path, plain) == earlier.Added(plain)


def test_an_earlier_one_that_cannot_be_read_is_named(first, tmp_path, plain):
    (tmp_path / RESULTS_FILE).write_text("{")
    found = added_to(tmp_path, plain)
    assert found.audit is plain
    assert found.kept == ()
    assert found.replaced.startswith("what lay there could not be read (")
    assert RESULTS_FILE in found.replaced


def test_what_only_the_earlier_one_measured_stays(first, plain):
    folder, made, _, _ = first
    found = added_to(folder, plain)
    assert found.kept == (
        "faithfulness of val", "faithfulness of biased-boat", "every other pair", "maps",
    )  # fmt: skip
    assert found.replaced == ""
    assert found.audit.run.splits == made.run.splits
    assert list(found.audit.per_image) == list(made.per_image)
    pd.testing.assert_frame_equal(found.audit.per_image, made.per_image, check_dtype=False)
    pd.testing.assert_frame_equal(found.audit.pairs, Audit.load(folder).pairs)
    np.testing.assert_array_equal(found.audit.maps, made.maps)


def test_splits_of_the_earlier_one_stay_behind_the_later_ones(first, pairs):
    folder, made, _, _ = first
    found = added_to(folder, pairs)
    assert found.kept[0] == "biased-boat"
    assert list(found.audit.run.splits) == ["val", "biased-boat", "edited-boat"]
    rows = found.audit.per_image
    assert list(dict.fromkeys(rows["split"])) == ["val", "edited-boat", "biased-boat"]
    assert len(found.audit.maps) == len(rows)
    kept = read_maps(folder / MAPS_FILE)
    for key, one in zip(
        rows[["split", "group", "id"]].itertuples(index=False, name=None),
        found.audit.maps,
        strict=True,
    ):
        if key in kept:
            np.testing.assert_array_equal(one, kept[key])
        else:
            assert key[0] == "edited-boat"
            assert np.isnan(one).all()
    # the pairs speak in the verdict on the groups
    assert made.run.splits["biased-boat"].verdict.pairs is None
    assert found.audit.run.splits["biased-boat"].verdict.pairs is not None


def test_pictures_of_other_images_are_joined(first, pairs):
    folder, made, _, _ = first
    found = added_to(folder, pairs)
    before, after = set(made.gallery.ids.tolist()), set(pairs.gallery.ids.tolist())
    assert before - after
    assert sorted(found.audit.gallery.ids.tolist()) == sorted(before | after)
    assert found.audit.gallery.ids.tolist()[: len(pairs.gallery.ids)] == pairs.gallery.ids.tolist()
    joined = found.audit.gallery
    for name in sorted(before - after):
        here, there = joined.ids.tolist().index(name), made.gallery.ids.tolist().index(name)
        np.testing.assert_array_equal(joined.images[here], made.gallery.images[there])
        np.testing.assert_array_equal(joined.maps[here], made.gallery.maps[there])
        np.testing.assert_array_equal(joined.regions[here], made.gallery.regions[there])


def test_pictures_of_another_size_are_left(first, pairs):
    folder, _, _, _ = first
    own = pairs.gallery
    half = Gallery(own.ids, own.images[:, ::2, ::2], own.maps, own.regions)
    assert added_to(folder, replace(pairs, gallery=half)).audit.gallery is half


def test_a_pool_is_replaced_where_the_question_is_another(first, car):
    folder, _, _, _ = first
    found = added_to(folder, car)
    assert found.kept == ("biased-boat", "every other pair", "maps")
    assert found.replaced == "val, measured for boat and water"
    assert list(found.audit.run.splits) == ["val", "biased-car", "biased-boat"]
    splits = found.audit.run.splits
    assert (splits["val"].object, splits["biased-boat"].object) == ("car", "boat")
    # two pairs are judged, and each verdict is corrected for both
    assert {splits[n].verdict.level for n in ("biased-car", "biased-boat")} == {0.975}


def test_groups_that_are_measured_again_are_not_lost(first, car, tmp_path, plain):
    """Back to the first question: its groups are told as kept by nobody, and val as replaced."""
    folder, _, _, _ = first
    both = added_to(folder, car).audit
    both.save(tmp_path / "both")
    found = added_to(tmp_path / "both", plain)
    assert found.kept[0] == "biased-car"
    assert found.replaced == "val, measured for car and road"
    assert list(found.audit.run.splits) == ["val", "biased-boat", "biased-car"]


def test_scores_of_other_weights_are_another_model(first, plain):
    folder, made, _, _ = first

    def higher(by):
        return with_classes(plain, lambda classes: classes.assign(score=classes["score"] + by))

    assert added_to(folder, higher(1e-4)).replaced == ""
    found = added_to(folder, higher(0.05))
    assert found.replaced == (
        f"val, biased-boat of {made.name}, measured with other weights, as the scores say"
    )
    assert found.kept == ()
    assert set(found.audit.run.splits) == {"val", "biased-boat"}


@pytest.mark.parametrize("rows", [slice(1, None), slice(0, 0)])
def test_other_images_of_one_subset_are_other_data(first, plain, rows):
    folder, _, _, _ = first
    found = added_to(folder, with_classes(plain, lambda classes: classes.iloc[rows]))
    assert found.replaced.endswith("measured on other images")


def test_more_images_of_one_subset_are_other_data(first, plain):
    folder, _, _, _ = first

    def more(classes):
        return pd.concat([classes, classes.iloc[:1].assign(id="another")], ignore_index=True)

    assert added_to(folder, with_classes(plain, more)).replaced.endswith("on other images")


def test_another_subset_beside_the_same_ones_is_no_other_data(first, plain):
    folder, _, _, _ = first

    def more(classes):
        return pd.concat([classes, classes.iloc[:1].assign(subset="more")], ignore_index=True)

    assert added_to(folder, with_classes(plain, more)).replaced == ""


def test_another_dataset_layer_or_version_is_told(first, plain):
    folder, _, _, _ = first
    for change, reason in (
        ({"dataset": "photos"}, "measured on 'harbour'"),
        ({"settings": {"external": {"layer": "body.3"}}}, "measured at another attention layer"),
    ):
        run = plain.run.model_copy(update=change)
        assert added_to(folder, replace(plain, run=run)).replaced.endswith(reason)
    old = replace(plain, classes=None)
    assert added_to(folder, old).replaced.endswith("measured by an older version")


@pytest.mark.parametrize("lacking", ["per_image", "classes"])
def test_an_earlier_one_without_a_table_is_an_older_version_s(first, plain, lacking):
    _, made, _, _ = first
    before = replace(made, **{lacking: None})
    assert earlier._another(before, plain) == "by an older version"
    assert earlier._another(made, plain) == ""


def test_faithfulness_of_an_image_whose_score_changed_is_not_kept(first, plain):
    folder, made, _, _ = first
    changed = plain.per_image.copy()
    changed.loc[0, "score"] += 0.1
    found = added_to(folder, replace(plain, per_image=changed)).audit.per_image
    column = earlier.PROBABILITY
    assert np.isnan(found.loc[0, column])
    expected = made.per_image[column]
    np.testing.assert_array_equal(found[column].to_numpy()[1:], expected.to_numpy()[1:])


def test_maps_of_another_shape_are_left(first, pairs):
    folder, _, _, _ = first
    shape = (len(pairs.per_image), 3, 3)
    own = replace(pairs, maps=np.zeros(shape, dtype=np.float32))
    assert added_to(folder, own).audit.maps is None
    assert "maps" not in added_to(folder, own).kept


def test_maps_of_the_later_one_come_first(first, plain):
    folder, made, _, _ = first
    own = replace(plain, maps=made.maps + 1)
    found = added_to(folder, own)
    np.testing.assert_array_equal(found.audit.maps, made.maps + 1)
    assert "maps" not in found.kept


def test_an_audit_that_was_read_has_its_rows(first):
    folder, made, _, _ = first
    assert len(Audit.load(folder).per_image) == len(made.per_image)
