"""Memory that runs out: each verb names a way out that it takes."""

import re

import pytest
import torch
from command_line import verbs

MACHINE, GPU = MemoryError, torch.OutOfMemoryError
OTHERS = "end other programs, which take memory too"
CPU = "use --device cpu"
SEGMENT = "lower --set segment.batch_size or --set segment.image_size"


@pytest.mark.parametrize(
    ("words", "work", "error", "hint"),
    [
        ("evaluate", "evaluation.audit.one_pass", MACHINE, "lower --batch-size or --workers"),
        ("localize", "localization.api.measure_localization", MACHINE, OTHERS),
        ("localize", "localization.api.measure_localization", GPU, CPU),
        ("segment train --out new", "segmentation.api.segmenter_into", MACHINE, SEGMENT),
        ("segment train --out new", "segmentation.api.segmenter_into", GPU, SEGMENT),
        ("segment cues --out new", "segmentation.api.cues_by_image", MACHINE, OTHERS),
        ("segment cues --out new", "segmentation.api.cues_by_image", GPU, CPU),
        ("repair --pixel-labels 6", "training.repair.record.repair_run", MACHINE, OTHERS),
        (
            "repair --pixel-labels 6 --foregrounds sec",
            "training.repair.record.repair_run",
            GPU,
            SEGMENT,
        ),
    ],
)
def test_the_way_out_is_one_of_the_verb(biasaudit, trained, monkeypatch, words, work, error, hint):
    trained("run")

    def run_out(*_, **__):
        raise error("CUDA out of memory" if error is GPU else "")

    monkeypatch.setattr(f"biasaudit.{work}", run_out)
    answer = biasaudit(*words.split(), "--run", "run")
    what = "the GPU" if error is GPU else "this machine"
    assert answer.code == 3
    assert answer.err.splitlines()[-1] == f"error: {what} is out of memory; {hint}"
    name = words.split(" --")[0]
    options = {option for parameter in verbs()[name].params for option in parameter.opts}
    assert set(re.findall(r"--[a-z-]+", hint)) <= options
