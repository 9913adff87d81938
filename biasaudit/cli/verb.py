"""What every verb of the command line has in common, whatever its options."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from typer.core import TyperCommand, TyperGroup

from biasaudit import processes
from biasaudit.cli.flags import as_flag, flags_of
from biasaudit.errors import BiasAuditError, ConfigError, RunInterruptedError

ONCE = ("--object", "--context", "--data", "--split", "--group", "--model")
"""Options that some verbs take several times: where one takes a single value, a second one is no
correction of the first, as it is of a number that a script sets and its user sets again."""
NOTHING = "nothing was written"
GOES_ON = "run the same command again to go on"


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


@contextmanager
def if_stopped(left: str) -> Iterator[None]:
    """Say what is left where a signal stops the body of a ``with`` statement.

    Args:
        left: What was written, or how to go on.

    Raises:
        RunInterruptedError: A signal came.
    """
    try:
        yield
    except KeyboardInterrupt as signal:
        if isinstance(signal, Terminated) and processes.launched()[1] > 1:
            raise RunInterruptedError(
                "ended by a signal, as a launcher does where another process ended"
            ) from None
        raise RunInterruptedError("stopped", left) from None


def written_before(names: Sequence[str]) -> str:
    """Return what is left of a command on several runs, of which these were finished."""
    return f"written before: {', '.join(names)}" if names else NOTHING


class Verb(TyperCommand):
    """A verb that refuses a second name where one is taken, and says so where it is stopped."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options; a switch shows no type in the help."""
        return _without_types(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments.

        Raises:
            ConfigError: An option of :data:`ONCE` that takes one value is given several times.
        """
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for option, times in Counter(order).items():
            if times > 1 and set(option.opts) & set(ONCE) and not option.multiple:
                raise ConfigError(
                    f"{option.opts[0]}: given {times} times, and takes one value", "give it once"
                )
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Do the work; stopped by a signal it has written nothing, unless it says otherwise.

        Raises:
            BiasAuditError: The work failed; the fields are written as options of this verb.
            RunInterruptedError: A signal came.
        """
        try:
            with if_stopped(NOTHING):
                return super().invoke(ctx)
        except BiasAuditError as error:
            options = {name for option in self.params for name in option.opts}
            flags = flags_of(options, ctx.parent.info_name if ctx.parent else None)
            texts = error.written(partial(as_flag, flags=flags))
            raise type(error)(*texts, field=error.field) from error


class Verbs(TyperGroup):
    """Several verbs under one name."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options; a switch shows no type in the help."""
        return _without_types(super().get_params(ctx))


def _without_types(options: list[Any]) -> list[Any]:
    for option in options:
        if getattr(option, "is_flag", False) and option.metavar is None:
            option.metavar = ""
    return options
