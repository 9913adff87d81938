"""Edited pairs: how often does an edit turn the answer, and how often does it not?"""

from __future__ import annotations

import pandas as pd

from biasaudit.results import FlipRate, FlipRates
from biasaudit.statistics import flip_rates


def flips_of(edited: pd.DataFrame, originals: pd.DataFrame) -> dict[str, FlipRates]:
    """Return, for each group of edited images, how often the answer turned in either direction.

    Args:
        edited: Per-image rows with ``pair``, the id of the image as it was.
        originals: ``id`` and ``decision`` of unedited images, of the same object.

    Returns:
        By group; groups without a pair are left out.
    """
    edited = edited[edited["pair"] != ""]
    if edited.empty:
        return {}
    before = originals.drop_duplicates("id").set_index("id")["decision"]
    found = {}
    for group, rows in edited.groupby("group", sort=False, observed=True):
        known = rows[rows["pair"].isin(before.index)]
        yes_to_no, no_to_yes = (
            FlipRate(turned=one.turned, n=one.n, rate=one.rate, rate_ci=one.interval)
            for one in flip_rates(before.loc[known["pair"]], known["decision"])
        )
        found[str(group)] = FlipRates(
            yes_to_no=yes_to_no, no_to_yes=no_to_yes, without=len(rows) - len(known)
        )
    return found
