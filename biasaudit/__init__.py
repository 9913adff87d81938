"""biasaudit: audit image classifiers for dataset bias, and repair them by guided attention."""

__version__ = "0.1.0"
