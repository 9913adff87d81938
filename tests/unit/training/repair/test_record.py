"""What a repaired run says of where it comes from."""

from dataclasses import replace

import pytest
import torch

from biasaudit.config import RepairSettings, load_settings
from biasaudit.training.loop import Silent, train
from biasaudit.training.plan import make_plan
from biasaudit.training.repair.record import repair_run
from biasaudit.training.run_directory import RunRecord

SMALL = [
    "data.options.train=40", "data.options.val=16", "data.options.group=4", "data.image_size=32",
    "training.batch_size=8", "training.epochs=1",
]  # fmt: skip


def test_a_repair_names_the_folder_or_the_run_that_it_repaired(tmp_path):
    plan = make_plan(load_settings(None, SMALL))
    run = RunRecord.of(plan, train(plan, Silent()))
    settings = RepairSettings(pixel_labels=3, folds=2, max_val_loss=1.0)
    before = {name: values.clone() for name, values in run.load_model().state_dict().items()}
    for path, source in ((None, run.name), (tmp_path / "there", str(tmp_path / "there"))):
        given = replace(run, path=path)
        repaired = repair_run(given, plan.dataset, "boat", settings, lambda *_: None)
        assert repaired.repair["repaired"] == source
        assert (repaired.path, repaired.metrics) == (None, ())
        assert repaired.name == f"{run.name}-repair3"
        assert repaired.repair["pixel_labels"] == 3
        assert repaired.repair["val"]["before"]["accuracy"] == pytest.approx(
            trained_accuracy(plan, run)
        )
    # the run given stays as it was
    assert all(torch.equal(before[name], v) for name, v in run.load_model().state_dict().items())


def trained_accuracy(plan, run):
    samples = plan.dataset.subset("val")
    images = torch.stack([torch.as_tensor(sample.load_image()) for sample in samples])
    pixels = torch.nn.functional.interpolate(
        images.permute(0, 3, 1, 2).float(), (32, 32), mode="bilinear", antialias=True
    )
    with torch.no_grad():
        scores = run.load_model()(pixels.round() / 255).scores[:, plan.dataset.class_index["boat"]]
    there = torch.tensor(["boat" in sample.labels for sample in samples])
    return float(((scores > 0) == there).float().mean())
