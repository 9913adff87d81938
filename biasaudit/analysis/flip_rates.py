"""Edited pairs: how often does an edit turn the answer, and how often does it not?"""

from __future__ import annotations

from typing import Any

import pandas as pd

from biasaudit.statistics import flip_rates


def flips_of(edited: pd.DataFrame, originals: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return, for each group of edited images, how often the answer turned in either direction.

    Args:
        edited: Per-image rows with ``pair``, the id of the image as it was.
        originals: Per-image rows of unedited images, of the same object.

    Returns:
        By group ``yes_to_no`` and ``no_to_yes``, each with ``turned``, ``n`` (pairs that gave the
        first answer before the edit), ``rate`` and its 95% interval ``rate_ci``; and ``without``,
        the images whose partner is not among the originals. Groups without a pair are left out.
    """
    before = originals.drop_duplicates("id").set_index("id")["decision"]
    found = {}
    for group, rows in edited[edited["pair"] != ""].groupby("group", sort=False):
        known = rows[rows["pair"].isin(before.index)]
        turned = flip_rates(before.loc[known["pair"]], known["decision"])
        found[str(group)] = {
            **{
                name: {"turned": one.turned, "n": one.n, "rate": one.rate, "rate_ci": one.interval}
                for name, one in zip(("yes_to_no", "no_to_yes"), turned, strict=True)
            },
            "without": len(rows) - len(known),
        }
    return found
