"""A plain torchvision training, without biasaudit's trainer; three commands audit what it saves.

    python examples/plain_training.py mine.pth
    biasaudit evaluate --model resnet18 --state mine.pth --classes boat,car,house,tree --image-size 64
    biasaudit report runs/mine

Only the pictures come from biasaudit. Any script that saves a state dict will do as well.
"""  # noqa: E501 (a command stands in one line)

import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision.models import resnet18
from torchvision.transforms import functional as transforms

import biasaudit as ba

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Pictures(Dataset):
    """The training images with a 0 or 1 for each class."""

    def __init__(self, images: int) -> None:
        data = ba.load_dataset("harbour", options={"train": images})
        self.classes, self.samples = data.classes, data.subset("train")

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, place: int) -> tuple[torch.Tensor, torch.Tensor]:
        sample = self.samples[place]
        image = transforms.normalize(transforms.to_tensor(sample.load_image()), MEAN, STD)
        return image, torch.tensor([float(name in sample.labels) for name in self.classes])


def main(out: str, images: int, epochs: int) -> None:
    """Train a resnet18 and save its state dict."""
    torch.manual_seed(0)
    pictures = Pictures(images)
    model = resnet18(weights=None, num_classes=len(pictures.classes))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    loss_of = nn.BCEWithLogitsLoss()
    for epoch in range(epochs):
        total = 0.0
        for batch, labels in DataLoader(pictures, batch_size=32, shuffle=True, drop_last=True):
            optimizer.zero_grad()
            loss = loss_of(model(batch), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch + 1} of {epochs}: loss {total / max(1, len(pictures) // 32):.3f}")
    torch.save(model.state_dict(), out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", help="where to save the state dict")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=4)
    given = parser.parse_args()
    main(given.out, given.images, given.epochs)
