"""``compare --html`` as a user calls it."""

import subprocess
import sys

import pytest

WITHOUT_TORCH = """
import sys
from biasaudit.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
heavy = {"torch", "torchvision", "sklearn"} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.mark.parametrize("verb", ["compare", "report"])
def test_a_page_is_written_without_torch(demo_runs, tmp_path, verb):
    file = tmp_path / "new" / "page.html"
    options = ["--split", "biased-boat", "--html"] if verb == "compare" else ["--out"]
    runs = (demo_runs[0], demo_runs[4])
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, verb, *runs, *options, file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    html = file.read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    wanted = "gain_ext · 78 labels is better than baseline" if verb == "compare" else "Quadrants"
    assert wanted in html


def test_json_and_html_together(biasaudit, demo_runs):
    pair = demo_runs[0], demo_runs[4]
    told = biasaudit("compare", *pair, "--split", "biased-boat", "--html", "a.html", "--json")
    assert told.code == 0
    assert told.out.startswith("{")
    assert "comparison: a.html" in told.err


def test_a_file_that_cannot_be_written(biasaudit, demo_runs, tmp_path):
    (tmp_path / "taken").write_text("")
    told = biasaudit(
        "compare", demo_runs[0], demo_runs[0], "--split", "biased-boat", "--html", "taken/a.html"
    )
    assert told.code == 2
    assert "--html taken/a.html: cannot be written" in told.err
