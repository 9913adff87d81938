"""results/, analysis/ and report/ run without torch; ``import biasaudit`` loads nothing heavy."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCKED = ("torch", "torchvision", "accelerate", "safetensors", "timm")
BLOCK = f"""
import sys
from importlib.abc import MetaPathFinder

class Blocked(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED}:
            raise ImportError(f"{{name}} is blocked")

sys.meta_path.insert(0, Blocked())
"""
RENDER = """
import importlib, pkgutil, tempfile
from pathlib import Path
import biasaudit
for name in ("analysis", "report", "results", "statistics"):
    room = importlib.import_module(f"biasaudit.{name}")
    for module in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
        importlib.import_module(module.name)
from report_factory import write_runs
with tempfile.TemporaryDirectory() as folder:
    audits = [biasaudit.Audit.load(path) for path in write_runs(Path(folder))[:3]]
    made = biasaudit.report(audits, Path(folder) / "report.html")
    assert made.path.stat().st_size > 10_000
    print(biasaudit.compare(audits[0], audits[0]))  # each is drawn with labels of its own
try:
    import torch
except ImportError as error:
    assert "blocked" in str(error)
else:
    raise SystemExit("torch was not blocked")
"""
HEAVY = ("numpy", "pandas", "scipy", "torch", "torchvision", "sklearn", "matplotlib", "pydantic")


def run(script):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests")))}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_old_runs_are_compared_and_reported_without_torch():
    lines = run(BLOCK + RENDER).splitlines()
    assert lines[0].endswith(":")
    assert any(line.endswith("  no difference shown") for line in lines)


def test_import_is_light():
    """Neither the package nor looking at what it offers loads a heavy one."""
    script = f"import sys, biasaudit\ndir(biasaudit)\nprint(*(set({HEAVY}) & set(sys.modules)))"
    assert run(script).strip() == ""


def test_a_room_does_not_hide_the_function_of_its_name():
    script = "import biasaudit, biasaudit.report.build\nprint(biasaudit.report.__module__)"
    assert run(script).strip() == "biasaudit.api"
