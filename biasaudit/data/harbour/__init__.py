"""Harbour: generated scenes of boats, cars, houses and trees, with a bias whose strength is set."""

from biasaudit.data.harbour.dataset import harbour
from biasaudit.data.harbour.settings import HarbourSettings

__all__ = ["HarbourSettings", "harbour"]
