"""What a user may set about the photographs, and the names that everything else agrees on."""

from __future__ import annotations

from dataclasses import dataclass

from biasaudit.errors import ConfigError

FORWARD, REVERSE = "forward", "reverse"
CLASSES = (FORWARD, REVERSE)
"""The two orientations, in score order."""
SUBSETS = ("train", "val", "test1", "test2")
MIN_SIZE, MAX_SIZE = 32, 256


@dataclass(frozen=True)
class CameraSettings:
    """Settings of the embedded dataset.

    Attributes:
        seed: Of every photograph; the same seed gives the same pixels.
        size: Side of the square images in px, in [32, 256].
        train: Training images of each orientation.
        val: Validation images of each orientation.
        test1: Images of each orientation in the test set that looks like training.
        test2: Images of each orientation in the test set with other surroundings.
        bias: Share of the images outside ``test2`` whose surroundings are their orientation's
            own, in [0, 1]; the others have the other orientation's. At 0.5 nothing but the device
            tells the two apart.

    Raises:
        ConfigError: A value outside its range.
    """

    seed: int = 0
    size: int = 64
    train: int = 350
    val: int = 50
    test1: int = 50
    test2: int = 50
    bias: float = 1.0

    def __post_init__(self) -> None:
        self._check("seed", 0, 2**63 - 1)
        self._check("size", MIN_SIZE, MAX_SIZE)
        for name in SUBSETS:
            self._check(name, 1, 1_000_000)
        self._check("bias", 0.0, 1.0, whole=False)

    def _check(self, name: str, low: float, high: float, whole: bool = True) -> None:
        value = getattr(self, name)
        kinds = (int,) if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
            number = "a whole number" if whole else "a number"
            raise ConfigError(f"camera: {name} is {value!r}", f"give {number} from {low} to {high}")
