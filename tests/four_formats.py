"""The same twelve pictures, written as COCO, VOC, folders and a manifest."""

import csv
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import PIL.Image
from coco_tree import packed_rle, plain_rle, rectangle, upright_by_exif

WIDTH, HEIGHT = 30, 20
OBJECTS = ("boat", "cow")
CONTEXTS = ("water", "grass")
VOID = 255
VALUES = {"boat": 1, "cow": 2, "water": 3, "grass": 4}
VOC_VALUES = {"boat": 4, "cow": 10}
VOC_CONTEXTS = {"water": 56, "grass": 29}


@dataclass(frozen=True)
class Drawing:
    """A picture and where everything is: (class, mask) of each instance, and what is void."""

    stem: str
    subset: str
    instances: tuple = ()
    void: np.ndarray | None = None
    store: str = "rgb.jpg"
    crowd: bool = False
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @property
    def file(self) -> str:
        return f"{self.stem}.{self.store.rpartition('.')[2]}"

    @property
    def labels(self) -> set:
        return {name for name, _ in self.instances if name in OBJECTS}

    @property
    def contexts(self) -> set:
        return {name for name, _ in self.instances if name in CONTEXTS}

    def union(self, name: str) -> np.ndarray:
        return np.logical_or.reduce([mask for one, mask in self.instances if one == name])

    def label_map(self, values: dict) -> np.ndarray:
        found = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
        for name, mask in self.instances:
            if name in values:
                found[mask] = values[name]
        if self.void is not None:
            found[self.void] = VOID
        return found


def drawings() -> list[Drawing]:
    boat, cow = rectangle(2, 3, 12, 9), rectangle(14, 4, 22, 11)
    other, sea = rectangle(20, 2, 27, 8), rectangle(0, 12, 30, 20)
    rim = rectangle(12, 3, 14, 9)
    return [
        Drawing("plain", "train", (("boat", boat),)),
        Drawing("two", "train", (("boat", boat), ("boat", other), ("water", sea))),
        Drawing("void", "train", (("boat", boat), ("water", sea)), rim),
        Drawing("crowd", "train", (("cow", cow), ("cow", rectangle(22, 4, 30, 11))), crowd=True),
        Drawing("nothing", "train"),
        Drawing("cowfield", "train", (("cow", cow), ("grass", sea)), rectangle(14, 11, 22, 12)),
        Drawing("grey", "val", (("boat", boat), ("grass", sea)), store="grey.jpg"),
        Drawing("cmyk", "val", (("cow", cow),), store="cmyk.jpg"),
        Drawing("alpha", "val", (("boat", boat), ("water", sea)), store="alpha.png"),
        Drawing("turned", "val", (("boat", other),), store="exif.jpg"),
        Drawing("sea", "test", (("water", sea),), rectangle(0, 11, 30, 12)),
        Drawing(
            "edge", "test", (("boat", rectangle(26, 0, 30, 20)), ("grass", rectangle(0, 0, 1, 1)))
        ),
    ]


def picture(drawing: Drawing) -> bytes:
    """Encode a drawing's picture (noise of its own) as its file has it."""
    kind, suffix = drawing.store.split(".")
    noise = np.random.default_rng(sum(drawing.stem.encode())).integers(
        0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8
    )
    options = {}
    if kind == "grey":
        image = PIL.Image.fromarray(noise[..., 0])
    elif kind == "cmyk":
        image = PIL.Image.fromarray(noise[..., :3]).convert("CMYK")
    elif kind == "alpha":
        image = PIL.Image.fromarray(noise)
    elif kind == "exif":
        image, options["exif"] = upright_by_exif(noise[..., :3])
    else:
        image = PIL.Image.fromarray(noise[..., :3])
    file = io.BytesIO()
    image.save(file, {"jpg": "JPEG", "png": "PNG"}[suffix], **options)
    return file.getvalue()


def put(folder: Path, name: str, content: bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def put_map(folder: Path, name: str, values: np.ndarray, palette: bool = False) -> None:
    image = PIL.Image.fromarray(values)
    if palette:
        image.putpalette([(37 * n) % 256 for n in range(768)])
    file = io.BytesIO()
    image.save(file, "PNG")
    put(folder, name, file.getvalue())


def write_coco(root: Path) -> Path:
    names = [*OBJECTS, *CONTEXTS]
    categories = [
        {"id": n, "name": name, "isthing": int(name in OBJECTS)} for n, name in enumerate(names, 1)
    ]
    for subset in ("train", "val", "test"):
        images, annotations = [], []
        for number, one in enumerate(d for d in drawings() if d.subset == subset):
            put(root / "images", one.file, picture(one))
            record = {"id": number, "file_name": one.file, "width": WIDTH, "height": HEIGHT}
            images.append(record)
            for order, (name, mask) in enumerate(one.instances):
                crowd = one.crowd and order > 0
                annotations.append(
                    {
                        "id": len(annotations),
                        "image_id": number,
                        "category_id": names.index(name) + 1,
                        "segmentation": plain_rle(mask) if crowd else packed_rle(mask),
                        "iscrowd": int(crowd),
                    }
                )
        content = {"images": images, "annotations": annotations, "categories": categories}
        (root / f"{subset}.json").write_text(json.dumps(content))
    return described(
        root,
        'format = "coco"\nimages = "images"\n[subsets]\ntrain = "train.json"\n'
        'val = "val.json"\ntest = "test.json"\n',
    )


def write_voc(root: Path) -> Path:
    tree = root / "VOCdevkit" / "VOC2012"
    lists: dict = {}
    for one in drawings():
        put(tree / "JPEGImages", one.file, picture(one))
        put_map(tree / "SegmentationClass", f"{one.stem}.png", one.label_map(VOC_VALUES), True)
        put_map(root / "contexts", f"{one.stem}.png", one.label_map(VOC_CONTEXTS))
        put(tree / "Annotations", f"{one.stem}.xml", annotation(one).encode())
        lists.setdefault(one.subset, []).append(one.stem)
    for subset, stems in lists.items():
        text = "".join(f"{stem}\n" for stem in stems)
        put(tree / "ImageSets" / "Segmentation", f"{subset}.txt", text.encode())
    return described(
        root,
        'format = "voc"\ncontext_masks = "contexts"\n[subsets]\ntrain = "train"\nval = "val"\n'
        'test = "Segmentation/test"\n[context_values]\nwater = 56\ngrass = 29\n',
    )


def annotation(one: Drawing) -> str:
    """VOC's XML: pixels are counted from 1, and the last one is included."""
    objects = ""
    for name, mask in one.instances:
        if name in OBJECTS:
            rows, columns = np.flatnonzero(mask.any(1)) + 1, np.flatnonzero(mask.any(0)) + 1
            objects += (
                f"<object><name>{escape(name)}</name><difficult>0</difficult><bndbox>"
                f"<xmin>{columns[0]}</xmin><ymin>{rows[0]}</ymin>"
                f"<xmax>{columns[-1]}</xmax><ymax>{rows[-1]}</ymax></bndbox></object>"
            )
    return (
        f"<annotation><filename>{one.file}</filename><size><width>{WIDTH}</width>"
        f"<height>{HEIGHT}</height><depth>3</depth></size>{objects}</annotation>"
    )


def write_folder(root: Path) -> Path:
    for one in drawings():
        name = f"{one.subset}/{next(iter(one.labels), 'none')}/{one.stem}"
        put(root / "images", f"{name}{Path(one.file).suffix}", picture(one))
        put_map(root / "masks", f"{name}.png", one.label_map(VALUES))
    values = "".join(f"{name} = {value}\n" for name, value in VALUES.items())
    return described(
        root,
        f'format = "folder"\nmasks = "masks"\nbackground = ["none"]\n[mask_values]\n{values}',
    )


def write_manifest(root: Path) -> Path:
    rows = []
    for one in drawings():
        put(root / "pictures", one.file, picture(one))
        put_map(root / "pictures", f"masks/{one.stem}.png", one.label_map(VALUES), True)
        rows.append(
            {
                "path": one.file,
                "labels": ";".join(sorted(one.labels)),
                "subset": one.subset,
                "mask": f"masks/{one.stem}.png",
                "water": "yes" if "water" in one.contexts else "no",
                "grass": int("grass" in one.contexts),
            }
        )
    with (root / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    values = "".join(f"{name} = {value}\n" for name, value in VALUES.items())
    return described(
        root,
        'format = "manifest"\nmanifest = "table.csv"\nimages = "pictures"\n'
        'contexts = ["water", "grass"]\n[columns]\nimage = "path"\n'
        f"[mask_values]\n{values}",
    )


def described(root: Path, text: str) -> Path:
    (root / "dataset.toml").write_text('object = "boat"\ncontext = "water"\n' + text)
    return root


WRITERS = {
    "coco": write_coco,
    "voc": write_voc,
    "folder": write_folder,
    "manifest": write_manifest,
}
