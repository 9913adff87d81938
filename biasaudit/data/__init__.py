"""Datasets: readers, embedded scenes, splits and their cells, pixel labels, batches."""
