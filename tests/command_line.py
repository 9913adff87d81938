"""The command line as tests read it."""

import typer

from biasaudit.cli import app


def verbs():
    """Return every command by its words: "train", "data check"."""
    found = {}
    for name, command in typer.main.get_command(app).commands.items():
        found[name] = command
        for verb, below in getattr(command, "commands", {}).items():
            found[f"{name} {verb}"] = below
    return found
