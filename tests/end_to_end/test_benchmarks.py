"""Every benchmark starts, and those of speed run from start to end, made small.

Their times are nobody's concern.
"""

import ast
import importlib
from pathlib import Path

import pandas as pd
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = {path.stem: path.read_text() for path in sorted((ROOT / "benchmarks").glob("*.py"))}
TRACED = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
"""Torch's own, where torch.compile looks at what it traces."""


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run one program and return its table."""
    monkeypatch.syspath_prepend(str(ROOT))
    threads = torch.get_num_threads()

    def runs(name, *arguments):
        out = tmp_path / f"{name}.csv"
        program = importlib.import_module(f"benchmarks.{name}")
        given = [name, "--out", str(out), "--turns", "1", "--device", "cpu", *arguments]
        monkeypatch.setattr("sys.argv", given)
        program.main()
        table = pd.read_csv(out)
        assert {"device", "threads", "python", "torch", "biasaudit"} <= set(table)
        return table

    yield runs
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", [n for n, text in BENCHMARKS.items() if "def main(" in text])
def test_every_program_starts_as_a_module_of_benchmarks(name, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setattr("sys.argv", [name, "--help"])
    program = importlib.import_module(f"benchmarks.{name}")
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: ")


@pytest.mark.parametrize("name", BENCHMARKS)
def test_programs_import_each_other_as_modules_of_benchmarks(name):
    """``python -m benchmarks.NAME`` finds no other one by its bare name."""
    nodes = list(ast.walk(ast.parse(BENCHMARKS[name])))
    found = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    found |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    assert found.isdisjoint(BENCHMARKS)


def test_pages_name_the_one_way_to_start_a_program():
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/**/*.*")]
    texts = {p: p.read_text() for p in pages if p.suffix in {".md", ".py", ".sh"}}
    assert [str(p) for p, text in texts.items() if "python benchmarks/" in text] == []
    assert sum(text.count("python -m benchmarks.") for text in texts.values()) > 50


def test_train_step(run):
    table = run("train_step", "--cases", "harbournet:16:4", "--modes", "gain", "counterfactual")
    table = table.set_index("mode")
    assert list(table.index) == ["baseline", "gain", "counterfactual", "plain"]
    assert table.loc["gain", "limit"] == 2
    assert table.loc["counterfactual", "limit"] == 2.5
    assert (table["ratio"] > 0).all()
    assert table.loc["baseline", ["ratio", "memory_ratio"]].tolist() == [1, 1]
    # the masked pass keeps as many activations as the first one
    assert 1.3 < table.loc["gain", "memory_ratio"] < 2.5


@TRACED
def test_compiled_step(run):
    given = ("--cases", "harbournet:16:4", "--modes", "gain", "--backend", "eager")
    (row,) = run("compiled_step", *given).to_dict("records")
    assert (row["backbone"], row["mode"], row["backend"]) == ("harbournet", "gain", "eager")
    # tracing takes long beside a step
    assert row["compile_seconds"] > row["plain_seconds"] > 0


@TRACED
def test_a_compiled_step_trains_to_the_same_weights(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    import benchmarks.compiled_step
    from benchmarks.train_step import Case, Training, batches_of

    case = Case.read("harbournet:16:4", 0.5)
    batch, labelled = batches_of(case)
    plain, compiled = (Training(case.backbone, "gain_ext", torch.device("cpu")) for _ in range(2))
    compiled.model.classifier.layer_pass = benchmarks.compiled_step.compiled_pass("eager")
    for _ in range(2):
        plain.step(batch, labelled)
        compiled.step(batch, labelled)
    states = [training.model.state_dict() for training in (plain, compiled)]
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value)


def test_evaluate(run):
    case = "harbournet:16:160"
    table = run("evaluate", "--cases", "--faithfulness", case)
    assert table["measured"].tolist() == ["evaluate", "faithfulness"]


def test_attention(run, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import attention

    monkeypatch.setattr(attention, "peers", lambda classifier, images: {})
    given = ("--backbone", "harbournet", "--image-size", "32", "--images", "2")
    table = run("attention", *given)
    assert table["library"].tolist() == ["forward", "biasaudit", "biasaudit"]
    assert table["classes"].tolist() == [0, 1, 20]


def test_other_maps_than_ours_are_refused(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.attention import check

    maps = torch.rand(2, 4, 4, generator=torch.Generator().manual_seed(0))
    check("like", maps, 3 * maps)
    with pytest.raises(RuntimeError, match="unlike: gives other maps"):
        check("unlike", maps, maps.flip(1))


def test_steps_of_scale(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.scale import STEPS, step

    found = {name: step(name, 160, tmp_path) for name in STEPS}
    assert all(told["peak_megabytes"] > 0 for told in found.values())
    assert 0.1 < found["report"]["report_megabytes"] < 10


def test_plain_gain_has_the_gradient_of_the_same_losses(monkeypatch):
    """The comparison is one of like with like, once the options are the plain way's."""
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.train_step import Case, PlainGain, Training, batches_of
    from biasaudit.config import load_settings
    from biasaudit.guidance.modes import active_terms

    batch, _ = batches_of(Case("harbournet", 16, 1, 1))
    device = torch.device("cpu")
    plain, ours = PlainGain("harbournet", device), Training("harbournet", "gain", device)
    said = {
        "mining.scaling": "minmax",
        "mining.fill": "black",
        "classification.over_classes": "mean",
    }
    options = {f"terms.{name}": value for name, value in said.items()}
    ours.model.terms = tuple(
        active_terms(load_settings(None, (), {"training.mode": "gain", **options}))
    )
    ours.model.classifier.eval()
    plain.step(batch)
    ours.step(batch, None)
    for known, found in zip(plain.weights, ours.model.parameters(), strict=True):
        torch.testing.assert_close(found.grad, known.grad, rtol=1e-3, atol=1e-6)


def test_pipeline(run, tmp_path):
    from coco_tree import draw

    table = run(
        "pipeline", "--data", str(draw(tmp_path / "data")), "--images", "8", "--trained", "8",
        "--batch-size", "2", "--backbone", "harbournet", "--image-size", "16", "--workers", "0",
    )  # fmt: skip
    assert table["measured"].tolist() == ["loading"] * 4 + ["training"] * 3
    assert table["waiting"].dropna().between(0, 1).all()
