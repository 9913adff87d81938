"""Evaluation: one pass over a split, scores and maps, overlap, cells with intervals."""
