"""CSV: no cell is a formula to a spreadsheet, and what was written is read back."""

import csv
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasaudit.errors import RunError
from biasaudit.inputs.files import Source
from biasaudit.inputs.tables import (
    csv_text,
    frame_bytes,
    guarded,
    join_tables,
    read_frame,
    read_rows,
    stands_twice,
    unguarded,
)


@given(st.text())
def test_a_guarded_cell_is_no_formula_and_gives_its_text_back(text):
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unguarded(guarded(text)) == text


def test_a_cell_that_was_never_guarded_stays():
    assert unguarded("'tis") == "'tis"
    assert unguarded("plain") == "plain"


NAMES = ["=cmd|' /C calc'!A0", "+1.png", "-2", "@x", "\tt", "a\rb", "'=1", "''+", 'a,b\n"c"', "é"]


def test_a_table_of_names_is_read_back(tmp_path):
    table = pd.DataFrame({"id": NAMES, "score": [-1.5] * len(NAMES)})
    file = tmp_path / "t.csv"
    file.write_bytes(frame_bytes(table))
    cells = [row[0] for row in csv.reader(io.StringIO(file.read_text("utf-8"), newline=""))]
    assert not [cell for cell in cells if cell[:1] in tuple("=+-@\t\r")]
    found = read_frame(Source(file), ("id",))
    assert found["id"].tolist() == NAMES
    assert found["score"].astype(float).tolist() == [-1.5] * len(NAMES)


def test_numbers_are_no_formulas():
    assert csv_text(["n"], [[-1.5], [None], ["-1"]]) == 'n\n-1.5\n""\n\'-1\n'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot be read"),
        (b"\xff\xff", "cannot be read"),
        (b"a," * 5000, "columns"),
        (b'a,b\n"1', "cannot be read"),
        (b"a\n1,2\n1,2,3,4\n", "cannot be read"),
        (b"a\n1,2\n3,4\n", "more cells than the header"),
    ],
)
def test_tables_that_are_refused(tmp_path, content, words):
    file = tmp_path / "t.csv"
    file.write_bytes(content)
    with pytest.raises(RunError, match=words):
        read_frame(Source(file, RunError))


def test_rows_whose_columns_have_one_name(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("image,labels,image\n1,2,3\n")
    with pytest.raises(RunError, match="two columns are called 'image'"):
        read_rows(Source(file, RunError))


def test_rows_that_stand_twice_are_those_that_pandas_names():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.integers(0, 120, 9000), "b": rng.integers(0, 60, 9000)})
    table = table.astype(str).assign(a=lambda t: t["a"].astype("category"))
    table.index += 7
    found = stands_twice(table, ["a", "b"])
    pd.testing.assert_series_equal(found, table.duplicated(["a", "b"]))
    assert 0 < found.sum() < len(table)


def test_texts_whose_border_moved_are_different_rows():
    table = pd.DataFrame({"a": ["x", "xy", "x"], "b": ["yz", "z", "yz"]})
    assert stands_twice(table, ["a", "b"]).tolist() == [False, False, True]
    assert stands_twice(table[:0], ["a", "b"]).tolist() == []


def test_categories_of_several_parts_are_one_column():
    parts = [
        pd.DataFrame({"name": pd.Categorical(["b", "a", None]), "n": [1, 2, 3]}),
        pd.DataFrame({"name": pd.Categorical(["c", "a"], categories=["c", "b", "a"]), "n": [4, 5]}),
    ]
    found = join_tables(parts)
    assert found["name"].dtype == "category"
    assert found["name"].astype(object).fillna("").tolist() == ["b", "a", "", "c", "a"]
    assert found["n"].tolist() == [1, 2, 3, 4, 5]


def test_more_categories_than_a_byte_counts_stay_apart():
    names = [f"{number}" for number in range(300)]
    parts = [pd.DataFrame({"id": pd.Categorical(names[at : at + 100])}) for at in (0, 100, 200, 50)]
    assert join_tables(parts)["id"].tolist() == [*names, *names[50:150]]
