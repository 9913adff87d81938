"""``biasaudit repair`` as a user calls it: of a run, and of a model trained by a plain script."""

import json
import shlex

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file
from torchvision.models import resnet18

import biasaudit as ba
from tests.end_to_end.test_bad_input import assert_one_line

LABELS = 12
GUARD = ["--max-val-loss", "1"]


@pytest.fixture
def run(trained):
    trained()
    return "runs/baseline-seed0"


def scores_of(folder):
    table = pd.read_csv(folder / "per_image.csv")
    return table.set_index(["split", "id"])["score"].sort_index()


def test_train_repair_evaluate_report(biasaudit, run, tmp_path):
    repaired = biasaudit("repair", "--pixel-labels", LABELS, *GUARD)
    assert repaired.code == 0, repaired.err
    folder = tmp_path / repaired.out.strip()
    assert folder.name == f"baseline-seed0-repair{LABELS}"

    told = repaired.err.splitlines()
    record = json.loads((folder / "repair.json").read_text())
    assert record["object"] == "boat"
    assert record["pixel_labels"] == LABELS
    assert len(record["candidates"]) > 1
    assert record["val"]["after"]["accuracy"] >= 0.5
    summary = next(line for line in told if line.startswith("val "))
    assert f"{record['val']['before']['accuracy']:.3f} → " in summary
    assert f"{sum(record['edits'].values())} edits of {LABELS} labels" in summary
    labels = json.loads((folder / "labels.json").read_text())
    assert len(labels["entries"]) == LABELS

    follow = next(line for line in told if line.startswith("next: "))
    command = shlex.split(follow.removeprefix("next: "))
    assert command[0] == "biasaudit"
    evaluated = biasaudit(*command[1:])
    assert evaluated.code == 0, evaluated.err
    assert f"baseline-seed0-repair{LABELS}" in evaluated.out

    assert biasaudit("report", run, folder, "--out", "report.html").code == 0
    page = (tmp_path / "report.html").read_text()
    assert f"baseline+repair · {LABELS} labels" in page
    assert f"biasaudit repair --run {run} --pixel-labels {LABELS}" in page
    assert "combines the classification loss with other terms" not in page
    train = next(line for line in page.splitlines() if "biasaudit train" in line)
    assert "+repair" not in train.split("biasaudit repair")[0].split("biasaudit train")[1]

    audited = json.loads((folder / "results.json").read_text())["runs"][0]
    assert audited["mode"] == "baseline+repair"
    assert audited["pixel_labels"] == LABELS
    assert audited["splits"]["val"]["overall"]["accuracy"] == pytest.approx(
        record["val"]["after"]["accuracy"]
    )


@pytest.mark.parametrize(
    ("kind", "more", "held_back"),
    [("propagated", [], LABELS), ("sec", ["--set", "segment.iterations=3"], LABELS // 3)],
)
def test_foregrounds_found_in_unlabelled_images_are_told_everywhere(
    biasaudit, run, tmp_path, kind, more, held_back
):
    asked = ["--pixel-labels", LABELS, "--foregrounds", kind, *more]
    repaired = biasaudit("repair", *asked, *GUARD)
    assert repaired.code == 0, repaired.err
    folder = tmp_path / repaired.out.strip()
    record = json.loads((folder / "repair.json").read_text())
    found = record["foregrounds"]
    assert found["kind"] == kind
    least = 1 if kind == "propagated" else 0  # a network of few steps may see nothing
    assert least <= found["kept"] <= found["proposed"]
    assert least * 0.01 <= found["iou"] < 1
    assert found["held_back"] == held_back
    assert sum(record["labels_by_form"].values()) == LABELS
    assert {one["found"] for one in record["candidates"]} == ({0, 0.5} if found["kept"] else {0})
    said = (
        f"{found['kept']} foregrounds found in {found['proposed']} images (IoU {found['iou']:.2f}"
    )
    assert said in repaired.err
    assert ("not used" in repaired.err) == (record["chosen"]["found"] == 0)

    assert biasaudit("evaluate", "--run", folder).code == 0
    audited = json.loads((folder / "results.json").read_text())["runs"][0]
    assert audited["settings"]["repair"]["foregrounds"]["kept"] == found["kept"]
    assert biasaudit("report", folder, "--out", "report.html").code == 0
    again = next(
        line
        for line in (tmp_path / "report.html").read_text().splitlines()
        if "biasaudit repair" in line
    )
    assert " ".join(["--foregrounds", kind, *more]) in again


def test_one_row_of_the_last_layer_changes(biasaudit, run, tmp_path):
    answer = biasaudit("repair", "--pixel-labels", LABELS, "--json", *GUARD)
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    folder = tmp_path / told["run"]
    assert told["name"] == folder.name
    assert set(told["val"]) == {"before", "after"}
    record = json.loads((folder / "repair.json").read_text())
    before = load_file(tmp_path / run / "weights.safetensors")
    after = load_file(folder / "weights.safetensors")
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {f"{record['layer']}.weight", f"{record['layer']}.bias"}
    for name in changed:
        rows = (before[name] != after[name]).reshape(len(before[name]), -1).any(dim=1)
        assert torch.nonzero(rows).flatten().tolist() == [record["row"]]
    weight = before[f"{record['layer']}.weight"][record["row"]]
    assert weight.tolist() == pytest.approx(record["before"]["weight"])


def test_in_memory_as_from_disk(tmp_path):
    data = ba.load_dataset("harbour", options={"train": 160, "val": 40, "group": 20})
    run = ba.train(data, epochs=1)
    settings = {"pixel_labels": LABELS, "max_val_loss": 1.0}
    repaired = ba.repair(run, data, **settings)
    assert repaired.path is None
    assert run.repair is None
    in_memory = ba.audit(repaired, data)
    repaired.save(tmp_path / "repaired")
    from_disk = ba.audit(tmp_path / "repaired", data)
    assert in_memory.run.splits == from_disk.run.splits
    assert in_memory.run.mode == from_disk.run.mode == "baseline+repair"
    pd.testing.assert_frame_equal(in_memory.per_image, from_disk.per_image)
    again = ba.repair(run, data, **settings)
    assert again.repair["chosen"] == repaired.repair["chosen"]
    other = [c for c in data.classes if c != "boat"]
    images = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    columns = [data.classes.index(name) for name in other]
    with torch.no_grad():
        was, now = (m.load_model()(images).scores for m in (run, repaired))
    assert torch.equal(was[:, columns], now[:, columns])
    assert not torch.equal(was, now)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--pixel-labels", "0"], ["--pixel-labels", "labelled images"]),
        (["--pixel-labels", "9999"], ["--pixel-labels 9999", "at most"]),
        (["--object", "bota"], ["bota", "did you mean 'boat'"]),
        (["--run", "nowhere"], ["--run nowhere", "no such folder"]),
        (["--run", "a", "--model", "resnet18"], ["--model and --run"]),
        (["--data", "harbor"], ["--data harbor", "harbour"]),
        (["--max-val-loss", "2"], ["--max-val-loss"]),
        (["--regions", "car,house"], ["--regions car,house", "'boat' is not among them"]),
        (["--regions", "boat,horse"], ["horse", "house"]),
        (["--foregrounds", "sec", "--set", "segment.threshold=2"], ["--set segment.threshold=2: "]),
        (["--foregrounds", "se"], ["--foregrounds se", "'sec'"]),
        (["--set", "segment.iterations=3"], ["--foregrounds labelled", "iterations is set"]),
        (["--foregrounds", "sec", "--set", "segment.iterations=0"], ["segment.iterations=0"]),
        (["--foregrounds", "sec", "--set", "training.epochs=1"], ["--set training.epochs=1"]),
        (["--foregrounds", "sec", "--pixel-labels", "1"], ["--foregrounds sec", "with 1 label "]),
        (["--foregrounds", "sec", "--pixel-labels", "0"], ["with 0 labels ", "two images"]),
        (
            ["--foregrounds", "sec", "--pixel-labels", LABELS, "--regions", "boat,car"],
            ["--foregrounds sec", "--regions"],
        ),
        (["--context-labels", "watr"], ["watr", "did you mean 'water'"]),
    ],
)
def test_bad_input(biasaudit, run, tmp_path, arguments, words):
    assert_one_line(biasaudit("repair", *arguments), *words)
    assert [folder.name for folder in (tmp_path / "runs").iterdir()] == ["baseline-seed0"]


def test_no_run(biasaudit):
    assert_one_line(biasaudit("repair"), "no run in runs/", "biasaudit train")


def test_regions_of_both_answers_and_context_labels(biasaudit, run, tmp_path):
    names = ["--regions", "boat,house", "--context-labels", "water"]
    repaired = biasaudit("repair", "--pixel-labels", LABELS, *names, *GUARD)
    assert repaired.code == 0, repaired.err
    folder = tmp_path / repaired.out.strip()
    record = json.loads((folder / "repair.json").read_text())
    assert record["regions"] == ["boat", "house"]
    assert record["context_labels"] == ["water"]
    assert record["labels_by_form"] == {"mask": 2 * LABELS}
    # two of each label; an image with boat and house gives its boat alone
    made = {kind: n for kind, n in record["edits"].items() if n}
    assert set(made) == {"alone"}
    assert 2 * LABELS < made["alone"] <= 4 * LABELS
    assert {candidate["balance"] for candidate in record["candidates"]} == {1.0, 1.25, 1.5, 2.0}
    assert f"edits of {2 * LABELS} labels, balance " in repaired.err
    assert "by the labels of water" in repaired.err
    assert biasaudit("evaluate", "--run", folder.relative_to(tmp_path), "--quiet").code == 0
    assert biasaudit("report", "--out", "report.html").code == 0
    page = (tmp_path / "report.html").read_text()
    assert "--regions boat,house --context-labels water" in page


def scene(generator, boat, water):
    """A picture of 64 px and the mask of its red or green object."""
    picture = Image.new("RGB", (64, 64), (150, 190, 230))
    drawing = ImageDraw.Draw(picture)
    ground = (40, 80, 180) if water else (120, 100, 60)
    drawing.rectangle((0, 30, 63, 63), fill=ground)
    left, top = generator.integers(4, 40), generator.integers(24, 40)
    box = (left, top, left + 16, top + 12)
    drawing.rectangle(box, fill=(200, 40, 40)) if boat else drawing.ellipse(box, fill=(40, 160, 40))
    noise = generator.normal(0, 6, (64, 64, 3))
    image = np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8)
    mask = np.zeros((64, 64), dtype=np.uint8)
    mask[top : top + 13, left : left + 17] = 255
    return image, mask


@pytest.fixture
def drawn(tmp_path):
    """A dataset in a folder: boats lie on water 19 times of 20, trees elsewhere."""
    generator = np.random.default_rng(0)
    folder = tmp_path / "drawn"
    (folder / "images").mkdir(parents=True)
    rows = []
    for subset, count in (("train", 80), ("val", 24), ("test", 24)):
        for number in range(count):
            boat = number % 2 == 0
            water = boat != ((subset == "test") or number % 20 in (0, 1))
            name = f"{subset}{number}"
            image, mask = scene(generator, boat, water)
            Image.fromarray(image).save(folder / "images" / f"{name}.png")
            Image.fromarray(mask).save(folder / "images" / f"{name}_mask.png")
            rows.append(
                {
                    "image": f"images/{name}.png",
                    "labels": "boat" if boat else "tree",
                    "subset": subset,
                    "mask": f"images/{name}_mask.png",
                    "water": int(water),
                }
            )
    pd.DataFrame(rows).to_csv(folder / "scenes.csv", index=False)
    (folder / "dataset.toml").write_text(
        'format = "manifest"\nmanifest = "scenes.csv"\ncontexts = ["water"]\n'
        'object = "boat"\ncontext = "water"\n'
    )
    return folder


MEAN, STD = np.array((0.485, 0.456, 0.406)), np.array((0.229, 0.224, 0.225))


def as_input(file):
    pixels = (np.asarray(Image.open(file)) / 255 - MEAN) / STD
    return torch.from_numpy(pixels).permute(2, 0, 1).float()


def train_plainly(network, folder):
    """One epoch over the training images, without biasaudit."""
    table = pd.read_csv(folder / "scenes.csv").query("subset == 'train'")
    table = table.sample(frac=1, random_state=0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for start in range(0, len(table), 16):
        part = table.iloc[start : start + 16]
        images = torch.stack([as_input(folder / name) for name in part["image"]])
        answers = torch.tensor([[name == "boat", name == "tree"] for name in part["labels"]])
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            network(images), answers.float()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def audit_repair_audit(biasaudit, tmp_path, drawn, architecture, network):
    """Audit, repair and audit again in three commands, and load the repaired state."""
    torch.save(train_plainly(network, drawn).state_dict(), "plain.pth")
    what = ["--model", architecture, "--classes", "boat,tree", "--image-size", 64, "--data", drawn]
    first = biasaudit("evaluate", "--state", "plain.pth", *what)
    assert first.code == 0, first.err
    repaired = biasaudit("repair", "--state", "plain.pth", *what, "--pixel-labels", 10, *GUARD)
    assert repaired.code == 0, repaired.err
    folder = tmp_path / repaired.out.strip()
    assert folder.name == "plain-repair10"
    line = next(line for line in repaired.err.splitlines() if line.startswith("next: "))
    second = biasaudit(*shlex.split(line)[2:], "--out", "after")
    assert second.code == 0, second.err

    state = load_file(folder / "weights.safetensors")
    assert state.keys() == network.state_dict().keys()
    changed = {n for n, v in network.state_dict().items() if not torch.equal(v, state[n])}
    assert len(changed) == 2
    network.load_state_dict(state, strict=True)
    audited = scores_of(tmp_path / "after")
    table = pd.read_csv(drawn / "scenes.csv").query("subset == 'val'")
    with torch.no_grad():
        plain = network(torch.stack([as_input(drawn / name) for name in table["image"]]))[:, 0]
    told = sorted(audited.loc["val"])
    assert sorted(plain.tolist()) == pytest.approx(told, abs=1e-4)
    run = json.loads((tmp_path / "after" / "results.json").read_text())["runs"][0]
    assert (run["mode"], run["pixel_labels"]) == ("external+repair", 10)
    assert run["name"] == "after"
    assert biasaudit("report", "after", "--out", "report.html").code == 0
    page = (tmp_path / "report.html").read_text()
    assert f"biasaudit repair --model {architecture} --state plain.pth" in page


def test_a_torchvision_model(biasaudit, tmp_path, drawn):
    torch.manual_seed(0)
    network = resnet18(num_classes=2)
    audit_repair_audit(biasaudit, tmp_path, drawn, "resnet18", network)


def test_a_timm_model(biasaudit, tmp_path, drawn):
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    network = timm.create_model("mobilenetv3_small_050", num_classes=2)
    audit_repair_audit(biasaudit, tmp_path, drawn, "mobilenetv3_small_050", network)
