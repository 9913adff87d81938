"""Guided training: one file a loss term, and modes that are named lists of weighted terms."""
