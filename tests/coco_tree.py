"""A small COCO dataset, drawn image by image: every way to store a picture and to draw a region."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from pycocotools import mask as coco_mask

WIDTH, HEIGHT = 30, 20
CATEGORIES = [
    {"id": 1, "name": "boat", "isthing": 1},
    {"id": 2, "name": "cow", "isthing": 1},
    {"id": 7, "name": "water", "isthing": 0},
    {"id": 9, "name": "grass", "isthing": 0},
]
IDS = {category["name"]: category["id"] for category in CATEGORIES}


def picture(seed: int = 0, channels: int = 3) -> np.ndarray:
    """Noise of (HEIGHT, WIDTH, channels), or (HEIGHT, WIDTH) for one channel."""
    shape = (HEIGHT, WIDTH, channels) if channels > 1 else (HEIGHT, WIDTH)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def rectangle(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    """A (HEIGHT, WIDTH) mask, True in [left, right) x [top, bottom)."""
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[top:bottom, left:right] = True
    return mask


def polygon(left: float, top: float, right: float, bottom: float) -> list[float]:
    return [left, top, right, top, right, bottom, left, bottom]


def plain_rle(mask: np.ndarray) -> dict[str, Any]:
    """Uncompressed RLE, by its definition: run lengths down the columns, from a run of 0s on."""
    runs, value = [0], False
    for pixel in mask.flatten(order="F").tolist():
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    return {"size": list(mask.shape), "counts": runs}


def packed_rle(mask: np.ndarray) -> dict[str, Any]:
    """Compressed RLE, by pycocotools."""
    rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": rle["size"], "counts": rle["counts"].decode()}


class Subset:
    """Collects images and annotations of one JSON file."""

    def __init__(self, images: Path) -> None:
        self.folder = images
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        self.categories: list[dict[str, Any]] = [dict(category) for category in CATEGORIES]

    def image(self, name: str, pixels: Any = None, size: Any = None, **save: Any) -> int:
        """Store a picture (noise unless given) and list it; return its id."""
        stored = PIL.Image.fromarray(picture()) if pixels is None else pixels
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        stored.save(path, **save)
        width, height = size or stored.size
        record = {"id": len(self.images) + 1, "file_name": name, "width": width, "height": height}
        self.images.append(record)
        return record["id"]

    def annotate(self, image: int, category: str, **keys: Any) -> None:
        number = len(self.annotations) + 1
        self.annotations.append(
            {"id": number, "image_id": image, "category_id": IDS[category], **keys}
        )

    def write(self, file: Path) -> None:
        keys = ("images", "annotations", "categories")
        file.write_text(json.dumps({key: getattr(self, key) for key in keys}))


def upright_by_exif(pixels: np.ndarray) -> tuple[PIL.Image.Image, PIL.Image.Exif]:
    """A picture stored lying down (a quarter turn to the left), and the note that turns it."""
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    return PIL.Image.fromarray(np.ascontiguousarray(np.rot90(pixels))), exif


def draw(root: Path) -> Path:
    """Draw the dataset into a new folder and return the folder: 7 + 3 + 2 images."""
    root.mkdir(parents=True, exist_ok=True)
    images = root / "images"
    draw_train(images).write(root / "train.json")
    draw_val(images).write(root / "val.json")
    test = Subset(images)
    test.annotate(test.image("test/ashore.png"), "boat", bbox=[2, 3, 10, 6])
    test.annotate(
        test.image("test/sea.png"), "water", segmentation=plain_rle(rectangle(0, 9, 30, 20))
    )
    test.write(root / "test.json")
    (root / "dataset.toml").write_text(
        'format = "coco"\nimages = "images"\nobject = "boat"\ncontext = "water"\n'
        '[subsets]\ntrain = "train.json"\nval = "val.json"\ntest = "test.json"\n'
    )
    return root


def draw_train(images: Path) -> Subset:
    train = Subset(images)
    two = train.image("two.png")
    train.annotate(two, "boat", segmentation=[polygon(2, 3, 12, 9)], bbox=[2, 3, 10, 6])
    train.annotate(two, "boat", segmentation=[polygon(8, 5, 20, 12)], bbox=[8, 5, 12, 7])
    train.annotate(two, "water", segmentation=plain_rle(rectangle(0, 12, 30, 20)))
    packed = train.image("packed.png")
    train.annotate(packed, "boat", segmentation=packed_rle(rectangle(5, 5, 9, 17)))
    train.annotate(train.image("box.png"), "boat", segmentation=[], bbox=[4, 6, 8, 10])
    mixed = train.image("mixed.png")
    train.annotate(mixed, "boat", segmentation=[polygon(2, 3, 12, 9)])
    train.annotate(mixed, "boat", bbox=[20, 10, 50, 50])
    crowd = train.image("crowd.png")
    train.annotate(crowd, "cow", segmentation=[polygon(0, 0, 4, 4)], iscrowd=0)
    train.annotate(crowd, "cow", segmentation=plain_rle(rectangle(10, 0, 30, 6)), iscrowd=1)
    train.image("nothing.png")
    named = train.image("named.png")
    train.annotate(named, "boat")
    train.annotate(named, "boat", bbox=[1, 1, 5, 5])
    return train


def draw_val(images: Path) -> Subset:
    val = Subset(images)
    void = val.image("void/grey.png", PIL.Image.fromarray(picture(1, 1)))
    val.annotate(void, "grass", segmentation=plain_rle(rectangle(0, 0, 15, 20)))
    val.annotate(void, "cow", segmentation=[[3, 3, 3.1, 3, 3.1, 3.1]])
    val.image("cmyk.jpg", PIL.Image.fromarray(picture(2)).convert("CMYK"))
    lying, exif = upright_by_exif(picture(3))
    turned = val.image("turned.png", lying, size=(WIDTH, HEIGHT), exif=exif)
    val.annotate(turned, "water", segmentation=packed_rle(rectangle(3, 0, 4, 20)))
    return val
