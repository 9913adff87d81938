"""Repair of a trained classifier by its last layer: one class's row, refitted on edited pairs."""
