"""What docs/ shows is run: every command of the first hour's pages, every option of all pages."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.models
from command_line import verbs
from PIL import Image

import biasaudit as ba

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
NAMES = ("cat", "dog", "fish")
SCENES = [
    f"--set=data.options.{name}={count}"
    for name, count in (("train", 160), ("val", 40), ("group", 20))
]
TINY = ["--backbone", "harbournet", "--weights", "none", "--image-size", "32", "--epochs", "1"]


def commands(page):
    """Return the lines of a page's shell blocks that call biasaudit."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S)
    parts = (part.strip() for block in blocks for part in re.split(r"\n|&&", block))
    return [part for part in parts if part.startswith("biasaudit ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_exists_with_its_options(page):
    for command in commands(page):
        _, verb, *arguments = shlex.split(command)
        if arguments and f"{verb} {arguments[0]}" in verbs():
            verb = f"{verb} {arguments[0]}"
        known = {name for parameter in verbs()[verb].params for name in parameter.opts}
        for argument in arguments:
            if argument.startswith("--"):
                assert argument in known, command
    for name in re.findall(r"`biasaudit ([a-z]+)", page.read_text(encoding="utf-8")):
        assert name in verbs()


@pytest.fixture
def pets(tmp_path):
    """Pictures in three class folders of ``train``, whose hue tells the class."""
    rng = np.random.default_rng(0)
    for place, name in enumerate(NAMES):
        for number in range(20):
            image = rng.integers(0, 90, (48, 40, 3), dtype=np.uint8)
            image[..., place] += 120
            file = tmp_path / "pets" / "train" / name / f"{number}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(file)
    return tmp_path / "pets"


def run(biasaudit, command):
    """Run a command as it stands, on small data and with a small network."""
    words = shlex.split(command)[1:]
    if words[0] == "train":
        words += ["--quiet", *(TINY if "--data" in words else [*SCENES, "--epochs", "1"])]
    answer = biasaudit(*words)
    assert answer.code == 0, f"{command}\n{answer.err}"
    return answer


@pytest.mark.slow
def test_the_first_audit_runs_as_it_is_written(biasaudit, pets, tmp_path):
    shown = commands(DOCS / "first_audit.md")
    assert len(shown) == 10
    answers = {command: run(biasaudit, command) for command in shown[:8]}
    assert (tmp_path / "report.html").stat().st_size > 10_000
    assert (tmp_path / "pets.html").stat().st_size > 10_000
    assert "val = 0.15" in answers["biasaudit data init pets --object cat"].out
    table = tmp_path / "tagging" / "contexts.csv"
    lines = table.read_text().splitlines()
    tagged = [lines[0], *(f"{line}{n % 2}" for n, line in enumerate(lines[1:]))]
    table.write_text("\n".join(tagged) + "\n")
    for command in shown[8:]:
        answers[command] = run(biasaudit, command)
    assert "cat-without-sofa" in answers[shown[-1]].out


def test_a_folder_needs_four_commands():
    """Line 3: from an installed package to a report."""
    block = re.findall(r"```sh\n(.*?)```", (DOCS / "first_audit.md").read_text(), flags=re.S)[1]
    assert [line.split()[1] for line in block.splitlines()] == [
        "data",
        "train",
        "evaluate",
        "report",
    ]


MODULE = """
from torchvision.models import squeezenet1_1

def build():
    return squeezenet1_1(weights=None, num_classes=3)
"""


@pytest.mark.slow
def test_a_model_of_ones_own_runs_as_it_is_written(biasaudit, pets, tmp_path, monkeypatch):
    assert biasaudit("data", "init", "pets").code == 0
    torch.manual_seed(0)
    state = torchvision.models.resnet18(weights=None, num_classes=3).state_dict()
    torch.save({"model": state, "epoch": 3}, tmp_path / "mine.pth")
    (tmp_path / "mymodels.py").write_text(MODULE)
    shown = commands(DOCS / "own_model.md")
    assert len(shown) == 3
    for command in shown:
        run(biasaudit, command)
    assert (tmp_path / "mine.html").is_file()
    (snippet,) = re.findall(r"```python\n(.*?)```", (DOCS / "own_model.md").read_text(), flags=re.S)
    scope = {}
    exec(snippet, scope)  # what the page shows, in the folder that it speaks of
    assert isinstance(scope["audit"], ba.Audit)
    monkeypatch.delitem(sys.modules, "mymodels", raising=False)


def test_every_page_is_in_the_site_and_no_link_leads_nowhere(tmp_path):
    pytest.importorskip("zensical")
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    shutil.copytree(DOCS, tmp_path / "docs")
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert {page.name for page in PAGES} == set(re.findall(r": (\w+\.md)$", config, flags=re.M))
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "site" / "first_audit" / "index.html").is_file()
