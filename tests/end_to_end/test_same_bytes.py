"""The same seed, twice, on the CPU: the same bytes."""

import re


def test_results_and_report_of_one_seed(biasaudit, small, tmp_path):
    for run in ("first", "second"):
        (tmp_path / run).mkdir()
        target = tmp_path / run / "run"
        assert biasaudit("train", *small, "--seed", "3", "--out", target).code == 0
        assert biasaudit("evaluate", "--run", target).code == 0
        assert biasaudit("report", target, "--out", tmp_path / f"{run}.html").code == 0
    first, second = (tmp_path / run / "run" for run in ("first", "second"))
    for name in ("weights.safetensors", "results.json", "per_image.csv", "classes.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    pages = [(tmp_path / f"{run}.html").read_text("utf-8") for run in ("first", "second")]
    # The path that leads to the results is shown, and no other word differs.
    plain = [re.sub(r"[^\s\"'>]*/(first|second)/run", "RUN", page) for page in pages]
    assert plain[0] == plain[1]
