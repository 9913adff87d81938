"""What an audit found: versioned, JSON in and out, readable without torch.

Three files hold one run's results, side by side in its folder:

- ``results.json``: figures with intervals (:class:`Results`), the shape that
  ``biasaudit evaluate`` prints as JSON;
- ``per_image.csv``: one row an image (:data:`PER_IMAGE_COLUMNS`), from which every figure can be
  recomputed;
- ``gallery.npz``: the small pictures and attention maps that a report shows (:class:`Gallery`).

A value that does not exist is None here and null in JSON, never 0 or -1.
"""

from biasaudit.results.files import (
    GALLERY_FILE,
    PAIRS_FILE,
    PER_IMAGE_COLUMNS,
    PER_IMAGE_FILE,
    REQUIRED_COLUMNS,
    RESULTS_FILE,
    read_per_image,
    read_results,
    write_atomic,
    write_per_image,
)
from biasaudit.results.gallery import Gallery
from biasaudit.results.schema import (
    FORMAT_VERSION,
    Group,
    Interval,
    Localization,
    Overall,
    Results,
    Run,
    Split,
    merge,
)

__all__ = [
    "FORMAT_VERSION",
    "GALLERY_FILE",
    "PAIRS_FILE",
    "PER_IMAGE_COLUMNS",
    "PER_IMAGE_FILE",
    "REQUIRED_COLUMNS",
    "RESULTS_FILE",
    "Gallery",
    "Group",
    "Interval",
    "Localization",
    "Overall",
    "Results",
    "Run",
    "Split",
    "merge",
    "read_per_image",
    "read_results",
    "write_atomic",
    "write_per_image",
]
