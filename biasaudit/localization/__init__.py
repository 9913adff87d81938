"""Weakly supervised object localization: boxes and pixels that attention maps name."""
