"""examples/ as a reader runs them: each in a process of its own, forked with torch imported."""

import json
import os
import re
import runpy
import shlex
import sys
from pathlib import Path

import killing
import numpy as np
import pandas as pd
import pytest

import biasaudit as ba
from biasaudit.cli import main

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
PACKAGE = EXAMPLES / "plugin_package"
SMALL = ["--train", "120", "--val", "40", "--group", "16", "--epochs", "1"]
SIZES = [f"--set=data.options.{n}={k}" for n, k in (("train", 120), ("val", 40), ("group", 16))]


def run(*command, cwd, path=(), code=0):
    """Run a command, ``python`` or ``biasaudit`` first, and return what it printed."""
    said = [cwd / "printed.out", cwd / "printed.err"]
    process = killing.CONTEXT.Process(
        target=_begin, args=([str(word) for word in command], cwd, [*map(str, path)], said)
    )
    process.start()
    process.join()
    out, err = (file.read_text(encoding="utf-8") for file in said)
    for file in said:
        file.unlink()
    assert process.exitcode == code, err
    return out if code == 0 else err


def _begin(command, cwd, path, said):
    for number, file in enumerate(said, 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
        setattr(sys, ("stdout", "stderr")[number - 1], os.fdopen(number, "w", closefd=False))
    os.chdir(cwd)
    sys.path = [*path, str(ROOT), *filter(None, sys.path)]
    start, *sys.argv = command
    try:
        if start == "biasaudit":
            main(sys.argv)
        else:
            runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


@pytest.fixture(scope="module")
def trained_elsewhere(tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere")
    script = EXAMPLES / "plain_training.py"
    run("python", script, "mine.pth", "--images", 64, "--epochs", 1, cwd=folder)
    return folder


@pytest.mark.slow
def test_a_model_of_a_plain_training_is_audited_by_the_commands_of_its_docstring(trained_elsewhere):
    text = (EXAMPLES / "plain_training.py").read_text(encoding="utf-8")
    commands = re.findall(r"^    (biasaudit .*)$", text, flags=re.M)
    assert len(commands) == 2
    for command in commands:
        run(*shlex.split(command), cwd=trained_elsewhere)
    found = ba.Audit.load(trained_elsewhere / "runs" / "mine")
    assert (found.run.backbone, found.overall.n) == ("resnet18", 400)
    assert (trained_elsewhere / "report.html").is_file()


@pytest.mark.slow
def test_ten_lines(trained_elsewhere, tmp_path):
    state = trained_elsewhere / "mine.pth"
    script = EXAMPLES / "ten_lines.py"
    out = run("python", script, *SMALL, "--labels", 9, "--state", state, cwd=tmp_path)
    first, *_, last = out.splitlines()
    assert re.match(r"(biased by water|no bias shown|cannot tell) \(.*points\)$", first)
    assert "gain_ext-9-seed0, compared with baseline-seed0:" in out
    assert re.search(r"overall\.accuracy .*(better|worse|no difference shown)$", out, flags=re.M)
    assert last == "report.html"
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(name in text for name in ("baseline", "gain_ext", "mine"))


def installed(folder):
    """Lay beside the package what an installation leaves of its metadata."""
    info = folder / "audit_extras-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: audit-extras\nVersion: 0.1.0\n")
    table = (PACKAGE / "pyproject.toml").read_text(encoding="utf-8")
    point = re.search(r'entry-points\."(.+)"\]\n(.+) = "(.+)"', table)
    (info / "entry_points.txt").write_text(f"[{point[1]}]\n{point[2]} = {point[3]}\n")
    return folder


def write_npz(folder):
    """Write drawn scenes as the example's reader wants them."""
    data = ba.load_dataset("harbour", options={"train": 64, "val": 24, "group": 12, "size": 64})
    samples = [(name, s) for name in ("train", "val", "test") for s in data.subset(name)]
    empty = np.zeros((64, 64), dtype=bool)
    np.savez(
        folder / "arrays.npz",
        images=np.stack([s.load_image() for _, s in samples]),
        regions=np.stack([s.regions["boat"].load() if s.labels & {"boat"} else empty
                          for _, s in samples]),
        has_object=np.array(["boat" in s.labels for _, s in samples]),
        has_context=np.array(["water" in s.contexts for _, s in samples]),
        subset=np.array([name for name, _ in samples]),
    )  # fmt: skip
    text = 'format = "npz"\nobject = "boat"\ncontext = "water"\n'
    (folder / "dataset.toml").write_text(text)
    return folder


@pytest.mark.slow
def test_an_installed_package_adds_by_its_entry_point(tmp_path):
    """Mode, term, metric, backbone and format: none is named but where it is asked for."""
    path = [PACKAGE, installed(tmp_path / "site")]
    data = tmp_path / "scenes"
    data.mkdir()
    write_npz(data)
    for kind, name in (
        ("modes", "smooth"),
        ("terms", "smoothness"),
        ("backbones", "tinynet"),
        ("metrics", "metric_lift"),
    ):
        assert f"\n{name} " in run("biasaudit", "list", kind, cwd=tmp_path, path=path)
    options = "--mode smooth --backbone tinynet --epochs 1 --batch-size 8"
    run("biasaudit", "train", "--data", data, *options.split(), cwd=tmp_path, path=path)
    results = json.loads(run("biasaudit", "evaluate", "--json", cwd=tmp_path, path=path))
    (folder,) = (tmp_path / "runs").iterdir()
    rows = pd.read_csv(folder / "per_image.csv", keep_default_na=False, na_values=[""])
    measured = rows["energy_pointing_game"] / rows["area_fraction"]
    np.testing.assert_allclose(rows["metric_lift"], measured, rtol=1e-4)
    assert rows["metric_lift"].notna().sum() > 10
    group = results["runs"][0]["splits"]["biased-boat"]["groups"]["boat-without-water"]
    lift = group["attention"]["metrics"]["lift"]
    of_group = rows.loc[rows["group"] == "boat-without-water", "metric_lift"].dropna()
    assert (lift["n"], lift["mean"]) == (len(of_group), pytest.approx(of_group.mean()))
    assert lift["mean_ci"][0] <= lift["mean"] <= lift["mean_ci"][1]
    # A report, and a comparison, need neither torch nor the plug-in.
    run("biasaudit", "report", folder, cwd=tmp_path)
    assert ">lift</th>" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_configuration_names_plugins_and_the_run_remembers_them(tmp_path):
    path = [PACKAGE]
    options = [*SIZES, "--epochs", "1", "--mode", "smooth", "--backbone", "tinynet"]
    assert "unknown mode" in run("biasaudit", "train", *options, cwd=tmp_path, code=2)
    (tmp_path / "mine.toml").write_text('plugins = ["audit_extras"]\n')
    run("biasaudit", "train", "--config", "mine.toml", *options, cwd=tmp_path, path=path)
    (folder,) = (tmp_path / "runs").iterdir()
    assert json.loads((folder / "config.json").read_text())["plugins"] == ["audit_extras"]
    run("biasaudit", "evaluate", "--run", folder, cwd=PACKAGE)  # found in the current folder
    assert ba.Audit.load(folder).per_image["metric_lift"].notna().any()
    gone = run("biasaudit", "evaluate", cwd=tmp_path, code=2)
    assert gone == (
        f"error: runs/{folder.name}/config.json: plugins: audit_extras: cannot be imported "
        "(ModuleNotFoundError: No module named 'audit_extras'); "
        "install the package, or start from the folder that holds it\n"
    )


def test_readme_of_the_package_names_what_it_adds():
    text = (PACKAGE / "README.md").read_text(encoding="utf-8")
    for file in (PACKAGE / "audit_extras").glob("[a-z]*.py"):
        assert f"`{file.name}`" in text
