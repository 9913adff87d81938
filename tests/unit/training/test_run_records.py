"""Records of a run that a stranger wrote: typed, or one line of error."""

import json

import pytest

from biasaudit.errors import RunError
from biasaudit.training.run_records import read_labels, read_points, read_repair, read_run_file

SOUND = {
    read_run_file: {"name": "baseline-seed0", "classes": ["boat", "car"], "device": "cpu"},
    read_labels: {
        "objects": ["boat"],
        "seed": 0,
        "pixel_labels": 1,
        "box_labels": 0,
        "entries": [{"id": "1.png", "form": "mask", "object": "boat"}],
    },
    read_points: {"classes": {"boat": {"n": 4, "positives": 2, "temperature": 1.0}}},
    read_repair: {
        "repaired": "runs/a",
        "object": "boat",
        "layer": "head.linear",
        "pixel_labels": 1,
        "box_labels": 0,
        "labels_by_form": {"mask": 1},
        "edits": {"removed": 2},
        "chosen": {"dose": 0.3, "strength": 1.0},
        "settings": {},
    },
}


def leaves(tree, path=()):
    yield path
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        if isinstance(value, dict | list):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


def refusal(read, file):
    """Return what the reader says against the file; nothing where it takes it."""
    try:
        read(file)
    except RunError as error:
        return str(error)
    return ""


def changed(tree, path, value):
    copy = json.loads(json.dumps(tree))
    place = copy
    for key in path[:-1]:
        place = place[key]
    if not path:
        return value
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return copy


@pytest.mark.parametrize("read", SOUND, ids=lambda read: read.__name__)
def test_every_field_of_every_wrong_type(tmp_path, read):
    file = tmp_path / "record.json"
    file.write_text(json.dumps(SOUND[read]))
    read(file)
    refused = 0
    for path in leaves(SOUND[read]):
        for value in (None, True, -1, 1e400, 10**30, "text", "", [], [None], {}, {"a": {}}, ...):
            if value is ... and not path:
                continue
            file.write_text(json.dumps(changed(SOUND[read], path, value)))
            refused += str(file) in refusal(read, file)
    assert refused > 20


@pytest.mark.parametrize("name", ["../../x", "a/b", "a\\b", "..", "a\0b", "", "n" * 300])
def test_a_name_is_no_path(tmp_path, name):
    file = tmp_path / "run.json"
    file.write_text(json.dumps({"name": name, "classes": ["a"], "device": "cpu"}))
    with pytest.raises(RunError, match="name"):
        read_run_file(file)


def test_a_class_is_named_once(tmp_path):
    file = tmp_path / "run.json"
    file.write_text(json.dumps({"name": "n", "classes": ["a", "b", "a"], "device": "cpu"}))
    with pytest.raises(RunError, match=r"classes: .*a class is named twice"):
        read_run_file(file)


def test_kept_features_that_are_damaged_are_made_again(tmp_path):
    import numpy as np

    from biasaudit.training.repair.features import _kept

    file = tmp_path / "f.npy"
    sound = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.save(file, sound)
    np.testing.assert_array_equal(_kept(file, (2, 3)), sound)
    content = file.read_bytes()
    assert _kept(file, (3, 2)) is None
    assert _kept(tmp_path / "gone.npy", (2, 3)) is None
    huge = content.replace(b"(2, 3)", b"(9999999999999, 3)")
    for broken in (b"", b"text", content[:-1], b"x" + content[1:], huge):
        file.write_bytes(broken)
        assert _kept(file, (2, 3)) is None
