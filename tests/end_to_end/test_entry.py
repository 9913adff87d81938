"""The command as a process of its own."""

import os
import subprocess
import sys


def module(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "biasaudit", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_the_package_runs_as_a_module():
    answer = module("--version")
    assert answer.returncode == 0
    assert answer.stdout.startswith("biasaudit ")


def test_stopped_while_it_is_imported_it_ends_without_a_traceback(tmp_path):
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    answer = module("--version", PYTHONPATH=path)
    assert answer.returncode == 130
    assert "Traceback" not in answer.stderr
