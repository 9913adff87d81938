"""Train HarbourNet's starting weights: the stand-in for ImageNet pre-training.

    python -m benchmarks.pretrain_harbournet

trains the network on unbiased scenes (water is as likely with a boat as without) to name the
objects and the grounds, prints its accuracy on held-out scenes, and writes the body's weights to
``biasaudit/models/weights/harbournet.safetensors``. The head is left out: a user's classes are
others. The scenes come from a seed of their own, far from the small ones that users give, and
share no image with theirs. A few minutes on one core; the same seed on the same machine writes
the same weights. (The file that is shipped was written just before the scenes' last touch of paint:
boats named right on .990 of held-out scenes, as by a file written today, but not the same bytes.)
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from biasaudit.data.sample import Sample
from biasaudit.data.synthetic.harbour import HarbourSettings, harbour
from biasaudit.models.classifier import Classifier
from biasaudit.models.harbournet import harbournet

SCENES_SEED = 1_000_003
TARGETS = ("boat", "car", "house", "tree", "water", "grass", "sand", "road")
WEIGHTS = Path(__file__).parents[1] / "biasaudit" / "models" / "weights" / "harbournet.safetensors"


def main() -> None:
    """Draw the scenes, train, report, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--train", type=int, default=8000, help="number of scenes to train on")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    options = parser.parse_args()

    torch.manual_seed(0)
    scenes = harbour(
        HarbourSettings(
            seed=SCENES_SEED,
            train=options.train,
            val=1000,
            group=1,
            water_given_boat=0.5,
            water_given_no_boat=0.5,
        )
    )
    images, labels = tensors(scenes.subset("train"))
    # Twice as fast on a CPU as the usual order of dimensions.
    model = harbournet(len(TARGETS)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), options.learning_rate, weight_decay=1e-4)
    steps = options.epochs * -(-len(images) // options.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.learning_rate, total_steps=steps
    )
    for epoch in range(options.epochs):
        loss = train_epoch(model, optimizer, schedule, images, labels, options.batch_size)
        print(f"epoch {epoch + 1:2d}  loss {loss:.3f}")
    report(model, *tensors(scenes.subset("val")))
    state = {
        k: v.clone(memory_format=torch.contiguous_format)
        for k, v in model.state_dict().items()
        if k.startswith("body.")
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, options.out)
    print(f"wrote {options.out} ({options.out.stat().st_size / 1024:.0f} KiB)")


def tensors(samples: tuple[Sample, ...]) -> tuple[Tensor, Tensor]:
    """Return (N, 3, S, S) uint8 images and (N, 8) float labels."""
    images = torch.stack([torch.from_numpy(s.load_image()).permute(2, 0, 1) for s in samples])
    present = [s.labels | s.contexts for s in samples]
    return images, torch.tensor([[float(t in p) for t in TARGETS] for p in present])


def train_epoch(
    model: Classifier,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    images: Tensor,
    labels: Tensor,
    batch_size: int,
) -> float:
    """Train on every image once, mirrored half of the time, and return the mean loss."""
    model.train()
    total = 0.0
    for rows in torch.randperm(len(images)).split(batch_size):
        batch = images[rows].float() / 255
        mirrored = torch.rand(len(rows)) < 0.5
        batch[mirrored] = batch[mirrored].flip(-1)
        loss = functional.multilabel_soft_margin_loss(model(batch).scores, labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.item() * len(rows)
    return total / len(images)


@torch.no_grad()
def report(model: Classifier, images: Tensor, labels: Tensor) -> None:
    """Print the accuracy of each target on held-out scenes."""
    model.eval()
    scores = torch.cat([model(part.float() / 255).scores for part in images.split(256)])
    accuracy = ((scores > 0) == (labels > 0.5)).float().mean(dim=0)
    for target, value in zip(TARGETS, accuracy.tolist(), strict=True):
        print(f"{target:6s} {value:.3f}")
    print(f"mean   {accuracy.mean():.3f}")


if __name__ == "__main__":
    main()
