"""Harbour: generated scenes of boats, cars, houses and trees, with a bias whose strength is set."""

from biasaudit.data.synthetic.harbour.dataset import harbour
from biasaudit.data.synthetic.harbour.settings import HarbourSettings

__all__ = ["HarbourSettings", "harbour"]
