"""What a user may set about the scenes, and the names that everything else agrees on."""

from __future__ import annotations

from dataclasses import dataclass

from biasaudit.errors import ConfigError

OBJECTS = ("boat", "car", "house", "tree")
"""Object classes, in score order."""
LAND = ("grass", "sand", "road")
GROUNDS = ("water", *LAND)
CONTEXTS = (*GROUNDS, "sky")
MIN_SIZE, MAX_SIZE = 32, 256


@dataclass(frozen=True)
class HarbourSettings:
    """Settings of the embedded dataset.

    Attributes:
        seed: Of every scene; the same seed gives the same pixels.
        size: Side of the square images in px, in [32, 256].
        train: Number of training images, half of them with a boat.
        val: Number of validation images, half of them with a boat.
        group: Test images in each of the four groups of boat and water.
        water_given_boat: Share of the images with a boat whose ground is water, in [0, 1].
        water_given_no_boat: Share of the other images whose ground is water, in [0, 1].

    Raises:
        ConfigError: A value outside its range.
    """

    seed: int = 0
    size: int = 64
    train: int = 1000
    val: int = 400
    group: int = 200
    water_given_boat: float = 0.98
    water_given_no_boat: float = 0.02

    def __post_init__(self) -> None:
        self._check("seed", 0, 2**63 - 1)
        self._check("size", MIN_SIZE, MAX_SIZE)
        for name in ("train", "val", "group"):
            self._check(name, 1, 1_000_000)
        self._check("water_given_boat", 0.0, 1.0, whole=False)
        self._check("water_given_no_boat", 0.0, 1.0, whole=False)

    def _check(self, name: str, low: float, high: float, whole: bool = True) -> None:
        value = getattr(self, name)
        kinds = (int,) if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
            number = "a whole number" if whole else "a number"
            raise ConfigError(
                f"harbour: {name} is {value!r}", f"give {number} from {low} to {high}"
            )
