"""Embedded datasets, drawn by program."""
