"""How often an edit turns the answer, counted by hand."""

import pandas as pd
import pytest

from biasaudit.analysis.flip_rates import flips_of


def rows(*cells):
    return pd.DataFrame(cells, columns=["id", "group", "pair", "decision"])


ORIGINALS = rows(
    ("a", "val", "", 1), ("b", "val", "", 1), ("c", "val", "", 1), ("d", "val", "", 0),
    ("a", "boat-with-water", "", 0),
)  # fmt: skip
"""The second line on ``a`` is of another pool: the first one counts."""


def test_turns_are_counted_by_what_the_original_was():
    edited = rows(
        ("a-", "removed", "a", 0), ("b-", "removed", "b", 0), ("c-", "removed", "c", 1),
        ("d-", "removed", "d", 1),
    )  # fmt: skip
    found = flips_of(edited, ORIGINALS)["removed"]
    assert (found.yes_to_no.turned, found.yes_to_no.n) == (2, 3)
    assert found.yes_to_no.rate == pytest.approx(2 / 3)
    assert (found.no_to_yes.turned, found.no_to_yes.n, found.no_to_yes.rate) == (1, 1, 1.0)
    assert found.without == 0
    assert found.yes_to_no.rate_ci[0] < 2 / 3 < found.yes_to_no.rate_ci[1]


def test_an_edit_whose_original_was_not_measured_is_counted_apart():
    edited = rows(("a-", "removed", "a", 1), ("x-", "removed", "x", 1), ("y-", "removed", "y", 0))
    found = flips_of(edited, ORIGINALS)["removed"]
    assert (found.yes_to_no.turned, found.yes_to_no.n, found.no_to_yes.n) == (0, 1, 0)
    assert found.without == 2


def test_each_group_is_counted_by_itself_and_one_without_pairs_is_left_out():
    edited = rows(
        ("a2", "pasted", "a", 1), ("a-", "removed", "a", 0), ("z", "untouched", "", 1),
        ("z2", "pasted", "", 0),
    )  # fmt: skip
    found = flips_of(edited, ORIGINALS)
    assert list(found) == ["pasted", "removed"]
    assert (found["pasted"].yes_to_no.n, found["pasted"].without) == (1, 0)
    assert found["removed"].yes_to_no.turned == 1
