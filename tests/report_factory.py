"""Draws plausible results for the report's tests: no model, no dataset, numpy alone."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from biasaudit import __version__
from biasaudit.analysis.figures import Question, figures
from biasaudit.results import (
    GALLERY_FILE,
    PAIRS_FILE,
    PER_IMAGE_COLUMNS,
    PER_IMAGE_FILE,
    RESULTS_FILE,
    Examples,
    Faithfulness,
    FlipRate,
    FlipRates,
    Gallery,
    Group,
    IouFigures,
    Localization,
    LocalizationFigures,
    Overall,
    Results,
    Run,
    SegmentationFigures,
    SegmentationFile,
    Split,
    add_localization,
    add_segmentation,
    read_per_image,
    read_results,
    table_bytes,
)


@dataclass(frozen=True)
class Recipe:
    """One run to draw: how often it is right, and where its attention lies."""

    mode: str
    pixel_labels: int
    object_alone: float
    context_alone: float
    energy: float
    seed: int = 0


DEMO = (
    Recipe("baseline", 0, 0.36, 0.27, 0.21),
    Recipe("gain", 0, 0.33, 0.38, 0.27),
    Recipe("gain_ext", 9, 0.41, 0.55, 0.42),
    Recipe("gain_ext", 23, 0.52, 0.66, 0.55),
    Recipe("gain_ext", 78, 0.58, 0.81, 0.68),
)


@dataclass(frozen=True)
class World:
    """The names and sizes that all runs share; ``pictured``: images of a group with a picture."""

    object: str = "boat"
    context: str = "water"
    dataset: str = "harbour"
    n: tuple[int, int] = (200, 200)
    val: int = 400
    side: int = 64
    id_form: str = "test/{group}-{number:04d}"
    pictured: int | None = None

    @property
    def groups(self) -> tuple[str, str]:
        return (
            f"{self.object}-without-{self.context}",
            f"{self.context}-without-{self.object}",
        )


def write_runs(folder: Path, recipes=DEMO, world: World | None = None) -> list[Path]:
    """Write one folder a run, with its three files, and return the folders."""
    world = world or World()
    pictures = _pictures(world)
    paths = []
    for place, recipe in enumerate(recipes):
        run, table, maps = draw_run(recipe, world, pictures, place)
        path = folder / f"run-{place}"
        path.mkdir(parents=True)
        (path / RESULTS_FILE).write_text(Results(runs=[run]).to_json(), encoding="utf-8")
        (path / PER_IMAGE_FILE).write_bytes(table_bytes(table))
        (path / GALLERY_FILE).write_bytes(_pictured(replace(pictures, maps=maps), world))
        paths.append(path)
    return paths


def _pictured(pictures: Gallery, world: World) -> bytes:
    """Return the gallery file: the first pictures of each group, as an audit keeps them."""
    kept = [place for place in range(len(pictures.ids)) if _has_picture(place, world)]
    found = {one.name: getattr(pictures, one.name)[kept] for one in fields(pictures)}
    return Gallery(**found).to_bytes()


def _has_picture(place: int, world: World) -> bool:
    in_group = place - (world.n[0] if place >= world.n[0] else 0)
    return world.pictured is None or in_group < world.pictured


def without_groups(path: Path) -> Path:
    """Turn a written run's two groups into the subsets test1 and test2, and return its folder."""
    results = read_results(path)
    (run,) = results.runs
    groups = run.splits.pop(f"biased-{run.object}").groups
    names = dict(zip(groups, ("test1", "test2"), strict=True))
    for group, name in names.items():
        found = groups[group]
        overall = Overall(
            n=found.n, accuracy=found.accuracy, accuracy_ci=found.accuracy_ci, constant_baseline=0.5
        )
        run.splits[name] = Split(overall=overall.model_copy(update={"attention": found.attention}))
    run.context = None
    (path / RESULTS_FILE).write_text(results.to_json(), encoding="utf-8")
    table = read_per_image(path / PER_IMAGE_FILE)
    table["split"] = table["group"].map(names).fillna(table["split"])
    (path / PER_IMAGE_FILE).write_bytes(table_bytes(table.assign(group="")))
    return path


def audited(path: Path, *, context_energy: float = 0.6, **changes) -> Path:
    """Turn a written run into a whole audit: four groups, context, verdict, identity.

    The aligned groups are answered rightly but for one image in fifty; every figure is made by
    ``biasaudit.analysis.figures`` from the rows.

    Args:
        path: The run's folder.
        context_energy: Share of the attention on the context where it is alone.
        changes: Fields of the run.
    """
    results = read_results(path)
    (run,) = results.runs
    split, context = f"biased-{run.object}", run.context
    table = read_per_image(path / PER_IMAGE_FILE)
    conflicting = table["split"] == split
    # every run has the same validation images, all answered rightly
    for column in ("label", "decision"):
        table[column] = np.where(conflicting, table[column], np.arange(len(table)) % 2)
    shown = np.where(conflicting, 1 - table["label"], table["label"])
    alone = conflicting & (shown == 1)
    table = table.assign(
        context=shown.astype(float),
        subset=np.where(conflicting, "test", "val"),
        alignment=np.where(conflicting, "conflicting", ""),
        context_energy=np.where(alone, context_energy, np.nan),
        context_area=np.where(alone, 0.4, np.nan),
        pointing_game=table["energy_pointing_game"].round(),
        pixel_average_precision=table["energy_pointing_game"],
        **dict.fromkeys(("pair", "source", "edit"), ""),
    )
    aligned = table[conflicting].copy()
    aligned["id"] = "aligned/" + aligned["id"]
    aligned["context"] = aligned["label"].astype(float)
    aligned["group"] = np.where(aligned["label"] == 1, f"{run.object}-with-{context}", "neither")
    aligned["correct"] = (np.arange(len(aligned)) % 50 != 0).astype(int)
    aligned["decision"] = np.where(aligned["correct"] == 1, aligned["label"], 1 - aligned["label"])
    aligned["alignment"] = "aligned"
    aligned["context_energy"] = aligned["context_area"] = np.nan
    table = pd.concat([table, aligned], ignore_index=True)[list(PER_IMAGE_COLUMNS)]
    training = {
        name: 95 if "-with-" in name or name == "neither" else 5
        for name in table["group"].unique()
        if name
    }
    asked = [Question(split, run.object, context, training), Question("val", run.object)]
    identity = {"weights_sha256": "ab" * 32, "audited_on": "2026-11-21", "data": run.dataset}
    known = {"audited_by": f"biasaudit {__version__}", **identity, **changes}
    run = run.model_copy(update={"splits": figures(table, asked, context), **known})
    (path / RESULTS_FILE).write_text(Results(runs=[run]).to_json(), encoding="utf-8")
    (path / PER_IMAGE_FILE).write_bytes(table_bytes(table))
    return path


def write_audits(folder: Path, recipes=DEMO, world: World | None = None) -> list[Path]:
    """Write runs as :func:`write_runs` does, each a whole audit with a verdict."""
    return [audited(path) for path in write_runs(folder, recipes, world)]


def add_decision(path: Path, fall: float) -> None:
    """Add flips of the groups and erasures to a written run's results."""
    results = read_results(path)
    (run,) = results.runs
    split = run.splits[f"biased-{run.object}"]
    turned = {"turned": 3, "n": 4, "rate": 0.75, "rate_ci": [0.3, 0.95]}
    never = {"turned": 0, "n": 0, "rate": None, "rate_ci": None}
    split.flips = {
        name: FlipRates(yes_to_no=FlipRate(**turned), no_to_yes=FlipRate(**never))
        for name in split.groups
    }
    split.faithfulness = Faithfulness.model_validate(
        {
            "fall_attention": fall,
            "fall_random": 0.05,
            "fall_region": 0.4,
            "fall_context": None,
            "excess": fall - 0.05,
            "excess_ci": [fall - 0.1, fall],
            "n": 4,
            "decides": fall > 0.1,
        }
    )
    (path / RESULTS_FILE).write_text(results.to_json(), encoding="utf-8")


def add_pairs(path: Path, right: dict[str, int], n: int = 40) -> None:
    """Add the answers to other object-context pairs: so many of ``n`` right in each group."""
    rows = [
        {
            "split": pair,
            "group": group,
            "id": f"{group}-{place}",
            "label": label,
            "score": 1.0,
            "decision": label if place < count else 1 - label,
            "correct": int(place < count),
        }
        for pair, count in right.items()
        for label, group in enumerate(("first", "second"))
        for place in range(n)
    ]
    columns = [*PER_IMAGE_COLUMNS]
    (path / PAIRS_FILE).write_bytes(table_bytes(pd.DataFrame(rows).reindex(columns=columns)))


def draw_run(recipe: Recipe, world: World, pictures: Gallery, place: int):
    """Return a run, its per-image table and its attention maps."""
    rng = np.random.default_rng(1000 + place)
    regions = pictures.regions.reshape(len(pictures.ids), -1)
    area = regions.mean(axis=1)
    count = len(pictures.ids)
    first = np.arange(count) < world.n[0]
    rate = np.where(first, recipe.object_alone, recipe.context_alone)
    correct = rng.random(count) < rate
    label = first.astype(int)
    decision = np.where(correct, label, 1 - label)
    score = np.abs(rng.normal(0, 2, count)) + 0.02
    score = np.where(decision == 1, score, -score)
    energy = np.clip(rng.normal(recipe.energy, 0.18, count) + 0.08 * correct, 0.01, 0.99)
    energy = np.where(first, energy, np.nan)
    table = pd.DataFrame(
        {
            "split": f"biased-{world.object}",
            "group": np.where(first, *world.groups),
            "id": pictures.ids,
            "label": label,
            "score": score,
            "decision": decision,
            "correct": correct.astype(int),
            "energy_pointing_game": energy,
            "iou": energy * 0.6,
            "area_fraction": np.where(first, area, np.nan),
        }
    )
    maps = _maps(pictures.regions, energy, rng)
    rows = pd.concat([table, _val(world, rng)]).reindex(columns=list(PER_IMAGE_COLUMNS))
    return _run(recipe, world, table), rows, maps


def _run(recipe: Recipe, world: World, table: pd.DataFrame) -> Run:
    groups = {
        name: _group(table[table["group"] == name], answer)
        for name, answer in zip(world.groups, (True, False), strict=True)
    }
    rates = [group.accuracy for group in groups.values()]
    mean = float(np.mean(rates))
    half = 1.96 * sum(r * (1 - r) / (4 * n) for r, n in zip(rates, world.n, strict=True)) ** 0.5
    score, positive = table["score"], table["label"] == 1
    ranks = score.rank()
    wins = ranks[positive].sum() - positive.sum() * (positive.sum() + 1) / 2
    auroc = float(wins / (positive.sum() * (~positive).sum()))
    overall = Overall(
        n=len(table),
        accuracy=mean,
        accuracy_ci=(max(0, mean - half), min(1, mean + half)),
        auroc=auroc,
        auroc_ci=(max(0, auroc - 0.055), min(1, auroc + 0.055)),
        constant_baseline=0.5,
    )
    right = round(0.985 * world.val)
    val = Overall(
        n=world.val,
        accuracy=right / world.val,
        accuracy_ci=_wilson(right, world.val),
        constant_baseline=0.52,
        attention=_overlap(table, 0.55),
    )
    return Run(
        name=f"{recipe.mode}-{recipe.pixel_labels}-s{recipe.seed}",
        mode=recipe.mode,
        object=world.object,
        context=world.context,
        pixel_labels=recipe.pixel_labels,
        seed=recipe.seed,
        backbone="harbournet",
        dataset=world.dataset,
        labels_by_form={"mask": recipe.pixel_labels} if recipe.pixel_labels else {},
        settings={
            "data": {"name": world.dataset, "image_size": 64, "pixel_labels": recipe.pixel_labels},
            "model": {"backbone": "harbournet", "weights": "scenes"},
            "training": {"mode": recipe.mode, "epochs": 8, "seed": recipe.seed},
        },
        environment={"python": "3.13.5", "torch": "2.9.0", "machine": "x86_64"},
        splits={
            f"biased-{world.object}": Split(overall=overall, groups=groups),
            "val": Split(overall=val),
        },
    )


def _group(rows: pd.DataFrame, answer: bool) -> Group:
    right = int(rows["correct"].sum())
    return Group(
        n=len(rows),
        accuracy=right / len(rows),
        accuracy_ci=_wilson(right, len(rows)),
        answer=answer,
        attention=_overlap(rows, 1.0) if answer else Localization(),
    )


def _overlap(rows: pd.DataFrame, scale: float) -> Localization:
    energy = rows["energy_pointing_game"].dropna() * scale
    half = 1.96 * energy.std() / len(energy) ** 0.5
    mean = energy.mean()
    return Localization(
        energy_pointing_game=mean,
        energy_pointing_game_ci=(mean - half, mean + half),
        iou=mean * 0.6,
        iou_ci=((mean - half) * 0.6, (mean + half) * 0.6),
        area_fraction=rows["area_fraction"].mean(),
        n_valid=len(energy),
    )


def _val(world: World, rng: np.random.Generator) -> pd.DataFrame:
    label = rng.integers(0, 2, world.val)
    return pd.DataFrame(
        {
            "split": "val",
            "group": "",
            "id": [f"val/{number:04d}" for number in range(world.val)],
            "label": label,
            "score": np.where(label == 1, 2.5, -2.5),
            "decision": label,
            "correct": 1,
            "energy_pointing_game": np.nan,
            "iou": np.nan,
            "area_fraction": np.nan,
        }
    )


def _wilson(right: int, n: int) -> tuple[float, float]:
    interval = binomtest(right, n).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def _pictures(world: World) -> Gallery:
    """Draw discs on grass (the object alone), and waves (the context alone)."""
    rng = np.random.default_rng(7)
    count, side = sum(world.n), world.side
    y, x = np.mgrid[:side, :side] / side
    images = np.empty((count, side, side, 3), np.uint8)
    regions = np.zeros((count, side, side), bool)
    for place in range(count):
        first = place < world.n[0]
        ground = np.array([96, 138, 72] if first else [52, 104, 148])
        wave = 14 * np.sin(2 * np.pi * ((6 if first else 18) * y + rng.random()))
        if first:
            cx, cy, r = rng.uniform(0.25, 0.75), rng.uniform(0.4, 0.7), rng.uniform(0.1, 0.24)
            hull = ((x - cx) / 1.5) ** 2 + (y - cy) ** 2 < r**2
            hull &= y > cy - r / 3
            mast = (np.abs(x - cx) < 0.02) & (y < cy) & (y > cy - 1.6 * r)
            regions[place] = hull | mast
        if not _has_picture(place, world):
            continue
        picture = np.where(y[..., None] < 0.4, [176, 202, 224], ground + wave[..., None])
        if first:
            picture = np.where(hull[..., None], rng.integers(90, 220, 3), picture)
            picture = np.where(mast[..., None], [60, 48, 40], picture)
        noise = rng.normal(0, 5, picture.shape)
        images[place] = np.clip(picture + noise, 0, 255).astype(np.uint8)
    ids = [
        world.id_form.format(group=world.groups[place >= world.n[0]], number=place)
        for place in range(count)
    ]
    maps = np.zeros((count, 8, 8), np.uint8)
    return Gallery(np.array(ids), images, maps, regions)


def _maps(regions: np.ndarray, energy: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return 8×8 maps: a share of the region and a share of the ground below."""
    side = regions.shape[1] // 8
    on = regions.reshape(len(regions), 8, side, 8, side).mean(axis=(2, 4))
    ground = rng.random(on.shape) * (np.arange(8)[:, None] > 3)
    share = np.nan_to_num(energy, nan=0.0)[:, None, None]
    maps = share * on / np.maximum(on.max(axis=(1, 2), keepdims=True), 1e-9) + (1 - share) * ground
    return np.rint(255 * maps / maps.max(axis=(1, 2), keepdims=True)).astype(np.uint8)


def boxes(n: int, right: int, at: tuple[int, int, int], **changes) -> LocalizationFigures:
    """Return a localization of ``n`` images: so many right boxes, and so many at each level."""
    levels = {"0.3": at[0] / n, "0.5": at[1] / n, "0.7": at[2] / n}
    made = {
        "dataset": "harbour",
        "subset": "test",
        "object": "boat",
        "n": n,
        "n_val": 30,
        "max_box_acc": right / n,
        "max_box_acc_ci": _wilson(right, n),
        "max_box_acc_v2": sum(levels.values()) / 3,
        "max_box_acc_v2_ci": (0.1, 0.9),
        "by_level": levels,
        "by_level_ci": {level: _wilson(round(share * n), n) for level, share in levels.items()},
        "threshold": 0.27,
        "threshold_v2": 0.31,
        "px_ap": 0.5,
        "top_1": 0.25,
        "top_1_ci": _wilson(round(0.25 * n), n),
    }
    return LocalizationFigures(**{**made, **changes})


def localized(path: Path, found: LocalizationFigures, digest: str = "ab" * 32) -> Path:
    """Leave a localization in a written run's folder, and return the folder."""
    add_localization(path, path.name, digest, found)
    return path


def write_segmenter(folder: Path, ious: dict[str, float | None], seed: int = 0, **changes) -> Path:
    """Write what the evaluation of a segmenter leaves: figures by class, and four pictures."""
    rng = np.random.default_rng(seed)
    classes = [name for name in ious if name != "background"]
    known = [value for value in ious.values() if value is not None]
    scores = IouFigures(
        mean_iou=sum(known) / len(known),
        mean_iou_ci=(0.2, 0.8),
        iou=ious,
        iou_ci={name: (max(0.0, v - 0.1), v) for name, v in ious.items() if v is not None},
    )
    side = 56
    truths = np.zeros((4, side, side), np.uint8)
    masks = truths.copy()
    for place in range(4):
        left, top = rng.integers(4, 30, 2)
        value = 1 + place % len(classes)
        truths[place, top : top + 20, left : left + 20] = value
        truths[place, :2] = 255
        masks[place, top + 4 : top + 24, left : left + 16] = value
    images = np.where(truths[..., None] > 0, [200, 160, 60], [90, 120, 150]).astype(np.uint8)
    examples = Examples(np.array([f"val-{n:05d}" for n in range(4)]), images, masks, truths)
    figures = {"dataset": "harbour", "subset": "val", "n": 40, "without_crf": scores, **changes}
    record = SegmentationFile(
        name=folder.name,
        run={"name": "baseline-seed0", "mode": "baseline", "seed": 0},
        classes=classes,
        weights_sha256="cd" * 32,
        figures=[SegmentationFigures(**figures)],
    )
    add_segmentation(folder, record, examples)
    return folder
