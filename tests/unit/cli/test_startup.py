"""Help and lists load nothing heavy; a shell completes the names of verbs and options."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
HEAVY = ("torch", "torchvision", "numpy", "pandas", "scipy", "sklearn", "matplotlib", "PIL", "cv2")
SCRIPT = f"""
import sys
from biasaudit.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    code = end.code
loaded = set({HEAVY}) & set(sys.modules)
sys.exit(f"loaded {{loaded}}" if loaded else code)
"""


def call(*arguments, **environment):
    return subprocess.run(
        arguments,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "words",
    [
        "--help",
        "train --help",
        "evaluate --help",
        "list modes",
        "list terms",
        "list backbones",
        "list datasets",
        "list metrics",
        "list settings",
        "list settings --json",
    ],
)
def test_help_and_lists_load_nothing_heavy(words):
    done = call(sys.executable, "-c", SCRIPT, *words.split())
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_splits_are_listed_without_torch():
    script = SCRIPT.replace(str(HEAVY), str(("torch", "torchvision", "pandas")))
    small = "import sys; sys.argv[1:1] = []\n"
    done = call(sys.executable, "-c", small + script, "list", "splits", "--data", "camera")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", ["modes", "terms", "backbones", "datasets", "metrics"])
def test_lists_as_json(kind):
    done = call(sys.executable, "-c", SCRIPT, "list", kind, "--json")
    rows = json.loads(done.stdout)
    assert rows
    assert all(set(row) == {"name", "summary"} and row["summary"] for row in rows)


@pytest.mark.parametrize(
    ("typed", "offered"), [("tr", "train"), ("list mo", "modes"), ("evaluate --all-p", "all-pairs")]
)
def test_a_shell_completes(typed, offered):
    words = f"biasaudit {typed}"
    done = call(
        sys.executable,
        "-c",
        "from biasaudit.cli import main; import sys; sys.argv[0] = 'biasaudit'; main()",
        _BIASAUDIT_COMPLETE="complete_bash",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split()) - 1),
    )
    assert offered in done.stdout, done.stderr
