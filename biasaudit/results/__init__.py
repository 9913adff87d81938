"""What an audit found: typed, versioned, JSON in and out, readable without torch.

A value that does not exist is None here and null in JSON, never 0 or -1.
"""

from biasaudit.results.audit import Audit, load_audits
from biasaudit.results.files import (
    GALLERY_FILE,
    MAPS_FILE,
    PAIRS_FILE,
    PER_IMAGE_COLUMNS,
    PER_IMAGE_FILE,
    RESULTS_FILE,
    read_per_image,
    read_results,
    settle,
    table_bytes,
    write_atomic,
)
from biasaudit.results.gallery import Gallery, Pictures
from biasaudit.results.schema import (
    FORMAT_VERSION,
    Answered,
    Faithfulness,
    FlipRate,
    FlipRates,
    Group,
    Interval,
    Localization,
    OperatingPointRecord,
    Overall,
    Quadrants,
    Results,
    Run,
    Split,
    Verdict,
    merge,
)

__all__ = [
    "FORMAT_VERSION",
    "GALLERY_FILE",
    "MAPS_FILE",
    "PAIRS_FILE",
    "PER_IMAGE_COLUMNS",
    "PER_IMAGE_FILE",
    "RESULTS_FILE",
    "Answered",
    "Audit",
    "Faithfulness",
    "FlipRate",
    "FlipRates",
    "Gallery",
    "Group",
    "Interval",
    "Localization",
    "OperatingPointRecord",
    "Overall",
    "Pictures",
    "Quadrants",
    "Results",
    "Run",
    "Split",
    "Verdict",
    "load_audits",
    "merge",
    "read_per_image",
    "read_results",
    "settle",
    "table_bytes",
    "write_atomic",
]
