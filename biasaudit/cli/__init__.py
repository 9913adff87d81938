"""The command line: one file a verb. Nothing outside this folder prints."""

from __future__ import annotations

import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

from biasaudit import __version__, processes
from biasaudit.cli import (
    compare,
    data,
    demo,
    doctor,
    evaluate,
    listing,
    localize,
    power,
    repair,
    report,
    reproduce,
    segment,
    train,
)
from biasaudit.cli.console import err, one_line
from biasaudit.cli.flags import complaint
from biasaudit.cli.verb import NOTHING, Terminated, Verb, Verbs
from biasaudit.errors import BiasAuditError, ConfigError, RunFailedError, RunInterruptedError

SHARED = ("train", "evaluate", "repair")
"""Verbs that several processes do together."""

app = typer.Typer(
    name="biasaudit",
    help=(
        "Audit an image classifier for dataset bias, and repair it by guided attention.\n\n"
        "Start with 'biasaudit demo': it trains four boat classifiers and repairs one, shows "
        "whether they find boats by the water, and writes one HTML report."
    ),
    no_args_is_help=True,
    cls=Verbs,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"biasaudit {__version__}")
        raise typer.Exit


@app.callback()
def _top(
    context: typer.Context,
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and stop."
    ),
) -> None:
    verb = context.invoked_subcommand
    if processes.launched()[1] > 1 and verb is not None and verb not in SHARED:
        raise ConfigError(
            f"{verb}: is the work of one process, and {processes.launched()[1]} were started",
            f"start it without a launcher, which {', '.join(SHARED)} take",
        )


app.command("demo", cls=Verb)(demo.demo)
app.command("train", cls=Verb)(train.train)
app.command("evaluate", cls=Verb)(evaluate.evaluate)
app.command("repair", cls=Verb)(repair.repair)
app.command("localize", cls=Verb)(localize.localize)
app.command("reproduce", cls=Verb)(reproduce.reproduce)
app.command("report", cls=Verb)(report.report)
app.command("compare", cls=Verb)(compare.compare)
app.command("power", cls=Verb)(power.power)
app.command("list", cls=Verb)(listing.list_)
app.command("doctor", cls=Verb)(doctor.doctor)
app.add_typer(segment.app, name="segment")
app.add_typer(data.app, name="data")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code (0, 1, 2, 3 or 130)."""
    # What Pillow thinks of a file's metadata is of no use here; a fault in it is an error anyway.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        with _terminable():
            code = app(arguments, standalone_mode=False)
    except RunInterruptedError as error:
        code = _complain(complaint(error), error.exit_code, "")
    except BiasAuditError as error:
        code = _complain(complaint(error), error.exit_code)
    except typer.TyperException as error:
        code = error.exit_code
        if message := error.format_message():  # none where the help stands there already
            _complain(f"{message.removesuffix('.')}; see 'biasaudit --help'", code)
    except MemoryError:
        code = _complain("this machine is out of memory", RunFailedError.exit_code)
    except KeyboardInterrupt:
        code = _complain(f"stopped; {NOTHING}", RunInterruptedError.exit_code, "")
    processes.leave()
    sys.exit(code)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the program as Ctrl-C does: what is half done is tidied up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Terminated


def _complain(line: str, code: int, kind: str = "error: ") -> int:
    err.quiet = False  # --quiet hides notes, not errors
    who = "" if processes.first() else f"{processes.called()}: "
    told = one_line(f"{who}{kind}{line}")
    err.print(told, style="red", markup=False, highlight=False, soft_wrap=True)
    return code
