"""JSON, TOML and XML at the gate: bounded, typed, and one line of error for all else."""

import os

import pytest

from biasaudit.errors import ConfigError, DataError
from biasaudit.inputs.documents import DEEPEST, fault_in, read_json, read_toml, read_xml, toml_value
from biasaudit.inputs.files import Source


def source(tmp_path, content):
    file = tmp_path / "given"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Source(file)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "not JSON"),
        ("[1]", "holds no table"),
        ('{"a": 1, "a": 2}', "'a' is given twice"),
        ('{"a": NaN}', "not finite"),
        ('{"a": -Infinity}', "not finite"),
        ('{"a": 1e400}', "not finite"),
        ('{"a": 9223372036854775808}', "more than 64 bits"),
        ('{"a": ' + "9" * 5000 + "}", "not JSON"),
        ('{"a": "\\ud800"}', "surrogate"),
        ('{"\\udfff": 1}', "surrogate"),
        ('{"a": ' * 100_000, "deep"),
        ('{"a":' * 70 + "1" + "}" * 70, "deep"),
        (b"\xff\xfe{", "not UTF-8"),
    ],
)
def test_json_that_is_refused(tmp_path, content, words):
    with pytest.raises(DataError, match=words) as caught:
        read_json(source(tmp_path, content))
    assert str(tmp_path / "given") in caught.value.message
    assert "\n" not in str(caught.value)


def test_json_that_is_read(tmp_path):
    assert read_json(source(tmp_path, b'\xef\xbb\xbf{"a": [1, 2.5, "\xc3\xa9"]}')) == {
        "a": [1, 2.5, "é"]
    }
    assert read_json(source(tmp_path, '{"a": NaN}'), finite=False)["a"] != 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a = ", "not TOML"),
        ("a = " + "[" * 20_000, "deep"),
        ("a = " + "[" * 70 + "]" * 70, "deep"),
        ("a = " + "9" * 5000, "not TOML"),
        ("a = 9223372036854775808", "64 bits"),
        ("a = 1\na = 2", "not TOML"),
    ],
)
def test_toml_that_is_refused(tmp_path, content, words):
    with pytest.raises(DataError, match=words):
        read_toml(source(tmp_path, content))


@pytest.mark.parametrize("text", ["1\nb = 2", "[" * 20_000, "9" * 5000, "1 2", "yes"])
def test_a_value_is_one_value(text):
    with pytest.raises(ValueError, match=r"."):
        toml_value(text)


def test_a_value():
    assert toml_value("{a = [1, 'b']}") == {"a": [1, "b"]}


BOMB = b"<!DOCTYPE a [" + b"".join(
    b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10 if n else b"x" * 1000) for n in range(9)
)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not XML"),
        (b"<foo/>", "its root is <foo>, not <a>"),
        (b'<?xml version="1.0" encoding="utf-99"?><a/>', "not XML"),
        (b'<?xml version="1.0" encoding="euc_jp"?><a>\xa4\xa2</a>', "not XML"),
        (BOMB + b"]><a>&e8;</a>", "not XML"),
        (b"<a>" * 100_000, "not XML"),
    ],
)
def test_xml_that_is_refused(tmp_path, content, words):
    with pytest.raises(DataError, match=words):
        read_xml(source(tmp_path, content), "a")


def test_deep_xml_that_is_whole(tmp_path):
    assert read_xml(source(tmp_path, b"<a>" * 50_000 + b"</a>" * 50_000), "a").tag == "a"


@pytest.mark.parametrize("place", ["/dev/zero", "/dev/null", "pipe", "folder", "n" * 5000, "a\0b"])
def test_only_regular_files_are_read(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    (tmp_path / "folder").mkdir()
    from pathlib import Path

    for read in (read_json, read_toml):
        with pytest.raises(ConfigError, match=r"not a file|cannot be read"):
            read(Source(Path(place), ConfigError))


def test_a_file_of_more_bytes_than_its_kind_may_have(tmp_path):
    file = tmp_path / "sparse.json"
    with file.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(DataError, match="such a file may have"):
        read_json(Source(file))


def test_depth_is_counted_not_recursed():
    tree = {}
    for _ in range(200_000):
        tree = {"a": tree}
    assert str(DEEPEST) in fault_in(tree, finite=True)
    while tree:  # taken apart by hand: Python's own way recurses
        tree = tree.pop("a")
