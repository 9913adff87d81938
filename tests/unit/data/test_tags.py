"""Contexts tagged by hand: read from a table, laid over what the annotations say."""

import numpy as np
import pytest
from PIL import Image

from biasaudit.data.catalogue import load_dataset
from biasaudit.data.checks.faults import Notebook
from biasaudit.data.sample import context_shown
from biasaudit.errors import BiasAuditError


@pytest.fixture
def pets(tmp_path):
    for subset in ("train", "val"):
        for name in ("cat", "dog"):
            for number in range(3):
                file = tmp_path / "images" / subset / name / f"{number}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.zeros((40, 40, 3), dtype=np.uint8)).save(file)
    (tmp_path / "dataset.toml").write_text('format = "folder"\nobject = "cat"\ntags = "tags.csv"\n')
    return tmp_path


def tag(root, *rows, header="image,subset,labels,sofa,garden"):
    (root / "tags.csv").write_text("\n".join([header, *rows, ""]))
    data = load_dataset(str(root))
    return data, {s.id: s for found in data.subsets.values() for s in found}


def test_yes_no_and_unknown(pets):
    data, found = tag(pets, "val/cat/0.png,val,cat,1,", "val/cat/1.png,val,cat,no,x")
    assert data.contexts == ("sofa", "garden")
    shown = [context_shown(found[f"val/cat/{n}.png"], "sofa", data.classes) for n in range(3)]
    assert shown[:2] == [1.0, 0.0]
    assert np.isnan(shown[2])
    assert np.isnan(context_shown(found["val/cat/0.png"], "garden", data.classes))
    assert context_shown(found["val/cat/1.png"], "garden", data.classes) == 1.0


def test_a_tag_stands_over_an_annotation(pets):
    rows = ["image,labels,subset,sofa"]
    rows += [f"{s}/{c}/0.png,{c},{s},1" for s in ("train", "val") for c in ("cat", "dog")]
    (pets / "all.csv").write_text("\n".join([*rows, ""]))
    (pets / "dataset.toml").write_text(
        'format = "manifest"\nmanifest = "all.csv"\nimages = "images"\ncontexts = ["sofa"]\n'
        'tags = "tags.csv"\n'
    )
    data, found = tag(pets, "val/cat/0.png,0", header="image,sofa")
    assert context_shown(found["val/cat/0.png"], "sofa", data.classes) == 0.0
    assert context_shown(found["val/dog/0.png"], "sofa", data.classes) == 1.0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("val/cow/0.png,val,cow,1,0", "no image is called 'val/cow/0.png'"),
        ("val/cat/0.png,val,cat,perhaps,", "'perhaps' is neither yes nor no; write 1 where"),
    ],
)
def test_a_faulty_row_is_refused_and_a_check_goes_on(pets, row, message):
    with pytest.raises(BiasAuditError) as error:
        tag(pets, row)
    assert "row 2" in str(error.value)
    assert message in str(error.value)
    notes = Notebook()
    load_dataset(str(pets), complain=notes)
    assert len(notes.faults) == 1


def test_a_context_called_like_a_class_and_a_table_that_is_not_there(pets):
    with pytest.raises(BiasAuditError, match="an object class is called that already"):
        tag(pets, "val/cat/0.png,1", header="image,dog")
    (pets / "tags.csv").unlink()
    with pytest.raises(BiasAuditError, match="tags: no such table"):
        load_dataset(str(pets))
