"""The waist: every figure of results.json is made from the per-image table, by one function."""

import json
import subprocess
import sys
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from biasaudit.analysis import compare
from biasaudit.report.grouping import build_audits
from biasaudit.report.sections.changes import changes_against
from biasaudit.results import PER_IMAGE_COLUMNS, Audit, Group, Overall, Run, Split

ROOT = Path(__file__).resolve().parents[3]
GROUPS = ("boat-without-water", "water-without-boat")

RECOMPUTE = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "torchvision", "accelerate", "safetensors", "timm"}:
            raise ImportError(name)
sys.meta_path.insert(0, Blocked())
from biasaudit.analysis import figures, questions_of
from biasaudit.results import Audit
audit = Audit.load(sys.argv[1])
again = figures(audit.per_image, questions_of(audit.run), audit.run.context)
recorded = {name: split.model_dump(mode="json") for name, split in audit.run.splits.items()}
made = {name: split.model_dump(mode="json") for name, split in again.items()}
assert made == recorded, (made, recorded)
print(sum(len(split.groups) for split in again.values()))
"""


@pytest.mark.slow
def test_every_figure_is_recomputed_without_torch(tmp_path):
    """An audit with everything that can be asked for, on few scenes, saved and read again."""
    import biasaudit

    options = {"train": 40, "val": 24, "group": 12}
    data = biasaudit.load_dataset("harbour", options=options)
    run = biasaudit.train(data, epochs=1, batch_size=16)
    audit = biasaudit.audit(
        run, data, splits=["biased-boat", "edited-boat"], faithfulness=True, all_pairs=True
    )
    audit.save(tmp_path / "audit")
    told = subprocess.run(
        [sys.executable, "-c", RECOMPUTE, str(tmp_path / "audit")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-2000:]
    assert int(told.stdout) >= 4
    recorded = json.loads((tmp_path / "audit" / "results.json").read_text())
    assert set(recorded["files"]) >= {"per_image.csv", "gallery.npz", "pairs.csv"}


def table(seed, ability, *, pairs):
    """Two groups of images; edited pairs stand in both groups and turn together."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(8, 40))
    right = rng.random((2, n)) < ability
    if pairs:
        right[1] = right[0]
    rows = [
        {
            "split": "biased-boat",
            "group": group,
            "id": f"{group}-{i}",
            "label": 1 - place,
            "score": float(rng.normal()),
            "decision": int(right[place, i] == (place == 0)),
            "correct": int(right[place, i]),
            "pair": f"original-{i}" if pairs else "",
        }
        for place, group in enumerate(GROUPS)
        for i in range(n)
    ]
    return pd.DataFrame(rows).reindex(columns=list(PER_IMAGE_COLUMNS)), n


def audit_of(name, rows, n):
    run = Run(
        name=name,
        mode=name,
        object="boat",
        context="water",
        backbone="b",
        dataset="d",
        splits={
            "biased-boat": Split(
                overall=Overall(n=2 * n), groups={group: Group(n=n) for group in GROUPS}
            )
        },
    )
    return Audit(run, rows)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    first=st.sampled_from([0.2, 0.5, 0.8]),
    second=st.sampled_from([0.2, 0.5, 0.8, 0.95]),
    pairs=st.booleans(),
)
def test_report_and_compare_say_the_same(seed, first, second, pairs):
    before, n = table(seed, first, pairs=pairs)
    after, _ = table(seed, second, pairs=pairs)
    (view,) = build_audits([audit_of("baseline", before, n), audit_of("gain", after, n)])
    change = changes_against(view, 0)[1]
    overall = compare(before, after).changes[0]
    assert change.outcome == overall.outcome
    assert (change.difference.low, change.difference.high) == pytest.approx(
        overall.interval, nan_ok=True
    )
