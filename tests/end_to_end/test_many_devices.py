"""Two processes that talk by gloo: the weights, the results and the repair of one."""

import json
import os
import subprocess
import sys

import pytest
import two_processes
from safetensors.torch import load_file

from biasaudit.guidance.modes import MODES
from biasaudit.training.checkpoint import CHECKPOINT

WEIGHTS = "weights.safetensors"
TRAINED = [
    *MODES,
    "rfga",
    *(f"{how}-{m}" for m in ("gain_ext", "rrr", "counterfactual") for how in ("uneven", "one")),
]
SMALL = [
    "--set", "data.options.train=44", "--set", "data.options.val=13",
    "--set", "data.options.group=6", "--image-size", "32", "--epochs", "2", "--device", "cpu",
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Every mode trained by one process and by two, with the same images a step."""
    folder = tmp_path_factory.mktemp("trained")
    for count in (1, 2):
        (folder / str(count)).mkdir()
        codes = two_processes.run(two_processes.every_mode, folder / str(count), count=count)
        assert codes == [0] * count, two_processes.printed(folder / str(count), count - 1)
    return folder


@pytest.mark.parametrize("name", TRAINED)
def test_two_processes_train_to_the_weights_of_one(trained, name):
    one, two = (load_file(trained / count / name / WEIGHTS) for count in ("1", "2"))
    for key in one:
        assert (one[key] - two[key]).abs().max().item() < 1e-5, key


@pytest.mark.slow
def test_in_single_precision_two_processes_have_the_gradients_of_one(tmp_path):
    for count in (1, 2):
        (tmp_path / str(count)).mkdir()
        codes = two_processes.run(two_processes.every_gradient, tmp_path / str(count), count=count)
        assert codes == [0] * count, two_processes.printed(tmp_path / str(count), count - 1)
    for mode in MODES:
        one, two = (
            load_file(tmp_path / count / f"{mode}.safetensors")["gradients"] for count in "12"
        )
        apart = (one - two).abs().amax(dim=1) / one.abs().amax(dim=1)
        # a unit within rounding of a ReLU's corner is on in one sum and off in the other, which
        # few steps meet: then one process is as far from itself in float64
        assert apart.median().item() < 1e-5, mode


@pytest.mark.parametrize("name", ["baseline", "gain_ext", "counterfactual"])
def test_two_processes_write_the_metrics_of_one(trained, name):
    one, two = ((trained / c / name / "metrics.csv").read_text() for c in ("1", "2"))
    for first, second in zip(one.splitlines()[1:], two.splitlines()[1:], strict=True):
        values = [[float(v) for v in line.split(",") if v] for line in (first, second)]
        assert values[0] == pytest.approx(values[1], rel=1e-4)


def test_two_processes_audit_and_repair_to_the_bytes_of_one(trained, tmp_path):
    run = trained / "1" / "gain_ext"
    for count in (1, 2):
        (tmp_path / str(count)).mkdir()
        codes = two_processes.run(two_processes.audited, tmp_path / str(count), run, count=count)
        assert codes == [0] * count, two_processes.printed(tmp_path / str(count), count - 1)
    for name in ("results.json", "per_image.csv", "classes.csv", "maps.npz", "gallery.npz"):
        one, two = ((tmp_path / c / "audit" / name).read_bytes() for c in ("1", "2"))
        assert one == two, name
    for folder in ("repaired", "propagated"):
        for name in (WEIGHTS, "repair.json", "operating_points.json"):
            one, two = ((tmp_path / c / folder / name).read_bytes() for c in ("1", "2"))
            assert one == two, name


def words(out, *more, epochs=2):
    return [
        "train", *SMALL, "--batch-size", "4", "--epochs", str(epochs), "--out", str(out), *more
    ]  # fmt: skip


def test_a_process_that_dies_ends_the_other_with_a_message(tmp_path):
    out = tmp_path / "run"
    codes = two_processes.run(two_processes.command, tmp_path, words(out), 2)
    assert codes == [3, -9]
    told = two_processes.printed(tmp_path, 0)
    assert told.splitlines()[-1] == (
        "error: another process ended, and no other can go on without it; its own message says why"
    )
    assert "Traceback" not in told
    assert not (out / WEIGHTS).exists()
    assert not (out / CHECKPOINT).exists()  # nothing of worth was kept


def test_a_process_that_cannot_load_ends_and_the_other_with_it(tmp_path):
    given = words(tmp_path / "run", "--workers", "1")
    assert two_processes.run(two_processes.unreadable, tmp_path, given, seconds=60) == [3, 2]
    assert two_processes.printed(tmp_path, 1) == (
        "process 2 of 2: error: 3.png: not an image that can be read\n"
    )
    assert two_processes.printed(tmp_path, 0).splitlines()[-1].startswith("error: another process")


def test_what_a_lost_process_leaves_is_gone_on_with_by_as_many(tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "run"
    assert two_processes.run(two_processes.command, tmp_path, words(whole)) == [0, 0]
    # 5 steps an epoch: the second one is begun
    assert two_processes.run(two_processes.command, tmp_path, words(out), 7) == [3, -9]
    assert (out / CHECKPOINT).exists()
    assert not (out / WEIGHTS).exists()
    alone = two_processes.run(two_processes.command, tmp_path, words(out, "--resume"), count=1)
    assert alone == [2]
    assert "was begun by 2 processes, not 1; start 2 of them" in two_processes.printed(tmp_path, 0)
    assert two_processes.run(two_processes.command, tmp_path, words(out, "--resume")) == [0, 0]
    assert (out / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes()
    again = two_processes.run(two_processes.command, tmp_path, words(out, "--resume"))
    assert again == [0, 0]
    assert "finished already" in two_processes.printed(tmp_path, 0)


def test_a_signal_to_one_process_stops_both_after_the_same_step(tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "run"
    assert two_processes.run(two_processes.command, tmp_path, words(whole)) == [0, 0]
    assert two_processes.run(two_processes.stopped, tmp_path, words(out), 3) == [130, 130]
    assert "stopped after step 3 of epoch 1, and kept" in two_processes.printed(tmp_path, 0)
    assert two_processes.run(two_processes.command, tmp_path, words(out, "--resume")) == [0, 0]
    assert (out / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes()


def test_what_the_first_process_refuses_the_others_refuse_too(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    codes = two_processes.run(two_processes.command, tmp_path, words(tmp_path / "run"))
    assert codes == [2, 2]
    first, second = (two_processes.printed(tmp_path, number) for number in (0, 1))
    line = f"error: --out {tmp_path / 'run'}: is not an empty folder; name another one\n"
    assert first == line
    assert second == f"process 2 of 2: {line}"
    codes = two_processes.run(two_processes.command, tmp_path, ["report"])
    assert codes == [2, 2]
    assert "report: is the work of one process, and 2 were started" in (
        two_processes.printed(tmp_path, 0)
    )


@pytest.mark.slow
def test_torchrun_trains_and_two_processes_evaluate(tmp_path):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    here = {**os.environ, "OMP_NUM_THREADS": "1"}
    start = [*torchrun, "--nproc-per-node", "2", "-m", "--", "biasaudit"]
    given = words(tmp_path / "run", epochs=1)
    done = subprocess.run([*start, *given], env=here, capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path / 'run'}\n"  # of two processes, one line
    assert '"processes": 2' in (tmp_path / "run" / "environment.json").read_text()
    given = ["evaluate", "--run", str(tmp_path / "run"), "--json", "--quiet"]
    assert two_processes.run(two_processes.command, tmp_path, given) == [0, 0]
    shown, written = (
        json.loads(text)["runs"]
        for text in (
            two_processes.printed(tmp_path, 0),
            (tmp_path / "run" / "results.json").read_text(),
        )
    )
    assert shown == written
    assert two_processes.printed(tmp_path, 1) == ""
