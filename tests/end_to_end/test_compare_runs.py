"""``compare`` on drawn runs, held against counts made here."""

import json
import shutil

import pytest
from report_factory import Recipe, write_runs
from scipy.stats import binomtest

from biasaudit.results import merge, read_per_image, read_results

GROUP = "boat-without-water"
BIASED = ("--split", "biased-boat")
"""The drawn runs share no labels on val."""


def correct(folder, group):
    table = read_per_image(folder / "per_image.csv")
    return table[table["group"] == group].set_index("id")["correct"]


@pytest.mark.parametrize("suffix", ["", "results.json"])
def test_two_runs(biasaudit, demo_runs, suffix):
    first, second = demo_runs[0] / suffix, demo_runs[4] / suffix
    answer = biasaudit("compare", first, second, *BIASED, "--json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    split = found["splits"]["biased-boat"]
    changes = {change["figure"]: change for change in split["changes"]}
    before, after = correct(demo_runs[0], GROUP), correct(demo_runs[4], GROUP)
    gained, lost = after.index[(after > before)], after.index[(after < before)]
    assert split["mended"][GROUP] == sorted(gained)
    assert split["broken"][GROUP] == sorted(lost)
    change = changes[f"{GROUP}.accuracy"]
    assert change["difference"] == pytest.approx(after.mean() - before.mean())
    expected = binomtest(len(gained), len(gained) + len(lost)).pvalue
    assert change["p_value"] == pytest.approx(expected)
    assert changes["overall.accuracy"]["outcome"] == "better"
    assert found["pairs_worse"] is None
    assert set(found["splits"]) == {"biased-boat"}

    told = biasaudit("compare", first, second, *BIASED)
    assert "overall.accuracy" in told.out
    assert "better" in told.out
    assert f"{GROUP}: {len(gained)} that" in told.out
    # Of 200 images six must turn, and none back.
    assert f"200 images of {GROUP} can show no less than 3 points" in told.out
    assert "(--json names all)" in told.out


def test_a_run_against_itself(biasaudit, demo_runs):
    answer = biasaudit("compare", demo_runs[0], demo_runs[0])
    assert answer.code == 0, answer.err
    assert answer.out.index("biased-boat (400 images)") < answer.out.index("val (400 images)")
    assert answer.out.count("No image is answered otherwise.") == 2
    assert "better" not in answer.out.replace("better or worse where", "")
    assert str(demo_runs[0]) in answer.out


@pytest.fixture
def seeds(tmp_path):
    """Two results files of seeds 0 and 1, beside a folder for each run."""
    recipes = [
        Recipe(mode, labels, rate, rate, 0.4, seed=seed)
        for mode, labels, rate in (("baseline", 0, 0.3), ("gain_ext", 9, 0.7))
        for seed in (0, 1)
    ]
    paths = write_runs(tmp_path / "all", recipes)
    for name, parts in (("a", paths[:2]), ("b", paths[2:])):
        results = merge(read_results(path) for path in parts)
        for path, run in zip(parts, results.runs, strict=True):
            shutil.copytree(path, tmp_path / name / run.name)
        (tmp_path / name / "results.json").write_text(results.to_json())
    return tmp_path / "a", tmp_path / "b"


def test_several_seeds(biasaudit, seeds):
    answer = biasaudit("compare", *seeds, *BIASED, "--json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert found["seeds"] == [0, 1]
    level = found["splits"]["biased-boat"]["overall.accuracy"]
    sides = [
        [run.splits["biased-boat"].overall.accuracy for run in read_results(side).runs]
        for side in seeds
    ]
    assert level["n_seeds"] == 2
    assert level["mean"] == pytest.approx(sum(sides[1]) / 2 - sum(sides[0]) / 2)
    figures = found["splits"]["biased-boat"]
    assert {f"{GROUP}.accuracy", "worst.accuracy", "overall.energy_pointing_game"} < set(figures)
    assert all(f["p_adjusted"] >= f["p_value"] for f in figures.values() if f["p_value"])
    told = biasaudit("compare", *seeds, *BIASED)
    assert "p (Holm)" in told.out
    assert "gain_ext against baseline, mean over 2 seeds" in told.out


def test_what_cannot_be_compared(biasaudit, demo_runs, seeds, tmp_path):
    def complain(*arguments):
        answer = biasaudit("compare", *arguments)
        assert answer.code == 2
        assert len(answer.err.splitlines()) == 1
        return answer.err

    shutil.copytree(demo_runs[0], tmp_path / "bare")
    (tmp_path / "bare" / "per_image.csv").unlink()
    assert "no per_image.csv" in complain("bare", demo_runs[1])
    assert "nowhere: no such folder" in complain("nowhere", demo_runs[1])
    wrong = complain(demo_runs[0], demo_runs[1], "--split", "biased-bot")
    assert "did you mean 'biased-boat'" in wrong
    assert "the seeds differ: [0, 1] and [0]" in complain(seeds[0], demo_runs[0])
    mixed = merge(read_results(path) for path in demo_runs[:2])
    (tmp_path / "mixed.json").write_text(mixed.to_json())
    assert "no per_image.csv" in complain("mixed.json", demo_runs[0])
    shutil.copytree(seeds[1] / "gain_ext-9-s0", seeds[0] / "gain_ext-9-s0")
    several = merge([read_results(seeds[0]), read_results(seeds[0] / "gain_ext-9-s0")])
    (seeds[0] / "results.json").write_text(several.to_json())
    assert "several modes" in complain(seeds[0], demo_runs[0])
    folder = write_runs(tmp_path / "one", [Recipe("baseline", 0, 0.5, 0.5, 0.4)])[0]
    table = read_per_image(folder / "per_image.csv")
    table["id"] = "other-" + table["id"]
    table.to_csv(folder / "per_image.csv", index=False)
    assert "not audited on the same images" in complain(folder, demo_runs[0], *BIASED)
