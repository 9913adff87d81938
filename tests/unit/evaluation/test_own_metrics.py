"""Metrics of plug-ins: measured where there is a region, held to one value an image."""

import math

import pandas as pd
import pytest
import torch

from biasaudit.analysis.groups import localization_of
from biasaudit.errors import RunError
from biasaudit.evaluation import predict
from biasaudit.evaluation.localization import LOCALIZATION_METRICS, metric_columns
from biasaudit.results import PER_IMAGE_COLUMNS
from biasaudit.statistics import mean_interval

MAPS = torch.tensor([[[1.0, 3.0]], [[2.0, 2.0]], [[0.0, 0.0]]])
REGIONS = torch.tensor([[[True, False]], [[False, False]], [[True, True]]])


def test_built_in_metrics_have_columns_of_their_name(monkeypatch):
    monkeypatch.setitem(LOCALIZATION_METRICS._items, "peak", lambda maps, regions: maps)
    found = metric_columns()
    assert [name for name in found if name not in PER_IMAGE_COLUMNS] == ["metric_peak"]
    assert len(found) == 5


def test_a_metric_sees_the_images_with_a_region_alone():
    seen = []

    def peak(maps, regions):
        seen.append(len(maps))
        return maps.amax(dim=(1, 2)) / maps.sum(dim=(1, 2))

    (values,) = predict._measured(MAPS, REGIONS, {"metric_peak": peak}).values()
    assert seen == [2]
    assert values[0] == 0.75
    assert torch.isnan(values[1:]).all()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda maps, regions: maps.mean(), r"gives \(\) for 2 maps"),
        (lambda maps, regions: maps, r"gives \(2, 1, 2\) for 2 maps"),
        (lambda maps, regions: [0.5, 0.5], "gives list for 2 maps"),
    ],
)
def test_a_metric_gives_one_value_an_image(wrong, told):
    with pytest.raises(RunError, match=f"localization metric 'peak': {told}"):
        predict._measured(MAPS, REGIONS, {"metric_peak": wrong})


def test_what_is_infinite_was_not_measured():
    (values,) = predict._measured(MAPS, REGIONS, {"m": lambda m, r: 1 / m.sum((1, 2))}).values()
    assert values[0] == 0.25
    assert torch.isnan(values[2])


def test_the_mean_of_the_measured_ones():
    """Without bounds: a metric need not be a share."""
    values = [4.0, -2.0, math.nan, 10.0]
    columns = ("energy_pointing_game", "context_energy")
    rows = pd.DataFrame({name: [math.nan] * 4 for name in columns} | {"metric_own": values})
    found = localization_of(rows.assign(metric_never=math.nan)).metrics
    assert list(found) == ["own"]
    assert (found["own"].mean, found["own"].n) == (4.0, 3)
    assert found["own"].mean_ci == mean_interval([4.0, -2.0, 10.0], bounds=None)
