"""A manifest: groups become labels, contexts, masks and boxes; a faulty row is named."""

import sys

import numpy as np
import pandas as pd
import PIL.Image
import pytest
from coco_tree import rectangle
from four_formats import HEIGHT, WIDTH, put_map, write_manifest

from biasaudit.data.catalogue import load_dataset
from biasaudit.data.checks.faults import Notebook
from biasaudit.data.sample import context_shown
from biasaudit.errors import BiasAuditError, ConfigError

NAN = float("nan")

TOML = """format = "manifest"
manifest = "lesions.csv"
contexts = ["ruler", "site"]
object = "melanoma"
context = "ruler"
"""
HEADER = "image,labels,subset,ruler,site,mask,boxes"
ROWS = [
    "a.png,melanoma,train,1,back,a-mask.png,",
    "b.png,naevus;melanoma,train,no,arm,melanoma:a-mask.png;naevus:b-mask.png,",
    "c.png,naevus,val,TRUE,,,2 3 10 6;naevus:20 2 50.2 5.9",
    "d.png,,val,,back,,",
]


@pytest.fixture
def lesions(tmp_path):
    for name in "abcd":
        PIL.Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / f"{name}.png")
    put_map(tmp_path, "a-mask.png", rectangle(0, 0, 5, 5).astype(np.uint8) * 255)
    put_map(tmp_path, "b-mask.png", rectangle(3, 0, 9, 5).astype(np.uint8))
    (tmp_path / "dataset.toml").write_text(TOML)
    write(tmp_path, ROWS)
    return tmp_path


def write(root, rows, header=HEADER):
    (root / "lesions.csv").write_text("\n".join([header, *rows, ""]))


def everything(dataset):
    return {s.id[0]: s for subset in dataset.subsets.values() for s in subset}


def test_groups(lesions):
    dataset = load_dataset(str(lesions))
    found = everything(dataset)
    assert dataset.classes == ("melanoma", "naevus")
    assert dataset.contexts == ("ruler", "site=arm", "site=back")
    assert {name: set(s.labels) for name, s in found.items()} == {
        "a": {"melanoma"},
        "b": {"melanoma", "naevus"},
        "c": {"naevus"},
        "d": set(),
    }
    assert {name: set(s.contexts) for name, s in found.items()} == {
        "a": {"ruler", "site=back"},
        "b": {"site=arm"},
        "c": {"ruler"},
        "d": {"site=back"},
    }


def test_yes_no_and_unknown(lesions):
    """An empty field is unknown, `no` is no; a text in a column says no to its other texts."""
    dataset = load_dataset(str(lesions))
    told = {
        name: [context_shown(s, context, dataset.classes) for context in dataset.contexts]
        for name, s in everything(dataset).items()
    }
    assert dataset.contexts == ("ruler", "site=arm", "site=back")
    np.testing.assert_equal(
        told, {"a": [1, 0, 1], "b": [0, 1, 0], "c": [1, NAN, NAN], "d": [NAN, 0, 1]}
    )


def test_an_explicit_no_is_annotated_where_there_is_one_context(lesions):
    """Nine images marked no, once, counted as not annotated, and so as with the context."""
    (lesions / "dataset.toml").write_text(TOML.replace(', "site"', ""))
    write(lesions, [ROWS[0], "b.png,melanoma,val,no,,,", *ROWS[2:]])
    dataset = load_dataset(str(lesions))
    b, d = (everything(dataset)[name] for name in "bd")
    assert context_shown(b, "ruler", dataset.classes) == 0
    assert np.isnan(context_shown(d, "ruler", dataset.classes))


def test_masks_and_boxes(lesions):
    found = everything(load_dataset(str(lesions)))
    np.testing.assert_array_equal(found["a"].regions["melanoma"].load(), rectangle(0, 0, 5, 5))
    np.testing.assert_array_equal(found["b"].regions["naevus"].load(), rectangle(3, 0, 9, 5))
    region = found["c"].regions["naevus"]
    assert region.form == "box"
    np.testing.assert_array_equal(
        region.load(), rectangle(2, 3, 12, 9) | rectangle(20, 2, WIDTH, 8)
    )
    assert not found["d"].regions


def test_several_masks_of_one_class_are_joined(lesions):
    write(lesions, ["a.png,melanoma,train,1,back,a-mask.png;b-mask.png,", *ROWS[1:]])
    region = everything(load_dataset(str(lesions)))["a"].regions["melanoma"]
    np.testing.assert_array_equal(region.load(), rectangle(0, 0, 9, 5))
    assert region.area_fraction == 45 / 600


def test_a_quote_and_a_byte_order_mark(lesions):
    text = (lesions / "lesions.csv").read_text().replace("20 2 50.2 5.9,", '"20,2,50.2,5.9",')
    (lesions / "lesions.csv").write_text(text, encoding="utf-8-sig")
    assert len(everything(load_dataset(str(lesions)))) == 4


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators(lesions, separator):
    table = pd.read_csv(lesions / "lesions.csv", dtype=str)
    table.to_csv(lesions / "lesions.csv", sep=separator, index=False)
    assert everything(load_dataset(str(lesions)))["b"].labels == {"melanoma", "naevus"}


def test_parquet_is_the_same(lesions):
    table = pd.read_csv(lesions / "lesions.csv", dtype=str)
    table["labels"] = [
        list(filter(None, str(c).replace("nan", "").split(";"))) for c in table["labels"]
    ]
    table["ruler"] = [True, False, True, None]
    table.to_parquet(lesions / "lesions.parquet")
    expected = everything(load_dataset(str(lesions)))
    (lesions / "dataset.toml").write_text(TOML.replace(".csv", ".parquet"))
    found = everything(load_dataset(str(lesions)))
    for name, sample in expected.items():
        assert (found[name].labels, found[name].contexts) == (sample.labels, sample.contexts)
        assert set(found[name].regions) == set(sample.regions)


def test_parquet_without_pyarrow_names_the_way_out(lesions, monkeypatch):
    (lesions / "lesions.parquet").write_bytes(b"")
    (lesions / "dataset.toml").write_text(TOML.replace(".csv", ".parquet"))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r"pip install 'biasaudit\[parquet\]', or .* CSV"):
        load_dataset(str(lesions))


def test_a_broken_parquet_file(lesions):
    (lesions / "lesions.parquet").write_bytes(b"PAR")
    (lesions / "dataset.toml").write_text(TOML.replace(".csv", ".parquet"))
    with pytest.raises(BiasAuditError, match=r"lesions\.parquet: not a Parquet file"):
        load_dataset(str(lesions))


@pytest.mark.parametrize(
    ("row", "kind", "message"),
    [
        ("x.png,melanoma,train,1,,,", "missing file", "row 6: image: no such file"),
        ("../x.png,melanoma,train,1,,,", "path outside the root", "'../x.png' leaves the images"),
        ("/x.png,melanoma,train,1,,,", "path outside the root", "'/x.png' leaves the images"),
        (",melanoma,train,1,,,", "faulty annotation", "row 6: image: names no file"),
        ("a.png,melanoma,train,1,,,", "duplicate id", "'a.png' has a row already"),
        ("a.png,melanoma,val,1,,,", "in train and held out", "'a.png' is in train and in val"),
        ("e.png,melanoma,tain,1,,,", "faulty annotation", "no such subset 'tain'; did you mean"),
        ("e.png,melanoma,train,1,,no.png,", "missing file", "row 6: mask: no such file"),
        ("e.png,,train,1,,a-mask.png,", "faulty annotation", "the image has 0; write it as class"),
        ("e.png,naevus,train,1,,melanom:a-mask.png,", "class without a name", "did you mean"),
        ("e.png,naevus,train,1,,,1 2 3", "faulty annotation", "'1 2 3' is not x y width height"),
        ("e.png,naevus,train,1,,,1 2 3 x", "faulty annotation", "'1 2 3 x' is not x y width"),
        ("e.png,naevus,train,1,,,cow:1 2 3 4", "class without a name", "no class is called 'cow'"),
    ],
)
def test_a_faulty_row_is_refused_and_a_check_goes_on(lesions, row, kind, message):
    PIL.Image.new("RGB", (WIDTH, HEIGHT)).save(lesions / "e.png")
    write(lesions, [*ROWS, row])
    with pytest.raises(BiasAuditError) as caught:
        load_dataset(str(lesions))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    notes = Notebook()
    dataset = load_dataset(str(lesions), complain=notes)
    assert [fault.kind for fault in notes.faults] == [kind]
    assert set("abcd") <= everything(dataset).keys()


def test_a_label_that_is_no_class(lesions):
    (lesions / "dataset.toml").write_text(TOML + 'classes = ["melanoma", "nevus"]\n')
    with pytest.raises(BiasAuditError, match=r"row 3: labels: no class .* 'naevus'; did you mean"):
        load_dataset(str(lesions))


def test_masks_of_different_sizes(lesions):
    put_map(lesions, "b-mask.png", np.ones((3, 3), dtype=np.uint8))
    with pytest.raises(BiasAuditError, match=r"b-mask\.png: the mask is 3x3 pixels, another"):
        load_dataset(str(lesions))


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        ("image,labels,split,ruler,site", ROWS, "more cells than the header"),
        ("image,labels,split,ruler,site,mask,boxes", ROWS, "no column 'subset'"),
        ("image,labels,subset,rular,site,mask,boxes", ROWS, "did you mean 'rular'"),
        (HEADER, [], "the table has no rows"),
        (HEADER, ["d.png,,train,,,,"], "labels: no row has a class"),
    ],
)
def test_a_faulty_table(lesions, header, rows, message):
    write(lesions, rows, header)
    with pytest.raises(BiasAuditError) as caught:
        load_dataset(str(lesions))
    assert message in str(caught.value)


def test_no_table(lesions):
    (lesions / "lesions.csv").unlink()
    with pytest.raises(BiasAuditError, match=r"lesions\.csv: no such table"):
        load_dataset(str(lesions))


def test_a_renamed_column_of_paths(tmp_path):
    dataset = load_dataset(str(write_manifest(tmp_path)))
    assert dataset.subset("train")[0].id == "plain.jpg"


def test_a_source_is_optional(lesions):
    assert {s.source for s in everything(load_dataset(str(lesions))).values()} == {""}
    write(
        lesions, [f"{row},clinic {number}" for number, row in enumerate(ROWS)], f"{HEADER},source"
    )
    found = everything(load_dataset(str(lesions)))
    assert {id: s.source for id, s in found.items()} == {
        "a": "clinic 0", "b": "clinic 1", "c": "clinic 2", "d": "clinic 3",
    }  # fmt: skip
