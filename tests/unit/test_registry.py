"""Tables of named things."""

import pytest

from biasaudit.errors import ConfigError
from biasaudit.registry import Registry


def test_names_are_given_once_and_near_ones_suggested():
    table = Registry("colour")
    table.register("green")(1)
    table.add("red", 2)
    assert (table["green"], list(table), len(table), "red" in table) == (
        1,
        ["green", "red"],
        2,
        True,
    )
    with pytest.raises(ValueError, match="'red' is registered already"):
        table.add("red", 3)
    with pytest.raises(ConfigError, match="unknown colour 'gren'; did you mean 'green'"):
        table["gren"]
