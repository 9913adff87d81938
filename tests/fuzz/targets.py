"""What is fuzzed: a reader, sound files for it, and how each file is mutated."""

from __future__ import annotations

import io
import json
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from coco_tree import draw
from four_formats import write_folder, write_manifest, write_voc
from report_factory import DEMO, World, boxes, localized, write_runs, write_segmenter
from safetensors.torch import save

import biasaudit
from biasaudit import api
from biasaudit.cli import main
from biasaudit.config import load_settings
from biasaudit.data.checks.check import check_dataset
from biasaudit.data.formats.label_maps import read_label_map
from biasaudit.data.loading.images import decode, size_of
from biasaudit.errors import BiasAuditError, RunError
from biasaudit.inputs.files import Source
from biasaudit.models.backbones import BACKBONES, state_of
from biasaudit.models.weights import load_start, read_state
from biasaudit.report.build import render_html
from biasaudit.report.export import render_csv, render_markdown
from biasaudit.results import EXAMPLES_FILE, Examples, load_all, load_audits
from fuzz.mutations import ODD_VALUES, of_bytes, of_csv, of_json

Mutate = Callable[[bytes, random.Random], bytes]
NO_FILE_NAMED = ("settings", "options")


class FindingError(Exception):
    """What an input showed and should not have."""


@dataclass
class Target:
    """A reader and its sound input.

    Attributes:
        root: A folder that is sound as it is.
        files: Which of its files are mutated, and how.
        read: Called with the folder after one file was mutated, and with that file.
    """

    root: Path
    files: Sequence[tuple[Path, Mutate]]
    read: Callable[[Path, Path], None]

    def once(self, chance: random.Random) -> tuple[str, str]:
        """Mutate one file, read, and put the file back; return its name and what was said."""
        file, mutate = chance.choice(list(self.files))
        sound = file.read_bytes()
        file.write_bytes(mutate(sound, chance))
        try:
            self.read(self.root, file)
        except BiasAuditError as error:
            if error.exit_code != 2:
                raise FindingError(f"exit code {error.exit_code}: {error}") from error
            return file.name, str(error)
        finally:
            file.write_bytes(sound)
        return file.name, ""


def targets(place: Path, names: Sequence[str] = ()) -> dict[str, Target]:
    """Write the sound files of the named targets, or of all, below a folder."""
    return {name: MAKERS[name](place / name) for name in names or MAKERS}


_HOW = {".json": of_json, ".csv": of_csv}


def _files(root: Path) -> list[tuple[Path, Mutate]]:
    return [
        (file, _HOW.get(file.suffix, of_bytes))
        for file in sorted(root.rglob("*"))
        if file.is_file()
    ]


def _dataset(root: Path) -> Target:
    def read(root: Path, file: Path) -> None:
        check_dataset(str(root))
        found = api.load_dataset(root)
        for samples in found.subsets.values():
            for sample in samples:
                sample.load_image()
                for region in sample.regions.values():
                    region.load()

    records = [pair for pair in _files(root) if pair[0].suffix not in (".png", ".jpg", ".jpeg")]
    return Target(root, [*records * 3, *_files(root)], read)


def _pictures(root: Path) -> Target:
    root.mkdir()
    scene = PIL.Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8))
    grey = scene.convert("L")
    for name in ("a.png", "a.jpg", "a.bmp", "a.tif", "a.gif", "a.webp", "a.ppm", "a.tga", "a.jp2"):
        scene.save(root / name)
    grey.save(root / "b.png")
    grey.save(root / "b.tif", compression="tiff_lzw")
    scene.convert("P").save(root / "c.gif")
    exif = PIL.Image.Exif()
    exif[274] = 6
    scene.save(root / "d.jpg", exif=exif)
    PIL.Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30)).save(root / "e.png")

    def read(root: Path, file: Path) -> None:
        size_of(file)
        decode(file)
        read_label_map(file)

    return Target(root, _files(root), read)


def _settings(root: Path) -> Target:
    root.mkdir()
    (root / "c.toml").write_text(
        'plugins = []\n[data]\nname = "harbour"\npixel_labels = 3\ncache = "memory"\n'
        '[training]\nmode = "gain_ext"\nlearning_rate = 1e-3\n[terms.mining]\nweight = 0.5\n'
        "[modes.mine.classification]\nweight = 1.0\n[data.options]\ntrain = 40\n"
    )
    (root / "c.json").write_text(json.dumps(load_settings(root / "c.toml").model_dump(mode="json")))

    def read(root: Path, file: Path) -> None:
        load_settings(file)

    return Target(root, _files(root), read)


def _weights(root: Path) -> Target:
    root.mkdir()
    torch.manual_seed(0)
    model = BACKBONES["harbournet"].build(2)
    state = state_of(model)
    torch.save(state, root / "w.pth")
    torch.save({"state_dict": state}, root / "v.pth")
    torch.save(state, root / "old.pth", _use_new_zipfile_serialization=False)
    (root / "w.safetensors").write_bytes(save(state))

    def read(root: Path, file: Path) -> None:
        read_state(file)
        load_start(BACKBONES["harbournet"].build(2), "harbournet", str(file))

    return Target(root, _files(root), read)


def _run(root: Path) -> Target:
    options = {"train": 24, "val": 8, "group": 4}
    data = api.load_dataset("harbour", options=options)
    trained = api.train(data, "gain_ext", pixel_labels=4, epochs=1, seed=0)
    trained.save(root)

    def read(root: Path, file: Path) -> None:
        run = api.load_run(root)
        repr(run)
        run.mode  # noqa: B018
        run.labels.by_image()
        run.load_model()

    return Target(root, [pair for pair in _files(root) if pair[0].suffix == ".json"], read)


def _segmenter(root: Path) -> Target:
    data = api.load_dataset("harbour", options={"train": 24, "val": 4, "group": 4})
    run = api.train(data, epochs=1, image_size=32, seed=0)
    biasaudit.train_segmenter(run, data, iterations=1, image_size=32, out=root)
    picture = data.subset("val")[0].load_image()

    def read(root: Path, file: Path) -> None:
        segmenter = biasaudit.load_segmenter(root)
        repr(segmenter)
        segmenter.mask(picture, crf=False)

    return Target(root, [pair for pair in _files(root) if pair[0].suffix != ".csv"], read)


def _results(root: Path) -> Target:
    (folder,) = write_runs(root, DEMO[:1], World(n=(40, 40), val=40, side=16))
    folders = [folder, shutil.copytree(folder, root / "again")]

    def read(root: Path, file: Path) -> None:
        audits = load_audits(folders)
        api.report(audits)
        render_markdown(audits)
        render_csv(audits)
        str(api.compare(*audits))
        str(audits[0]) + repr(audits[0])

    read(root, root)
    return Target(root, [pair for folder in folders[:1] for pair in _files(folder)], read)


def _beside(root: Path) -> Target:
    """A run that was localized alone, and a segmenter's figures and pictures."""
    localized(root / "run", boxes(40, 10, (12, 10, 2)))
    drawer = write_segmenter(root / "drawer", {"background": 0.9, "boat": 0.5, "car": None})
    folders = [root / "run", drawer]

    def read(root: Path, file: Path) -> None:
        audits, beside = load_all(folders)
        render_html(audits, beside=beside)
        render_markdown(audits, beside)
        render_csv(audits, beside)

    read(root, root)
    return Target(root, _files(root), read)


def _examples(root: Path) -> Target:
    """A segmenter's pictures by themselves: beside its figures a digest guards them."""
    drawer = write_segmenter(root, {"background": 0.9, "boat": 0.5, "car": None})

    def read(root: Path, file: Path) -> None:
        Examples.load(Source(file, RunError), 3)

    return Target(root, [(drawer / EXAMPLES_FILE, of_bytes)], read)


VERBS = (
    ("power", "--per-group", "--difference", "--disagree", "--power", "--seeds", "--json"),
    ("report", "--out", "--gallery", "--model-card"),
    ("compare", "--split", "--html", "--json"),
    ("evaluate", "--run", "--device", "--workers", "--batch-size", "--max-gap", "--gate-on"),
    ("evaluate", "--model", "--state", "--classes", "--normalise", "--scores", "--image-size"),
    ("data", "check", "--data", "--object", "--context"),
    ("data", "labels", "--data", "--pixel-labels", "--seed", "--out"),
    ("data", "preview", "--data", "--split", "--count", "--out"),
    ("data", "fetch", "--out"),
    ("list",),
    ("repair", "--run", "--model", "--pixel-labels", "--max-val-loss"),
    ("train", "--config", "--weights", "--data", "--set", "--mode", "--backbone", "--precision"),
)


def _options(root: Path) -> Target:
    root.mkdir()
    (root / "x").write_bytes(b"x")

    class Options(Target):
        def once(self, chance: random.Random) -> tuple[str, str]:
            verb, *given = chance.choice(VERBS)
            words = [verb, *[word for word in given if not word.startswith("--")]]
            for option in [word for word in given if word.startswith("--")]:
                if chance.random() < 0.6:
                    words += [option, str(chance.choice(ODD_VALUES))]
            # Whatever the rest says, this one is wrong, so that nothing is trained or fetched.
            words += [str(chance.choice(ODD_VALUES)), "--no-such-option"][chance.randrange(2) :]
            if verb == "train":
                words += ["--epochs", "-1"]
            told = io.StringIO()
            here = Path(tempfile.mkdtemp(dir=root))
            try:
                with redirect_stdout(told), redirect_stderr(told):
                    main(words)
            except SystemExit as end:
                if end.code not in (0, 1, 2, None):
                    raise FindingError(f"exit code {end.code} of {words}") from end
            finally:
                shutil.rmtree(here)
            if "Traceback" in told.getvalue():
                raise FindingError(str(words))
            return verb, "refused"

    return Options(root, [], lambda root, file: None)


MAKERS: dict[str, Callable[[Path], Target]] = {
    "coco": lambda place: _dataset(draw(place)),
    "voc": lambda place: _dataset(write_voc(place)),
    "folder": lambda place: _dataset(write_folder(place)),
    "manifest": lambda place: _dataset(write_manifest(place)),
    "pictures": _pictures,
    "settings": _settings,
    "weights": _weights,
    "run": _run,
    "segmenter": _segmenter,
    "results": _results,
    "beside": _beside,
    "examples": _examples,
    "options": _options,
}
