"""Datasets: readers, embedded scenes, splits and their groups, pixel labels, batches."""
