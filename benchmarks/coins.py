r"""How often does the verdict convict a coin, and how often does it find a planted gap?

A baseline is trained once on each dataset, and its answers to val and test are kept, to test also
with a brightness and a blur that no training image has, with both, and with half of the images as
another camera might take them, which their source says. Contexts are then drawn at random: nothing
but chance ties them to the answers within a subset and a source. Gaps are planted by turning
answers against the coin.

    python -m benchmarks.coins --answers ANSWERS --out benchmarks/results/coins.csv

ANSWERS is a folder that keeps the answers of each trained baseline; one that is there already is
not trained again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from biasaudit.analysis.rule import size_of
from biasaudit.analysis.verdict import LEVEL, judge
from biasaudit.statistics.effect_power import Planned, power_effect
from biasaudit.statistics.rates import wilson_interval

FINE_TUNED = {
    "data.image_size": 128,
    "model.backbone": "mobilenet_v2",
    "model.weights": "../shared/weights/mobilenet_v2_imagenet.safetensors",
    "training.epochs": 4,
}
DATASETS = {
    "harbour": ({}, "boat"),
    "photos": ({"data.name": "../shared/photos", **FINE_TUNED}, "boat"),
    "skin": ({"data.name": "../shared/skin", **FINE_TUNED}, "malignant"),
}
SHIFTS = ("none", "dark", "blurred", "dark and blurred", "another source")
COINS = ("fair", "by subset", "by answer", "by source")
"""Chance of the context: .5; .8 on val and .2 on test; .8 with the object and .3 without it; .8 and
.2 in the sources in turn, where there are several."""
GAPS = (0.05, 0.1, 0.2, 0.4)


def main() -> None:
    """Measure every dataset, print the rates, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--answers", type=Path, required=True, help="folder of kept answers")
    parser.add_argument("--out", type=Path, help="the CSV; none is written without")
    parser.add_argument("--datasets", default=",".join(DATASETS))
    parser.add_argument("--coins", type=int, default=200, help="random contexts of each kind")
    options = parser.parse_args()
    options.answers.mkdir(parents=True, exist_ok=True)
    found = []
    for name in options.datasets.split(","):
        answers = kept_answers(name, options.answers)
        found += coin_rows(name, answers, options.coins) + gap_rows(name, answers, options.coins)
        table = pd.DataFrame(found)
        if options.out:
            table.to_csv(options.out, index=False, float_format="%.4g")
    print(table.to_string(index=False))
    coins = table[table["gap"] == 0]
    low, high = wilson_interval(int(coins["biased"].sum()), int(coins["audits"].sum()))
    print(
        f"coins convicted: {coins['biased'].sum()} of {coins['audits'].sum()}, {low:.3f}-{high:.3f}"
    )


def coin_rows(name: str, answers: pd.DataFrame, n: int) -> list[dict[str, object]]:
    """Judge random contexts; one row a shift and kind of coin."""
    found = []
    for shift in SHIFTS:
        images = shifted(answers, shift)
        for coin in COINS:
            rng = np.random.default_rng([SHIFTS.index(shift), COINS.index(coin)])
            kinds = [
                judge(images.assign(context=toss(images, coin, rng)), "object", "coin").kind
                for _ in range(n)
            ]
            found.append(row_of(name, shift, coin, 0.0, kinds))
    return found


def gap_rows(name: str, answers: pd.DataFrame, n: int) -> list[dict[str, object]]:
    """Judge planted gaps; one row a gap, with the share found that the sizes promise."""
    found = []
    images = shifted(answers, "none")
    for gap in GAPS:
        rng = np.random.default_rng(round(1000 * gap))
        kinds, promised = [], []
        for _ in range(n):
            rows = images.assign(context=toss(images, "fair", rng))
            promised.append(promise(rows, gap))
            kinds.append(judge(plant(rows, gap, rng), "object", "coin").kind)
        row = row_of(name, "none", "fair", gap, kinds)
        found.append(row | {"promised": round(float(np.mean(promised)), 3)})
    return found


def row_of(name: str, shift: str, coin: str, gap: float, kinds: list[str]) -> dict[str, object]:
    """Return one row of the table."""
    counts = {kind: kinds.count(kind) for kind in ("biased", "no_bias_shown", "cannot_tell")}
    return {
        "dataset": name,
        "shift": shift,
        "coin": coin,
        "gap": gap,
        "audits": len(kinds),
        **counts,
        "share_biased": counts["biased"] / len(kinds),
    }


def toss(rows: pd.DataFrame, coin: str, rng: np.random.Generator) -> np.ndarray:
    """Draw a context that nothing but subset or right answer has a part in."""
    chance = {
        "fair": np.full(len(rows), 0.5),
        "by subset": np.where(rows["subset"] == "val", 0.8, 0.2),
        "by answer": np.where(rows["label"] == 1, 0.8, 0.3),
        "by source": np.where(pd.factorize(rows["source"], sort=True)[0] % 2 == 0, 0.8, 0.2),
    }[coin]
    return (rng.random(len(rows)) < chance).astype(float)


def plant(rows: pd.DataFrame, gap: float, rng: np.random.Generator) -> pd.DataFrame:
    """Turn answers against the context where it misleads, so that both yes-rates part by a gap."""
    right = (rows["decision"] == rows["label"]).to_numpy()
    rate = rows.assign(right=right).groupby(["subset", "source", "label"])["right"]
    misled = (rows["label"] != rows["context"]).to_numpy()
    chance = np.minimum(1.0, gap / np.maximum(rate.transform("mean").to_numpy(), gap))
    turned = right & misled & (rng.random(len(rows)) < chance)
    decision = np.where(turned, 1 - rows["label"], rows["decision"])
    return rows.assign(decision=decision)


def promise(rows: pd.DataFrame, gap: float) -> float:
    """Return the power that the sizes of the groups and the rates without a gap give."""
    planned = []
    right = rows["decision"] == rows["label"]
    for (_, _, label), part in rows.groupby(["subset", "source", "label"]):
        n_with = int(part["context"].sum())
        rate = float(right[part.index].mean())
        planned.append(Planned(n_with, len(part) - n_with, int(label), rate))
    return power_effect(planned, gap, alpha=size_of(LEVEL))


def shifted(answers: pd.DataFrame, shift: str) -> pd.DataFrame:
    """Return val as it is and test under a shift; of another source is every second test image."""
    wanted = np.where(answers["subset"] == "val", "none", shift)
    if shift == "another source":
        other = pd.factorize(answers["id"])[0] % 2 == 0
        wanted = np.where(other, wanted, "none")
        moved = other & (answers["subset"] == "test")
        named = answers["source"].astype(str)
        answers = answers.assign(source=named.where(~moved, "another " + named))
        unnamed = answers["source"] == ""
        answers.loc[unnamed, "source"] = "its own"
    return answers[answers["shift"] == wanted].reset_index(drop=True)


def kept_answers(name: str, folder: Path) -> pd.DataFrame:
    """Return the answers of a dataset's baseline, trained where they are not kept yet."""
    file = folder / f"{name}.csv"
    if not file.is_file():
        train_and_answer(name).to_csv(file, index=False)
    return pd.read_csv(file, keep_default_na=False).assign(pair="")


def train_and_answer(name: str, seed: int = 0, shifts: Sequence[str] = SHIFTS) -> pd.DataFrame:
    """Train a baseline and return its answers to val and to test under every shift."""
    import torch

    from benchmarks.modes import Silent
    from biasaudit.config import load_settings
    from biasaudit.evaluation.predict import Subject, batches
    from biasaudit.training.loop import train
    from biasaudit.training.plan import make_plan

    settings, object = DATASETS[name]
    plan = make_plan(load_settings(None, [], settings | {"training.seed": seed}))
    subject = Subject(
        train(plan, Silent()).model,
        plan.dataset.classes,
        int(plan.settings.data.image_size or 0),
        torch.device("cpu"),
    )
    column = plan.dataset.class_index[object]
    rows = []
    for subset, shift in (("val", "none"), *(("test", shift) for shift in shifts)):
        samples = [
            replace(one, load_image=Shifted(one.load_image, shift))
            for one in plan.dataset.subset(subset)
        ]
        with torch.no_grad():
            parts = [
                subject.model(b.images).scores[:, column] for b in batches(subject, samples, ())
            ]
        for one, score in zip(samples, torch.cat(parts).tolist(), strict=True):
            rows.append(
                {
                    "subset": subset,
                    "shift": shift,
                    "id": one.id,
                    "source": one.source,
                    "label": int(object in one.labels),
                    "score": score,
                    "decision": int(score > 0),
                    "contexts": " ".join(sorted(one.contexts)),
                }
            )
    return pd.DataFrame(rows)


class Shifted:
    """An image that is darkened, blurred, both, or taken by another camera."""

    def __init__(self, load, shift: str) -> None:
        self.load, self.shift = load, shift

    def __call__(self) -> np.ndarray:
        """Return the (H, W, 3) image."""
        import cv2

        image = self.load()
        if "dark" in self.shift:
            image = (image * 0.5).astype(np.uint8)
        if "blurred" in self.shift:
            image = cv2.GaussianBlur(image, (0, 0), image.shape[1] / 100)
        if self.shift == "another source":
            mixed = 0.5 * image[..., ::-1] + 0.5 * image.mean(axis=2, keepdims=True)
            coded = cv2.imencode(".jpg", mixed.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 15])
            image = np.ascontiguousarray(cv2.imdecode(coded[1], cv2.IMREAD_COLOR))
        return image


if __name__ == "__main__":
    main()
