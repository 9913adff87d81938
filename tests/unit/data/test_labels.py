import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biasaudit.data.annotation.label_list import as_csv, label_list, told
from biasaudit.data.annotation.labels import LabelChoice, choose_labels, labelled_region
from biasaudit.data.catalogue import load_dataset
from biasaudit.data.sample import Region, RegionForm, Sample
from biasaudit.errors import ConfigError, DataError

PHOTOS = Path(__file__).parents[4] / "shared" / "photos"
MASK = np.zeros((4, 6), dtype=bool)
MASK[1, 2] = MASK[3, 4] = True


def sample(
    id: str,
    form: RegionForm | None,
    area: float = 0.1,
    label: str = "boat",
    source: str = "",
) -> Sample:
    regions = {} if form is None else {label: Region(form, MASK.copy, area)}
    return Sample(
        id, frozenset({label}), frozenset(), lambda: np.zeros((4, 6, 3), np.uint8), regions, source
    )


def boats(masks: int, boxes: int) -> list[Sample]:
    return [
        *(sample(f"mask-{i}", "mask") for i in range(masks)),
        *(sample(f"box-{i}", "box") for i in range(boxes)),
        sample("no region", None),
        sample("empty region", "mask", area=0.0),
        sample("a cow", "mask", label="cow"),
    ]


def test_masks_come_before_boxes() -> None:
    choice = choose_labels(boats(5, 9), ["boat"], pixel_labels=8, seed=1)
    forms = [entry.form for entry in choice.entries]
    assert forms == ["mask"] * 5 + ["outline"] * 3
    assert [entry.id.partition("-")[0] for entry in choice.entries] == ["mask"] * 5 + ["box"] * 3
    assert choice.counts_by_form() == {"mask": 5, "outline": 3}


def test_boxes_stand_in_filled_where_no_outlines_are_wanted() -> None:
    outlined = choose_labels(boats(5, 9), ["boat"], 8, 3, seed=1)
    filled = choose_labels(boats(5, 9), ["boat"], 8, 3, seed=1, outlines=False)
    assert [entry.id for entry in filled.entries] == [entry.id for entry in outlined.entries]
    assert [entry.form for entry in filled.entries] == ["mask"] * 5 + ["box"] * 6
    assert [entry.form for entry in outlined.entries[8:]] == ["box"] * 3


def test_only_images_with_a_region_of_the_object_lend_one() -> None:
    choice = choose_labels(boats(5, 9), ["boat"], pixel_labels=14)
    assert {entry.id for entry in choice.entries} == {s.id for s in boats(5, 9)[:14]}


def test_the_choice_is_the_same_on_every_machine() -> None:
    # Recorded once: a change here silently changes every published choice.
    choice = choose_labels(boats(6, 6), ["boat"], pixel_labels=4, box_labels=3, seed=7)
    assert choice.entries == (
        ("mask-3", "mask", "boat"),
        ("mask-0", "mask", "boat"),
        ("mask-1", "mask", "boat"),
        ("mask-5", "mask", "boat"),
        ("box-3", "box", "boat"),
        ("mask-4", "box", "boat"),
        ("mask-2", "box", "boat"),
    )


@settings(deadline=None)
@given(
    masks=st.integers(0, 12),
    boxes=st.integers(0, 12),
    seed=st.integers(0, 2**32),
    data=st.data(),
)
def test_choices_are_nested_disjoint_and_without_order(
    masks: int, boxes: int, seed: int, data: st.DataObject
) -> None:
    samples = boats(masks, boxes)
    large = data.draw(st.integers(0, masks + boxes))
    small = data.draw(st.integers(0, large))
    more = data.draw(st.integers(0, masks + boxes - large))
    fewer = data.draw(st.integers(0, more))
    whole = choose_labels(samples, ["boat"], large, more, seed)
    part = choose_labels(samples, ["boat"], small, 0, seed)
    assert part.entries == whole.entries[:small]
    assert (
        choose_labels(samples, ["boat"], large, fewer, seed).entries
        == (whole.entries[: large + fewer])
    )
    chosen = [entry.id for entry in whole.entries]
    assert len(set(chosen)) == len(chosen) == large + more
    assert all(entry.form == "box" for entry in whole.entries[large:])
    shuffled = data.draw(st.permutations(samples))
    assert choose_labels(shuffled, ["boat"], large, more, seed) == whole


def from_two_sources(form: RegionForm, web: int, studio: int) -> list[Sample]:
    return [
        *(sample(f"web-{form}-{i}", form, source="web") for i in range(web)),
        *(sample(f"studio-{form}-{i}", form, source="studio") for i in range(studio)),
    ]


@settings(deadline=None)
@given(web=st.integers(0, 30), studio=st.integers(0, 30), seed=st.integers(0, 2**32))
def test_each_source_lends_its_share_of_any_number(web: int, studio: int, seed: int) -> None:
    samples = from_two_sources("mask", web, studio)
    pixels = choose_labels(samples, ["boat"], web + studio, 0, seed).entries
    boxes = choose_labels(samples, ["boat"], 0, web + studio, seed).entries
    for entries in (pixels, boxes):
        for n in range(1, len(entries) + 1):
            gave = sum(entry.id.startswith("web") for entry in entries[:n])
            assert abs(gave - n * web / (web + studio)) < 1


def test_masks_come_first_and_each_form_is_shared_out() -> None:
    samples = from_two_sources("mask", 2, 4) + from_two_sources("box", 9, 3)
    for seed in range(10):
        ids = [e.id for e in choose_labels(samples, ["boat"], 10, seed=seed).entries]
        assert sum(id.startswith("web-mask") for id in ids[:3]) == 1
        assert [id.partition("-")[2][:4] for id in ids] == ["mask"] * 6 + ["box-"] * 4
        assert sum(id.startswith("web-box") for id in ids) == 3


def test_a_source_of_one_image_is_as_likely_as_any() -> None:
    lone = [sample(f"lone-{i}", "mask", source=f"person {i}") for i in range(20)]
    samples = lone + from_two_sources("mask", 20, 0)
    gave = [
        sum(e.id.startswith("lone") for e in choose_labels(samples, ["boat"], 10, seed=s).entries)
        for s in range(50)
    ]
    # 5 of 10 expected; a draw's standard deviation is below 2, so 0.3 that of the mean.
    assert abs(np.mean(gave) - 5) < 1


def test_one_source_by_name_is_chosen_from_as_if_it_had_none() -> None:
    named = [sample(s.id, s.regions["boat"].form, source="web") for s in boats(6, 6)[:12]]
    unnamed = boats(6, 6)
    for seed in range(5):
        assert choose_labels(named, ["boat"], 8, 3, seed) == choose_labels(
            unnamed, ["boat"], 8, 3, seed
        )


def test_the_list_for_annotators_goes_on_with_what_has_no_region() -> None:
    samples = [
        *from_two_sources("mask", 2, 1),
        *from_two_sources("box", 0, 2),
        *(sample(f"bare-{i}", None, source=("web", "studio")[i % 2]) for i in range(8)),
        sample("speck", "mask", area=0.0),
    ]
    whole = label_list(samples, "boat", 14, seed=3)
    assert [row.has for row in whole] == ["mask"] * 3 + ["box"] * 2 + ["none"] * 9
    assert len({row.image for row in whole}) == 14
    assert [row.order for row in whole] == list(range(1, 15))
    assert label_list(samples, "boat", 7, seed=3) == whole[:7]
    chosen = choose_labels(samples, ["boat"], 5, seed=3).entries
    assert [row.image for row in whole[:5]] == [entry.id for entry in chosen]
    assert told(whole[:7]) == "7 images of 'boat': 3 with a mask, 2 with a box, 2 without a region"
    assert as_csv(whole[:1]) == f"order,image,object,has,source\n{','.join(map(str, whole[0]))}\n"


def test_every_guided_class_lends_as_many() -> None:
    cows = [sample(f"cow-{i}", "box", label="cow") for i in range(5)]
    choice = choose_labels(boats(5, 9) + cows, ["boat", "cow"], 2, 3, seed=4)
    assert [(entry.object, entry.form) for entry in choice.entries] == [
        *[("boat", "mask")] * 2,
        *[("boat", "box")] * 3,
        ("cow", "mask"),
        ("cow", "outline"),
        *[("cow", "box")] * 3,
    ]
    assert (choice.objects, choice.pixel_labels, choice.box_labels) == (("boat", "cow"), 2, 3)
    alone = choose_labels(boats(5, 9) + cows, ["boat"], 2, 3, seed=4)
    assert choice.entries[:5] == alone.entries
    assert LabelChoice.from_dict(json.loads(json.dumps(choice.to_dict()))) == choice


def test_an_image_may_lend_two_classes() -> None:
    regions = {name: Region("mask", MASK.copy, 0.1) for name in ("boat", "cow")}
    both = Sample("both", frozenset(regions), frozenset(), lambda: np.zeros((4, 6, 3)), regions)
    choice = choose_labels([both, sample("cow-1", "box", label="cow")], ["boat", "cow"], 1)
    assert choice.by_image() == {"both": {"boat": "mask", "cow": "mask"}}


def test_seeds_differ() -> None:
    choices = {choose_labels(boats(20, 0), ["boat"], 5, seed=seed).entries for seed in range(10)}
    assert len(choices) == 10


def test_the_choice_travels_through_json() -> None:
    choice = choose_labels(boats(3, 3), ["boat"], 4, 2, seed=5)
    assert LabelChoice.from_dict(json.loads(json.dumps(choice.to_dict()))) == choice


def test_a_box_is_the_masks_bounding_box() -> None:
    box = labelled_region(sample("a", "mask"), "boat", "box")
    expected = np.zeros((4, 6), dtype=bool)
    expected[1:4, 2:5] = True
    np.testing.assert_array_equal(box, expected)


def test_masks_and_known_boxes_are_lent_as_they_are() -> None:
    np.testing.assert_array_equal(labelled_region(sample("a", "mask"), "boat", "mask"), MASK)
    np.testing.assert_array_equal(labelled_region(sample("a", "box"), "boat", "box"), MASK)


def test_an_outline_is_what_stands_out_in_the_box() -> None:
    box = np.zeros((40, 60), dtype=bool)
    box[8:32, 10:50] = True
    boat = np.zeros_like(box)
    boat[14:26, 16:44] = True
    picture = np.where(boat[..., None], (200, 30, 30), (30, 60, 200)).astype(np.uint8)
    sample = Sample(
        "a", frozenset({"boat"}), frozenset(), lambda: picture, {"boat": Region("box", lambda: box)}
    )
    found = labelled_region(sample, "boat", "outline")
    assert (found & boat).sum() / (found | boat).sum() > 0.95


@pytest.mark.parametrize(
    ("pixels", "boxes", "message"),
    [
        (
            15,
            0,
            "pixel_labels=15: only 14 training images of 'boat' have a region (5 masks, 9 "
            "boxes); ask for 14 at most",
        ),
        (
            8,
            7,
            "box_labels=7: only 14 training images of 'boat' have a region (5 masks, 9 boxes), "
            "and 8 give pixel labels; ask for 6 at most",
        ),
    ],
)
def test_more_than_there_are(pixels: int, boxes: int, message: str) -> None:
    with pytest.raises(DataError) as caught:
        choose_labels(boats(5, 9), ["boat"], pixels, boxes)
    assert str(caught.value) == message


@pytest.mark.parametrize("numbers", [(-1, 0), (0, -1)])
def test_a_negative_number(numbers: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match="labels=-1: a number of images is 0 or more"):
        choose_labels(boats(1, 1), ["boat"], *numbers)


@pytest.mark.photos
@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photographs are not there")
def test_photographs_have_25_masks_and_boxes_after_them() -> None:
    train = load_dataset(str(PHOTOS)).subset("train")
    choices = [choose_labels(train, ["boat"], n, seed=0) for n in (9, 23, 78)]
    assert [c.counts_by_form() for c in choices] == [
        {"mask": 9},
        {"mask": 23},
        {"mask": 25, "outline": 53},
    ]
    assert choices[0].entries == choices[2].entries[:9]
    assert choices[1].entries == choices[2].entries[:23]


def scenes() -> list[Sample]:
    """Images of two classes: both with masks, one with a mask and one with a box, boxes alone."""
    forms: dict[str, dict[str, RegionForm]] = {
        **{f"both-{i}": {"boat": "mask", "cow": "mask"} for i in range(3)},
        **{f"mixed-{i}": {"boat": "box", "cow": "mask"} for i in range(2)},
        **{f"boxes-{i}": {"cow": "box"} for i in range(2)},
        "none": {},
    }
    return [
        Sample(
            id,
            frozenset({"boat", "cow"}),
            frozenset(),
            lambda: np.zeros((4, 6, 3), np.uint8),
            {name: Region(form, MASK.copy, 0.1) for name, form in of.items()},
        )
        for id, of in forms.items()
    ]


def test_labels_counted_by_image_give_every_class_of_it() -> None:
    choice = choose_labels(scenes(), ["boat", "cow"], 6, 1, seed=2, by="image")
    images = list(dict.fromkeys(entry.id for entry in choice.entries))
    assert {id.partition("-")[0] for id in images[:5]} == {"both", "mixed"}
    assert [id.partition("-")[0] for id in images[5:]] == ["boxes", "boxes"]
    of = choice.by_image()
    assert of["both-0"] == {"boat": "mask", "cow": "mask"}
    assert of["mixed-0"] == {"boat": "outline", "cow": "mask"}
    assert [of[id] for id in images[5:]] == [{"cow": "outline"}, {"cow": "box"}]
    assert len(choice.of_pixel_labels()) == 2 * 5 + 1
    assert LabelChoice.from_dict(json.loads(json.dumps(choice.to_dict()))) == choice


def test_a_smaller_choice_of_images_lies_within_a_larger_one() -> None:
    def chosen(count: int) -> list[str]:
        entries = choose_labels(scenes(), ["boat", "cow"], count, by="image").entries
        return list(dict.fromkeys(entry.id for entry in entries))

    assert [len(chosen(n)) for n in (0, 2, 7)] == [0, 2, 7]
    assert chosen(7)[:2] == chosen(2)
    with pytest.raises(DataError, match=r"only 7 training images have a region \(5 masks, 2 boxes"):
        chosen(8)


def test_pixel_labels_of_several_classes_are_told_from_their_boxes() -> None:
    choice = choose_labels(scenes(), ["boat", "cow"], 4, 1, outlines=False)
    assert "by" not in choice.to_dict()
    pixels = choice.of_pixel_labels()
    assert [entry.object for entry in pixels] == ["boat"] * 4 + ["cow"] * 4
    assert [e.form for e in pixels] == ["mask"] * 3 + ["box"] + ["mask"] * 4
    assert [e.object for e in choice.entries if e not in pixels] == ["boat", "cow"]
