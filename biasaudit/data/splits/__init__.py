"""Splits: which images stand in which group, by annotation, by folder, or by editing."""
