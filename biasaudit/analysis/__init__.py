"""From per-image rows to figures: groups, the verdict, edited pairs. Runs without torch."""
