import json
import shutil

import numpy as np
import pytest

from biasaudit.errors import RunError
from biasaudit.results import Gallery, Pictures, Results, load_audits, merge, read_results


def test_a_folder_brings_table_and_pictures(demo_runs):
    (view,) = load_audits([demo_runs[0]])
    assert view.run.mode == "baseline"
    assert len(view.per_image) == 800
    assert len(view.pictures.index) == 400


def test_a_file_finds_its_neighbours(demo_runs):
    (view,) = load_audits([demo_runs[0] / "results.json"])
    assert view.per_image is not None
    assert view.pictures is not None


def test_results_alone_are_enough(demo_runs, tmp_path):
    shutil.copy(demo_runs[0] / "results.json", tmp_path)
    (view,) = load_audits([tmp_path])
    assert view.per_image is None
    assert view.pictures is None


@pytest.mark.parametrize("place", [".", "runs"])
def test_a_file_of_several_runs_looks_into_their_folders(demo_runs, tmp_path, place):
    merged = merge(read_results(path) for path in demo_runs[:2])
    (tmp_path / "results.json").write_text(merged.to_json(), encoding="utf-8")
    shutil.copytree(demo_runs[1], tmp_path / place / merged.runs[1].name)
    first, second = load_audits([tmp_path])
    assert first.per_image is None
    assert second.per_image is not None


def test_a_run_name_cannot_lead_out_of_the_folder(demo_runs, tmp_path):
    runs = [read_results(path).runs[0] for path in demo_runs[:2]]
    runs[0].name = "../outside"
    shutil.copytree(demo_runs[0], tmp_path / "outside")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "results.json").write_text(Results(runs=runs).to_json(), encoding="utf-8")
    assert load_audits([inside])[0].per_image is None


def test_pictures_agree_with_the_gallery(demo_runs):
    file = demo_runs[0] / "gallery.npz"
    whole, lazy = Gallery.load(file), Pictures.open(file)
    rows = [lazy.index[str(whole.ids[3])], lazy.index[str(whole.ids[250])]]
    np.testing.assert_array_equal(lazy.images(rows), whole.images[[3, 250]])
    np.testing.assert_array_equal(lazy.maps(rows), whole.maps[[3, 250]])
    np.testing.assert_array_equal(lazy.regions(rows, 64), whole.regions[[3, 250]])


def test_no_path_and_no_run(tmp_path):
    with pytest.raises(RunError, match="no run to report on"):
        load_audits([])
    (tmp_path / "results.json").write_text(json.dumps({"format_version": 1, "runs": []}))
    with pytest.raises(RunError, match="holds no run"):
        load_audits([tmp_path])
    with pytest.raises(RunError, match="nowhere: no such folder"):
        load_audits([tmp_path / "nowhere"])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"\x93NUMPY", b"plain text"])
def test_a_broken_gallery_is_named(demo_runs, tmp_path, content):
    shutil.copy(demo_runs[0] / "results.json", tmp_path)
    (tmp_path / "gallery.npz").write_bytes(content)
    with pytest.raises(RunError, match=r"gallery\.npz: .*evaluate the run again"):
        load_audits([tmp_path])


def test_a_gallery_without_maps_is_named(demo_runs, tmp_path):
    shutil.copy(demo_runs[0] / "results.json", tmp_path)
    np.savez(tmp_path / "gallery.npz", ids=np.array(["a"]), images=np.zeros((1, 2, 2, 3)))
    with pytest.raises(RunError, match="no array 'maps'"):
        load_audits([tmp_path])


def test_a_single_array_is_no_gallery(demo_runs, tmp_path):
    shutil.copy(demo_runs[0] / "results.json", tmp_path)
    with (tmp_path / "gallery.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(RunError, match="not an npz file"):
        load_audits([tmp_path])


def test_a_broken_table_is_named(demo_runs, tmp_path):
    shutil.copy(demo_runs[0] / "results.json", tmp_path)
    (tmp_path / "per_image.csv").write_text('a,b\n"torn')
    with pytest.raises(RunError, match=r"per_image\.csv"):
        load_audits([tmp_path])
