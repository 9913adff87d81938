"""The sheet to tag contexts in: a click changes a tag, the link gives the table."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from biasaudit.data.checks.context_sheet import as_csv, as_page, images_to_tag
from biasaudit.data.sample import Dataset, Sample

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def sample(name, contexts=(), annotated=()):
    return Sample(
        name,
        frozenset({"cat"}),
        frozenset(contexts),
        lambda: np.zeros((30, 40, 3), dtype=np.uint8),
        annotated=frozenset(annotated),
    )


def test_tags_are_clicked_and_saved(context, tmp_path):
    page = context.new_page()
    samples = [sample("a, b.png"), sample('c"d.png', {"sofa"}, {"sofa"})]
    data = Dataset("pets", ("cat",), ("sofa",), {"val": samples})
    rows = images_to_tag(data, ["val"], ["sofa", "garden"])
    file = tmp_path / "contexts.html"
    file.write_text(as_page("pets", rows, ["sofa", "garden"]), encoding="utf-8")
    page.goto(file.as_uri())
    first = page.locator("figure").first.locator("button")
    first.nth(0).click()  # unknown to yes
    first.nth(1).click()
    first.nth(1).click()  # unknown to yes to no
    with page.expect_download() as download:
        page.locator("#save").click()
    saved = list(csv.reader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8"))))
    header, *told = list(csv.reader(io.StringIO(as_csv(rows, ["sofa", "garden"]))))
    assert saved[0] == header
    assert saved[1] == [*told[0][:3], "1", "0"]
    assert saved[2] == told[1]
    assert told[1][3:] == ["1", ""]
