"""What every verb of the command line has in common, whatever its options."""

from __future__ import annotations

from collections import Counter
from typing import Any

from typer.core import TyperCommand, TyperGroup

from biasaudit.errors import ConfigError

ONCE = ("--object", "--context", "--data", "--split", "--group", "--model")
"""Options that some verbs take several times: where one takes a single value, a second one is no
correction of the first, as it is of a number that a script sets and its user sets again."""


class Verb(TyperCommand):
    """A verb that refuses a second name where one is taken, and the last would win in silence."""

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
