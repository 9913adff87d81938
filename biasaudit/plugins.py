"""What a package needs to add a loss term, a mode, a backbone, a format or a metric of its own.

docs/extending.md shows each. These names are public: semantic versioning is promised for them as
for those of :mod:`biasaudit` itself (docs/api.md).
"""

from biasaudit.attention.cam import METHODS as ATTENTION_METHODS
from biasaudit.attention.mask import scale_maps, upsample_maps
from biasaudit.data import catalogue as _formats  # noqa: F401 (the built-in ones come first)
from biasaudit.data.checks.faults import Complain, refuse
from biasaudit.data.formats.toml_file import READERS, DatasetFile
from biasaudit.data.sample import Dataset, Region, Sample
from biasaudit.errors import ConfigError, DataError
from biasaudit.evaluation.localization import LOCALIZATION_METRICS
from biasaudit.guidance import built_in as _terms  # noqa: F401 (likewise)
from biasaudit.guidance.modes import MODES, Mode
from biasaudit.guidance.step import Step
from biasaudit.guidance.terms import AttentionOptions, TermOptions, term
from biasaudit.models.attention_modules import ATTENTION_MODULES
from biasaudit.models.backbones import BACKBONES, Backbone
from biasaudit.models.classifier import Classifier, PooledLinear

__all__ = [
    "ATTENTION_METHODS",
    "ATTENTION_MODULES",
    "BACKBONES",
    "LOCALIZATION_METRICS",
    "MODES",
    "READERS",
    "AttentionOptions",
    "Backbone",
    "Classifier",
    "Complain",
    "ConfigError",
    "DataError",
    "Dataset",
    "DatasetFile",
    "Mode",
    "PooledLinear",
    "Region",
    "Sample",
    "Step",
    "TermOptions",
    "refuse",
    "scale_maps",
    "term",
    "upsample_maps",
]
