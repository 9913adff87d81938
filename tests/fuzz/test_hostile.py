"""A planted corpus of hostile datasets and runs: nothing outside is read or written, nothing runs,
and nothing reaches the terminal raw.
"""

import csv
import io
import json
import os
import pickle
import re
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from report_factory import DEMO, World, write_runs

from biasaudit.cli import main

NAME = "\x1b]0;owned\x07\x1b[2J<script>alert(1)</script>\n=cmd.png"
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_opened: list[str] = []
_listening = False


def _hook(event, arguments):
    if _listening and event in ("open", "os.mkdir", "os.remove", "os.rename", "subprocess.Popen"):
        _opened.append(str(arguments[0]))


@pytest.fixture(scope="module", autouse=True)
def _hooked():
    sys.addaudithook(_hook)


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Call the command line in an empty folder; what it opens is noted."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def called(*arguments):
        global _listening
        _opened.clear()
        _listening = True
        try:
            with pytest.raises(SystemExit) as end:
                main([str(argument) for argument in arguments])
        finally:
            _listening = False
        captured = capsys.readouterr()
        text = captured.out + captured.err
        assert not RAW.search(text), repr(RAW.search(text))
        assert "Traceback" not in text
        outside = tmp_path / "outside"
        real = {os.path.realpath(path) for path in _opened if "\0" not in path}
        assert not [path for path in real if path.startswith(str(outside))]
        assert sorted(p.name for p in outside.iterdir()) == ["secret.png"]
        assert not (tmp_path / "owned").exists()
        return end.value.code or 0, text

    return called


@pytest.fixture
def secret(tmp_path):
    (tmp_path / "outside").mkdir()
    file = tmp_path / "outside" / "secret.png"
    shade(file, 99)
    return file


def shade(file, value, side=24):
    file.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(np.full((side, side, 3), value, np.uint8)).save(file, format="PNG")


def bomb(file):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"x" * 99))


def link(place, secret):
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(secret)


def coco(root, names, link_to=None):
    for name in ("a.png", "b.png"):
        shade(root / "images" / name, len(name))
    if link_to:
        link(root / "images" / "link.png", link_to)
    listed = {"train": ["a.png", *names], "val": ["b.png"]}
    for subset, files in listed.items():
        images = [
            {"id": n, "file_name": name, "width": 24, "height": 24} for n, name in enumerate(files)
        ]
        notes = [{"id": n, "image_id": n, "category_id": 1} for n in range(len(files))]
        content = {
            "images": images,
            "annotations": notes,
            "categories": [{"id": 1, "name": "boat"}, {"id": 2, "name": "sea", "isthing": 0}],
        }
        (root / f"{subset}.json").write_text(json.dumps(content))
    (root / "dataset.toml").write_text(
        'format = "coco"\nimages = "images"\nobject = "boat"\ncontext = "sea"\n'
        '[subsets]\ntrain = "train.json"\nval = "val.json"\n'
    )


def folder(root, plant):
    for subset in ("train", "val"):
        for name in ("boat", "car"):
            shade(root / "images" / subset / name / f"{subset}.png", len(name))
    plant(root)
    (root / "dataset.toml").write_text(
        'format = "folder"\nobject = "boat"\nmasks = "images"\nbackground = []\n'
    )


def manifest(root, row):
    for name in ("a.png", "b.png"):
        shade(root / name, len(name))
    (root / "t.csv").write_text(
        f"image,labels,subset,mask\na.png,boat,train,\nb.png,boat,val,\n{row}\n"
    )
    (root / "dataset.toml").write_text('format = "manifest"\nmanifest = "t.csv"\n')


def voc(root, names, link_to):
    for name in ("a", "b"):
        shade(root / "V/JPEGImages" / f"{name}.jpg", 5)
    link(root / "V/JPEGImages" / "l.jpg", link_to)
    (root / "V/ImageSets/Main").mkdir(parents=True)
    (root / "V/ImageSets/Main/train.txt").write_text("a\n" + "".join(f"{n}\n" for n in names))
    (root / "V/ImageSets/Main/val.txt").write_text("b\n")
    (root / "dataset.toml").write_text(
        'format = "voc"\nroot = "V"\nobject = "boat"\n[subsets]\ntrain = "Main/train"\n'
        'val = "Main/val"\n'
    )


CORPUS = {
    "coco: path": lambda root, secret: coco(root, ["../../outside/secret.png"]),
    "coco: absolute": lambda root, secret: coco(root, [str(secret)]),
    "coco: link": lambda root, secret: coco(root, ["link.png"], secret),
    "coco: name": lambda root, secret: coco(root, [NAME]),
    "coco: nul": lambda root, secret: coco(root, ["a\0.png"]),
    "coco: long": lambda root, secret: coco(root, ["n" * 5000]),
    "folder: link": lambda root, secret: folder(
        root, lambda r: link(r / "images/train/boat/l.png", secret)
    ),
    "folder: folder of links": lambda root, secret: folder(
        root, lambda r: link(r / "images/train/boat/more", secret.parent)
    ),
    "folder: loop": lambda root, secret: folder(
        root, lambda r: link(r / "images/train/boat/loop", r / "images/train")
    ),
    "folder: bomb": lambda root, secret: folder(root, lambda r: bomb(r / "images/train/car/b.png")),
    "folder: pipe": lambda root, secret: folder(
        root, lambda r: os.mkfifo(r / "images/train/boat/p.png")
    ),
    "folder: name": lambda root, secret: folder(
        root, lambda r: shade(r / "images/train/boat" / NAME.replace("/", "_"), 77)
    ),
    "folder: no text": lambda root, secret: folder(
        root, lambda r: shade(r / "images/train/boat/\udcff.png", 77)
    ),
    "manifest: path": lambda root, secret: manifest(root, "../outside/secret.png,boat,train,"),
    "manifest: mask": lambda root, secret: manifest(
        root, f"a.png,boat,test,boat:{secret.relative_to(secret.parents[1])}"
    ),
    "manifest: name": lambda root, secret: manifest(root, "\x1b[31m=x.png,boat,train,"),
    "voc: path": lambda root, secret: voc(root, ["../../../outside/secret"], secret),
    "voc: link": lambda root, secret: voc(root, ["l"], secret),
}


@pytest.mark.parametrize("name", CORPUS)
def test_hostile_datasets(call, tmp_path, secret, name):
    root = tmp_path / "given"
    root.mkdir()
    CORPUS[name](root, secret)
    code, text = call("data", "check", "--data", root)
    assert code in (0, 2), text
    code, _ = call("data", "labels", "--data", root, "--pixel-labels", "1", "--object", "boat")
    assert code in (0, 2)
    if code == 0:
        rows = csv.reader(io.StringIO(Path("labels.csv").read_text("utf-8"), newline=""))
        assert not [cell for row in rows for cell in row if cell[:1] in tuple("=+-@\t\r")]
    arguments = ("--backbone", "harbournet", "--weights", "none", "--epochs", "1", "--out", "run")
    assert call("train", "--data", root, "--image-size", "32", *arguments)[0] in (0, 2)


class Owned:
    def __reduce__(self):
        return os.mkdir, ("../owned",)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors", ".bin"])
def test_hostile_weights(call, tmp_path, secret, suffix):
    file = tmp_path / f"w{suffix}"
    for content in (pickle.dumps(Owned()), None):
        if content is None:
            torch.save({"a": Owned()}, file)
        else:
            file.write_bytes(content)
        code, text = call("evaluate", "--model", "resnet18", "--state", file, "--classes", "a,b")
        assert code == 2
        assert file.name in text


@pytest.mark.parametrize("name", ["../../outside", NAME, "a\0b", "n" * 5000])
def test_hostile_results(call, tmp_path, secret, name):
    (run,) = write_runs(tmp_path / "runs", DEMO[:1], World(n=(20, 20), val=20, side=16))
    file = run / "results.json"
    content = json.loads(file.read_text())
    one = content["runs"][0]
    content["files"] = {"../../../outside/secret.png": "0" * 64}
    one["name"] = one["backbone"] = one["device"] = one["mode"] = name
    one["settings"] = {name: name}
    file.write_text(json.dumps(content))
    assert call("report", run, "--out", "r.html")[0] in (0, 2)
    call("compare", run, run)
    page = Path("r.html")
    if page.exists():
        assert "<script>alert" not in page.read_text("utf-8")
