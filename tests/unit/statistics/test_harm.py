"""Harm to other objects: one test over the images, and what it could have shown."""

import math

import pytest
from scipy import stats

from biasaudit.statistics.harm import harm


def test_photographs_that_turned_wrong():
    # 81 images of other objects: 14 turned wrong, 3 right; 45 right before, 34 after.
    before = [1] * 45 + [0] * 36
    after = [1] * 31 + [0] * 14 + [1] * 3 + [0] * 33
    found = harm(before, after)
    assert (found.n, found.worse, found.better) == (81, 14, 3)
    assert (found.right_before, found.right_after) == pytest.approx((45 / 81, 34 / 81))
    assert found.p_value == pytest.approx(stats.binomtest(3, 17).pvalue)
    assert found.p_value == pytest.approx(0.013, abs=5e-4)
    assert found.difference == pytest.approx(-11 / 81)
    assert found.interval[0] < found.difference < found.interval[1] < 0


def test_an_image_of_several_objects_counts_once():
    # Image 0 loses both answers, image 1 loses one and gains one, image 2 gains one.
    found = harm([1, 1, 1, 0, 0, 1], [0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 2, 2])
    assert (found.n, found.worse, found.better) == (3, 1, 1)
    assert found.right_before == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert found.p_value == 1.0


def test_what_could_have_been_shown():
    found = harm([1] * 81, [1] * 81)
    assert found.p_value == 1.0
    # Six answers that turn one way are the fewest with p <= .05: 2 / 2**6 = .031.
    assert found.least == pytest.approx(6 / 81)
    # A loss of that share is shown four times in five, by the binomial.
    sure = stats.binom.sf(5, 81, found.likely)
    assert sure == pytest.approx(0.8, abs=0.01)
    assert math.isnan(harm([1] * 5, [0] * 5).least)
    assert math.isnan(harm([], []).p_value)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="answers"):
        harm([1, 0], [1])
