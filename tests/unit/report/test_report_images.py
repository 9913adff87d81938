from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from report_factory import DEMO, World, write_runs

from biasaudit.analysis.quadrants import QUADRANTS
from biasaudit.report.grouping import build_audits
from biasaudit.report.sections.images import build_images
from biasaudit.report.sections.quadrants import count_quadrants
from biasaudit.results import Audit, load_audits, read_per_image


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    world = World(n=(12, 20), side=16)
    return write_runs(tmp_path_factory.mktemp("small"), DEMO[:2], world)


def test_quadrants_count_every_image_once(small):
    (audit,) = build_audits(load_audits(small))
    for row, path in zip(count_quadrants(audit), small, strict=True):
        counts = row.counts
        assert sum(counts.values()) == 32
        assert set(counts) == set(QUADRANTS)
        table = read_per_image(path / "per_image.csv").query("split == 'biased-boat'")
        least = np.minimum(0.5, 2 * table["area_fraction"])
        right_off = ((table["correct"] == 1) & (table["energy_pointing_game"] < least)).sum()
        assert counts["right-off"] == right_off


def test_the_gallery_takes_the_worst_of_each_group(small):
    (audit,) = build_audits(load_audits(small))
    images = build_images(audit, 5, 100)
    assert [sum(i.group == group for i in images.gallery) for group in audit.groups] == [5, 5]
    table = pd.concat(read_per_image(path / "per_image.csv") for path in small)
    table = table[table["group"] != ""]
    wrong = table.groupby(["group", "id"])["correct"].agg(lambda c: (c == 0).sum())
    for group in audit.groups:
        shown = {item.id for item in images.gallery if item.group == group}
        best_shown = min(wrong[group][list(shown)])
        assert best_shown >= wrong[group].drop(list(shown)).max()


def test_the_list_begins_with_the_gallery_and_keeps_its_limit(small):
    (audit,) = build_audits(load_audits(small))
    images = build_images(audit, 3, 10)
    assert images.listed[:6] == images.gallery
    assert len(images.listed) == 10
    assert images.total == 32
    assert [item.number for item in images.listed] == list(range(1, 11))


def test_an_item_agrees_with_the_table(small):
    (audit,) = build_audits(load_audits(small))
    item = build_images(audit, 3, 10).gallery[0]
    tables = [read_per_image(path / "per_image.csv").set_index("id") for path in small]
    rows = [table.loc[item.id] for table in tables]
    chances = [1 / (1 + np.exp(-row["score"])) for row in rows]
    assert [shot.probability for shot in item.shots] == pytest.approx(chances)
    assert item.disagreement == pytest.approx(abs(chances[0] - chances[1]))
    right = chances if rows[0]["label"] == 1 else [1 - c for c in chances]
    assert item.right == pytest.approx(sum(right) / 2)
    assert item.wrong == sum(row["correct"] == 0 for row in rows)


def test_photos_are_shared_and_layers_are_not(small):
    (audit,) = build_audits(load_audits(small))
    for item in build_images(audit, 12, 100).gallery:
        assert item.photo.startswith("data:image/")
        assert item.shots[0].layer != item.shots[1].layer
        assert bool(item.border) == item.label


def test_a_run_without_pictures_borrows_the_photo(small, tmp_path):
    (tmp_path / "gallery.npz").write_bytes(b"")
    views = load_audits(small)
    views[0] = replace(views[0], pictures=None)
    (audit,) = build_audits(views)
    item = build_images(audit, 3, 10).gallery[0]
    assert item.photo
    assert item.shots[0].layer is None
    assert item.shots[1].layer


def test_an_image_that_one_run_never_saw(small):
    views = load_audits(small)
    seen = views[0].per_image
    first = seen[seen["group"] != ""]["id"].iloc[0]
    views[0] = replace(views[0], per_image=seen[seen["id"] != first])
    (audit,) = build_audits(views)
    (item,) = [i for i in build_images(audit, 20, 100).listed if i.id == first]
    assert item.shots[0] is None
    assert item.disagreement == 0


def test_no_tables_no_images(small):
    views = [Audit(view.run) for view in load_audits(small)]
    (audit,) = build_audits(views)
    images = build_images(audit, 5, 5)
    assert [row.counts for row in count_quadrants(audit)] == [None, None]
    assert images.gallery == ()
    assert images.total == 0
