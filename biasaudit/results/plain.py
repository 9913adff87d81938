"""Values as JSON takes them."""

from __future__ import annotations

import math
from typing import Any


def plain(value: Any) -> Any:
    """Return a value as JSON takes it.

    Args:
        value: Numbers, texts, and dictionaries, lists and tuples of them.

    Returns:
        NaN is None, and so is a tuple (an interval) that holds one.
    """
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        parts = [plain(one) for one in value]
        return None if isinstance(value, tuple) and None in parts else parts
    return None if isinstance(value, float) and math.isnan(value) else value
