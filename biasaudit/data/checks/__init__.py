"""What can be wrong with a dataset, and what it looks like."""
