"""README holds what the command line holds."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from command_line import verbs

from biasaudit.cli import app

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, flags=re.S)
COMMANDS = [
    part.strip()
    for block in BLOCKS
    for line in block.splitlines()
    for part in line.split("&&")
    if part.strip().startswith("biasaudit")
]


def test_readme_has_its_two_commands():
    assert "pip install . && biasaudit demo" in README
    assert "pip install -e '.[test]' && pytest" in README


def test_there_are_commands():
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_exists_with_its_options(command):
    _, verb, *arguments = shlex.split(command)
    if f"{verb} {arguments[:1] and arguments[0]}" in verbs():
        verb = f"{verb} {arguments[0]}"
    known = {name for parameter in verbs()[verb].params for name in parameter.opts}
    for argument in arguments:
        if argument.startswith("--"):
            assert argument in known


@pytest.mark.parametrize("word", sorted(set(re.findall(r"`biasaudit ([a-z]+)", README))))
def test_every_verb_in_the_text_exists(word):
    assert word in verbs()


@pytest.mark.parametrize("verb", [None, *verbs()])
def test_help_reads_well(verb):
    """Each has a summary, and each option says what it does."""
    command = typer.main.get_command(app) if verb is None else verbs()[verb]
    assert command.help
    assert len(command.help.splitlines()[0]) <= 100
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{verb} {parameter.name}"


@pytest.mark.slow
def test_help_is_quick_to_import():
    """Help loads neither torch nor pandas."""
    script = (
        "import sys\nfrom biasaudit.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'torchvision', 'pandas', 'scipy', 'sklearn', 'matplotlib', 'PIL'}\n"
        "sys.exit(f'loaded {heavy & set(sys.modules)}' if heavy & set(sys.modules) else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
