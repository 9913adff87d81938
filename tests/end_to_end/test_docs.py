"""docs/ holds what the program holds: signatures, names, examples, a notebook."""

import inspect
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest

import biasaudit as ba
from biasaudit import api, plugins
from biasaudit.cli.demo import FIVE_SEEDS
from biasaudit.localization import api as localization_api
from biasaudit.reproduce import api as reproduce_api
from biasaudit.segmentation import api as segmentation_api

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
API = (DOCS / "api.md").read_text(encoding="utf-8")
EXTENDING = (DOCS / "extending.md").read_text(encoding="utf-8")
ROOMS = (api, segmentation_api, localization_api, reproduce_api)
PIECES = re.findall(r"```python\n(.*?)```", EXTENDING, flags=re.S)


def signature(function):
    """Return a signature without annotations, as docs/api.md writes it."""
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in inspect.signature(function).parameters.values()
    ]
    return str(inspect.Signature(parameters)).replace("'", '"')


def test_the_page_names_every_public_name():
    functions = set(re.findall(r"^ba\.(\w+)\(.*\*?.*\)$", API.partition("## Functions")[2], re.M))
    classes = set(re.findall(r"^`ba\.(\w+)`", API, flags=re.M))
    assert functions | classes == set(ba.__all__)
    assert all(callable(getattr(ba, name)) for name in ba.__all__)


@pytest.mark.parametrize("name", [n for n in ba.__all__ if inspect.isfunction(getattr(ba, n))])
def test_signatures_are_those_of_the_page(name):
    assert f"\nba.{name}{signature(getattr(ba, name))}\n" in API


def test_the_page_names_what_plugins_use():
    listed = re.findall(r"`(\w+)`", API.partition("## For plug-ins")[2].partition("it:")[2])
    assert listed == plugins.__all__


@pytest.mark.parametrize("kind", [ba.Audit, ba.Verdict, ba.BiasAuditError])
def test_attributes_of_the_page_exist(kind):
    (told,) = re.findall(rf"^`ba\.{kind.__name__}`, .*?:|^`ba\.{kind.__name__}`:", API, re.M | re.S)
    text = API.partition(told)[2].partition("\n\n")[0]
    known = {*dir(kind), *inspect.signature(kind).parameters, *getattr(kind, "model_fields", ())}
    known |= {"message", "hint", "field"} if kind is ba.BiasAuditError else set()
    names = re.findall(r"`(?:ba\.Audit\.)?(\w+)(?:\(\w*\))?`", text)
    allowed = {"biased", "no_bias_shown", "cannot_tell", "print"}
    assert len(names) >= 3
    assert set(names) - allowed <= known


def test_every_function_of_the_api_has_an_example():
    own = [
        function
        for room in ROOMS
        for name, function in vars(room).items()
        if inspect.isfunction(function) and not name.startswith("_")
        if function.__module__ == room.__name__
    ]
    assert len(own) >= 14
    assert all(">>> " in (function.__doc__ or "") for function in own)


@pytest.mark.slow
def test_the_examples_of_every_docstring_hold():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--doctest-modules"]
    done = subprocess.run(
        [*command, "biasaudit"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    ran = re.search(r"(\d+) passed", done.stdout)
    assert ran is not None, done.stdout
    assert int(ran[1]) >= len(ROOMS)


@pytest.mark.slow
def test_the_pieces_of_extending_are_a_package(tmp_path):
    """What the page shows, put into one module, adds everything that it says it adds."""
    assert len(PIECES) == 4
    (tmp_path / "my_audit").mkdir()
    (tmp_path / "my_audit" / "__init__.py").write_text("\n".join(PIECES), encoding="utf-8")
    data = tmp_path / "data"
    script = f"""
import numpy as np
from pathlib import Path
from PIL import Image
import biasaudit as ba
harbour = ba.load_dataset("harbour", options={{"train": 40, "val": 16, "group": 8}})
for name in ("train", "val", "test"):
    (Path({str(data)!r}) / name).mkdir(parents=True)
    for place, s in enumerate(harbour.subset(name)):
        seen = "boat" if "boat" in s.labels else "car", "water" if "water" in s.contexts else "land"
        file = Path({str(data)!r}) / name / f"{{'_'.join(seen)}}_{{place}}.png"
        Image.fromarray(s.load_image()).save(file)
Path({str(data / "dataset.toml")!r}).write_text(
    'format = "by-name"\\nobject = "boat"\\ncontext = "water"\\n')
settings = dict(backbone="small", epochs=1, batch_size=8, plugins=["my_audit"])
run = ba.train(harbour, "modest", **settings, **{{"terms.low_scores.margin": 1.5}})
found = ba.audit(run, harbour)
values = found.per_image["metric_mean_inside"].dropna()
assert len(values) and values.between(0, 1).all()
own = ba.load_dataset({str(data)!r})
found = ba.audit(ba.train(own, "baseline", **settings), own)
assert {{"boat-without-water", "water-without-boat"}} <= {{*found.run.splits["biased-boat"].groups}}
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(tmp_path)))}
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_pyproject_of_extending_has_the_right_group():
    text = re.search(r"```toml\n# pyproject\.toml\n(.*?)```", EXTENDING, flags=re.S)[1]
    assert tomllib.loads(text)["project"]["entry-points"] == {
        "biasaudit.plugins": {"my-audit": "my_audit"}
    }


@pytest.mark.slow
def test_the_notebook_runs_and_shows_audit_and_report(tmp_path, monkeypatch):
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(DOCS / "notebooks" / "first_audit.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code), "committed with outputs"
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    shown = {
        cell.source.splitlines()[-1]: output.data["text/html"]
        for cell in code
        for output in cell.outputs
        if "text/html" in output.get("data", {})
    }
    assert "biased-boat" in shown["audits[0]"]
    assert "boat-without-water.accuracy" in shown["ba.compare(*audits)"]
    assert shown["ba.report(audits)"].startswith("<iframe srcdoc=")


def test_what_the_demo_says_of_five_seeds_is_what_was_measured():
    table = pd.read_csv(ROOT / "benchmarks/results/harbour.csv")
    for mode, labels in (("baseline", 0), ("gain_ext", 78), ("counterfactual", 78)):
        rows = table[(table["mode"] == mode) & (table["pixel_labels"] == labels)]
        rows = rows[rows["variant"] == "default"]
        assert sorted(rows["seed"]) == [0, 1, 2, 3, 4]
        assert f"{mode} {100 * rows['overall'].mean():.0f}%" in FIVE_SEEDS
