"""Images in tar archives: what is read of them, in any order, and what is refused."""

import io
import json
import re
import tarfile

import fsspec
import numpy as np
import PIL.Image
import pytest

from biasaudit.data import catalogue  # noqa: F401 (it registers the formats)
from biasaudit.data.checks.faults import Notebook
from biasaudit.data.formats import webdataset
from biasaudit.data.formats.toml_file import read_dataset_file
from biasaudit.data.formats.webdataset import expanded
from biasaudit.errors import DataError
from biasaudit.inputs import places

HEADER = 'format = "webdataset"\nobject = "boat"\ncontext = "water"\ncontexts = ["water"]\n'


def png(values, mode=None):
    stream = io.BytesIO()
    PIL.Image.fromarray(np.asarray(values, np.uint8), mode).save(stream, "PNG")
    return stream.getvalue()


def picture(value):
    return png(np.full((6, 8, 3), value))


def told(*labels, **more):
    return json.dumps({"labels": labels, **more}).encode()


def write(file, **files):
    """Write an archive; names have ``__`` for their dots."""
    with tarfile.open(file, "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name.replace("__", "."))
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def read(folder, shards, header=HEADER, **named):
    file = folder / "dataset.toml"
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in shards.items())
    file.write_text(f"{header}\n[shards]\n{lines}\n")
    return read_dataset_file(file, **named)


@pytest.fixture
def archive(tmp_path):
    write(
        tmp_path / "a-0.tar",
        a1__png=picture(10), a1__json=told("boat", contexts={"water": 1}, source="A"),
        a2__json=told(contexts={"water": 0}), a2__png=picture(20), a2__notes__txt=b"whatever",
        a3__PNG=picture(30), a3__json=told("boat", "car", contexts=["water"]),
    )  # fmt: skip
    return tmp_path


def test_a_sample_is_the_files_of_one_name(archive):
    data = read(archive, {"test": "a-0.tar"})
    assert (data.classes, data.contexts) == (("boat", "car"), ("water",))
    first, second, third = data.subset("test")
    assert [s.id for s in (first, second, third)] == ["a-0/a1", "a-0/a2", "a-0/a3"]
    assert (first.labels, first.contexts, first.source) == ({"boat"}, {"water"}, "A")
    assert (second.labels, second.contexts, second.annotated) == (set(), set(), {"water"})
    assert third.labels == {"boat", "car"}
    for sample, value in ((third, 30), (first, 10), (second, 20)):  # in any order
        assert sample.load_image().shape == (6, 8, 3)
        assert (sample.load_image() == value).all()


def test_numbers_and_names_of_classes(tmp_path):
    write(tmp_path / "a.tar", x__jpg=picture(1), x__cls=b"1\n", y__jpg=picture(1), y__cls=b" boat ")
    data = read(tmp_path, {"test": "a.tar"}, HEADER + 'classes = ["boat", "car"]\n')
    assert [set(s.labels) for s in data.subset("test")] == [{"car"}, {"boat"}]
    with pytest.raises(
        DataError, match=r"a\.tar:x\.cls: 1 is the number of no class; list classes"
    ):
        read(tmp_path, {"test": "a.tar"})


@pytest.mark.parametrize(
    ("number", "shown"),
    [("-1", "-1"), ("2", "2"), ("+1", "+1"), ("\u00b2", "\u00b2"), ("\u0663", "\u0663"),
     ("9" * 5000, "9" * 20 + "...")],
)  # fmt: skip
def test_a_number_that_is_not_one_of_a_class_is_refused(tmp_path, number, shown):
    write(tmp_path / "a.tar", x__jpg=picture(1), x__cls=number.encode())
    with pytest.raises(
        DataError, match=rf"a\.tar:x\.cls: {re.escape(shown)} is the number of no class; list"
    ):
        read(tmp_path, {"test": "a.tar"}, HEADER + 'classes = ["boat", "car"]\n')


def test_a_source_of_null_is_unknown(tmp_path):
    write(
        tmp_path / "a.tar",
        x__jpg=picture(1), x__json=told("boat", source=None),
        y__jpg=picture(1), y__json=told("boat", source=3),
    )  # fmt: skip
    assert [s.source for s in read(tmp_path, {"test": "a.tar"}).subset("test")] == ["", "3"]


def test_masks_stand_in_the_archive_too(tmp_path):
    values = np.zeros((6, 8), np.uint8)
    values[:3] = 1
    write(tmp_path / "a.tar", x__png=picture(1), x__cls=b"boat", x__mask__png=png(values))
    (sample,) = read(tmp_path, {"test": "a.tar"}).subset("test")
    assert sample.regions["boat"].load().tolist() == (values > 0).tolist()
    table = HEADER + "[mask_values]\nboat = 2\nwater = 1\n"
    (sample,) = read(tmp_path, {"test": "a.tar"}, table).subset("test")
    assert set(sample.regions) == {"water"}
    assert sample.contexts == {"water"}


def test_braces_stand_for_several_archives():
    assert expanded("a.tar") == ["a.tar"]
    assert expanded("{x,y}-{08..10}.tar") == [
        f"{n}-{k}.tar" for n in "xy" for k in ("08", "09", "10")
    ]
    with pytest.raises(ValueError, match="more than 100000 archives"):
        expanded("{0..99999}{0..9}.tar")
    with pytest.raises(ValueError, match="more than 100000 archives"):
        expanded("{0..999999999999}.tar")


def test_subsets_of_several_archives(archive):
    for number in (1, 2):
        write(
            archive / f"a-{number}.tar",
            **{f"b{number}__png": picture(1), f"b{number}__cls": b"car"},
        )
    data = read(archive, {"train": ["a-0.tar", "a-1.tar"], "test": "a-{2..2}.tar"})
    assert [s.id for s in data.subset("train")] == ["a-0/a1", "a-0/a2", "a-0/a3", "a-1/b1"]
    assert [s.id for s in data.subset("test")] == ["a-2/b2"]


@pytest.mark.parametrize(
    ("files", "told_"),
    [
        ({"x__cls": b"boat"}, r"a\.tar:x\.cls: the sample 'a/x' has no image"),
        ({"x__png": b"?"}, r"a\.tar:x\.png: the sample 'a/x' has no labels; add a \.cls"),
        ({"x__png": b"?", "x__json": b"{"}, r"a\.tar:x\.json: not JSON"),
        ({"x__png": b"?", "x__json": b"[1]"}, r"a\.tar:x\.json: "),
        ({"x__png": b"?", "x__json": b'{"labels": 3}'}, r"x\.json: labels: not a list of names"),
        ({"x__png": b"?", "x__json": b'{"labels": [], "contexts": {"fog": 1}}'},
         r"x\.json: no context is called 'fog'"),
        ({"x__png": b"?", "x__json": b'{"labels": [], "contexts": {"water": 2}}'},
         r"contexts: 'water' is neither 0 nor 1"),
        ({"/x__png": b"?"}, r"a\.tar:/x\.png: the name leads out of the archive"),
        ({"y/../../x__png": b"?"}, r"x\.png: the name leads out of the archive"),
        ({"x__png": b"?", "x__PNG": b"?"}, r"a\.tar:x\.PNG: the archive has this name twice"),
        ({"x__png": b"?", "x__json": b" " * (1 << 21)}, r"x\.json: has more than 1048576 bytes"),
    ],
)  # fmt: skip
def test_a_faulty_sample_is_named(tmp_path, files, told_):
    write(tmp_path / "a.tar", **files)
    with pytest.raises(DataError, match=told_):
        read(tmp_path, {"test": "a.tar"})


def test_faults_of_archives(archive, tmp_path):
    with pytest.raises(DataError, match=r"no\.tar: no such archive"):
        read(archive, {"test": "no.tar"})
    (archive / "text.tar").write_text("no archive" * 100)
    with pytest.raises(DataError, match=r"text\.tar: not a tar archive that can be read"):
        read(archive, {"test": "text.tar"})
    with tarfile.open(archive / "a.tar.gz", "w:gz"):
        pass
    with pytest.raises(DataError, match="not compressed"):
        read(archive, {"test": "a.tar.gz"})
    with pytest.raises(DataError, match=r"shards\.test: 'a-0\.tar' is named twice"):
        read(archive, {"test": ["a-0.tar", "a-0.tar"]})
    with pytest.raises(DataError, match="a-0/a1"):  # in train and held out
        read(archive, {"train": "a-0.tar", "test": "a-0.tar"})
    with pytest.raises(DataError, match=r"shards\.test: ftp://x/a\.tar: not a URL that is read"):
        read(archive, {"test": "ftp://x/a.tar"})


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def place_of_second(file):
    with tarfile.open(file) as opened:
        return opened.getmembers()[2].offset


@pytest.mark.parametrize(
    ("change", "told_"),
    [
        (lambda b, at: flipped(b, at), r"is damaged after file 2 \(bad checksum\)"),
        (lambda b, at: b[: at + 200], r"is damaged after file 2 \(truncated header\)"),
        (lambda b, at: b[: at + 520], r"is damaged after file 2 \(unexpected end of data\)"),
        (lambda b, at: b[:at], r"ends after file 2 without the mark .*; .*append 1024 zero bytes"),
        (lambda b, at: b[:at] + bytes(512) + b[at + 512 :], r"more follows the mark .* file 2"),
        (lambda b, at: b + b, r"more follows the mark of its end, after file 7; "),
    ],
)
def test_an_archive_that_is_damaged_or_cut_off_is_refused(archive, change, told_):
    """A part of its files would give other numbers, and nobody would know."""
    file = archive / "a-0.tar"
    file.write_bytes(change(file.read_bytes(), place_of_second(file)))
    with pytest.raises(DataError, match=rf"^{file}: {told_}"):
        read(archive, {"test": "a-0.tar"})
    fsspec.filesystem("memory").pipe("/biasaudit-shards/a-0.tar", file.read_bytes())
    with pytest.raises(DataError, match=rf"^memory://biasaudit-shards/a-0\.tar: {told_}"):
        read(archive, {"test": "memory://biasaudit-shards/a-0.tar"})


def test_one_zero_block_ends_an_archive_and_records_of_any_size_do(archive):
    """As GNU tar has it; with ``--blocking-factor`` it writes longer records."""
    file = archive / "a-0.tar"
    whole = file.read_bytes().rstrip(b"\0")
    whole += bytes(-len(whole) % 512)
    for zeros in (512, 1024, 1 << 21):
        file.write_bytes(whole + bytes(zeros))
        assert len(read(archive, {"test": "a-0.tar"}).subset("test")) == 3


def test_a_check_names_each_archive_that_cannot_be_read(archive):
    for name in ("b", "c"):
        write(archive / f"{name}.tar", x__png=picture(1), x__cls=b"boat")
    content = (archive / "b.tar").read_bytes()
    (archive / "b.tar").write_bytes(flipped(content, 1024))
    notes = Notebook()
    data = read(archive, {"test": "{a-0,b,c,d}.tar"}, complain=notes)
    assert [fault.file for fault in notes.faults] == [str(archive / f"{n}.tar") for n in "bd"]
    assert {fault.kind for fault in notes.faults} == {"unreadable"}
    assert [s.id for s in data.subset("test")] == ["a-0/a1", "a-0/a2", "a-0/a3", "c/x"]


def test_an_archive_cut_after_it_was_listed(archive):
    (sample, *_) = read(archive, {"test": "a-0.tar"}).subset("test")
    file = archive / "a-0.tar"
    file.write_bytes(file.read_bytes()[:520])
    with pytest.raises(DataError, match=r"a-0\.tar:a1\.png: the archive ends within it"):
        sample.load_image()


def test_a_damaged_image_names_archive_and_member(tmp_path):
    write(tmp_path / "a.tar", x__png=picture(1)[:40], x__cls=b"boat")
    (sample,) = read(tmp_path, {"test": "a.tar"}).subset("test")
    with pytest.raises(DataError, match=r"a\.tar:x\.png: "):
        sample.load_image()


def test_a_picture_larger_than_allowed_is_not_read(archive, monkeypatch):
    (sample, *_) = read(archive, {"test": "a-0.tar"}).subset("test")
    monkeypatch.setattr(places, "MOST_BYTES", 10)
    with pytest.raises(DataError, match=r"a1\.png: has more than 10 bytes"):
        sample.load_image()


def test_too_many_files_are_refused(archive, monkeypatch):
    real = places.members
    monkeypatch.setattr(webdataset, "members", lambda a, t: real(a, t, most=2))
    with pytest.raises(DataError, match=r"a-0\.tar: holds more than 2 files"):
        read(archive, {"test": "a-0.tar"})


def fault_of(folder):
    """Read an archive and its images, and return the error, None where there is none."""
    try:
        for sample in read(folder, {"test": "b.tar"}).subset("test"):
            sample.load_image()
    except DataError as error:
        return str(error)
    return None


def test_a_mutated_archive_is_read_or_refused_in_one_line(archive):
    """Four hundred archives with bytes changed, cut or doubled: no other error than a line."""
    rng = np.random.default_rng(0)
    whole = np.frombuffer((archive / "a-0.tar").read_bytes(), np.uint8)
    refused = 0
    for trial in range(400):
        changed = whole.copy()
        places_ = rng.integers(0, len(whole), rng.integers(1, 8))
        if trial % 2:  # in a header, where it matters
            places_ = places_ % 512 + 512 * rng.integers(0, len(whole) // 512)
        changed[places_] = rng.integers(0, 256, len(places_))
        if trial % 5 == 0:
            changed = changed[: rng.integers(0, len(changed))]
        (archive / "b.tar").write_bytes(changed.tobytes())
        told_ = fault_of(archive)
        refused += told_ is not None
        assert "\n" not in (told_ or "")
    assert 40 < refused < 400
