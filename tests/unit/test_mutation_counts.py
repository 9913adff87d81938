"""benchmarks/mutation.py counts what ran out of time apart from what a test noticed."""

import importlib
from argparse import Namespace
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE = "biasaudit/statistics/intervals.py"


@pytest.fixture
def mutation(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("benchmarks.mutation")


@pytest.fixture
def mutants(mutation):
    return [mutation.Mutant(MODULE, "op", n, n, f"a = {n}", f"a = -{n}") for n in range(1, 5)]


def ended(mutation, monkeypatch, mutants, ends, out, *, survivors=False):
    """Run changes whose tests end in a given way, by their lines, and write the tables."""
    ran = []

    def run(mutant, *_):
        ran.append(mutant.line)
        return ends[mutant.line]

    monkeypatch.setattr(mutation, "_run", run)
    monkeypatch.setattr(mutation, "_tests", lambda *_: 0)
    monkeypatch.setattr(mutation, "reached", lambda *_: mutation.Reach())
    options = Namespace(survivors=survivors, slowest=4.0, timeout=60.0, out=out)
    found = mutation.ends_of("statistics", mutants, Path(), options)
    mutation.write("statistics", found, out)
    return ran


def test_what_ran_out_of_time_is_not_noticed(mutation, mutants, monkeypatch, tmp_path, capsys):
    ends = {1: "killed", 2: "timed out", 3: "survived", 4: "killed"}
    assert ended(mutation, monkeypatch, mutants, ends, tmp_path) == [1, 2, 3, 4]
    (row,) = pd.read_csv(tmp_path / "mutation.csv").to_dict("records")
    assert row == {
        "package": "statistics",
        "module": MODULE,
        "mutants": 4,
        "killed": 2,
        "timed_out": 1,
        "survived": 1,
        "equivalent": 0,
    }
    said = capsys.readouterr().out.splitlines()[-1]
    assert said == "statistics: mutants 4, killed 2, timed_out 1, survived 1, equivalent 0"

    listed = pd.read_csv(tmp_path / "mutation_survivors.csv", keep_default_na=False)
    assert listed[["line", "end"]].values.tolist() == [[2, "timed out"], [3, "survived"]]
    listed.loc[listed["line"] == 3, "why"] = "equivalent: the same"
    listed.to_csv(tmp_path / "mutation_survivors.csv", index=False)
    ends |= {2: "killed"}
    assert ended(mutation, monkeypatch, mutants, ends, tmp_path, survivors=True) == [2, 3]
    (row,) = pd.read_csv(tmp_path / "mutation.csv").to_dict("records")
    assert [row[name] for name in ("killed", "timed_out", "survived", "equivalent")] == [3, 0, 0, 1]


def test_tables_from_before_say_nothing_of_it(mutation, mutants, monkeypatch, tmp_path):
    (tmp_path / "mutation.csv").write_text(
        "package,module,mutants,killed,survived,equivalent\nguidance,biasaudit/guidance/a.py,3,3,0,0\n"
    )
    (tmp_path / "mutation_survivors.csv").write_text(
        f"module,code,mutated,line,why\n{MODULE},a = 1,a = -1,1,equivalent: the same\n"
    )
    ends = dict.fromkeys(range(1, 5), "survived")
    assert ended(mutation, monkeypatch, mutants, ends, tmp_path, survivors=True) == [1]
    assert (tmp_path / "mutation.csv").read_text().splitlines() == [
        "package,module,mutants,killed,timed_out,survived,equivalent",
        "guidance,biasaudit/guidance/a.py,3,3,,0,0",
        f"statistics,{MODULE},4,3,0,0,1",
    ]
