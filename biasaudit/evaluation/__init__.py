"""Evaluation: one pass over a split, scores and maps, overlap, groups with intervals."""
