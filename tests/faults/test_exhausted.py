"""Disks that are full, folders that vanish, memory that runs out: said, and nothing lost."""

import errno
import resource
import shutil
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import killing
import pytest
import torch

import biasaudit as ba
from biasaudit.errors import RunError, RunFailedError
from biasaudit.results import Audit, sole_writer, write_whole
from biasaudit.training.run_directory import read_run


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 900 kB: enough for a first state of harbournet, not for two."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", place], capture_output=True
    )
    if made.returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)


class Then:
    """Does something after the first epoch."""

    def __init__(self, what):
        self._what, self._told = what, False

    def start(self, epochs, steps):
        pass

    def step(self, epoch, total):
        pass

    def epoch(self, metrics):
        if not self._told:
            self._what()
        self._told = True


def trained(folder, what=lambda: None, **options):
    data, settings = killing.settings("baseline")
    return ba.train(data, settings=settings, out=folder, progress=Then(what), **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return (trained(tmp_path_factory.mktemp("whole") / "run").path / WEIGHTS).read_bytes()


WEIGHTS = "weights.safetensors"


def named_elsewhere(error):
    """Return the folder that an error says the result is in."""
    return Path(str(error.value).split("it is in ")[1].split("; ")[0])


def fill(folder):
    with (folder / "filler").open("wb", buffering=0) as stream, suppress(OSError):
        while True:
            stream.write(b"0" * 512)


def test_a_full_disk_at_the_last_write_loses_nothing(small_disk, whole):
    notes, folder = [], small_disk / "run"
    with pytest.raises(RunFailedError, match="No space left on device") as error:
        trained(folder, lambda: fill(small_disk), note=notes.append)
    assert error.value.exit_code == 3
    other = named_elsewhere(error)
    assert (other / WEIGHTS).read_bytes() == whole
    assert read_run(other).name == "run"  # as the folder that was asked for
    shutil.rmtree(other)
    assert len([line for line in notes if "cannot be kept" in line]) == 1
    assert not list(folder.glob("*.partial"))
    # with space again, the training that is still there goes on to the same weights
    (small_disk / "filler").unlink()
    shutil.copytree(folder, small_disk.parent / "moved")
    again = trained(small_disk.parent / "moved", resume=True)
    assert (again.path / WEIGHTS).read_bytes() == whole


def test_a_disk_that_takes_no_state_is_found_before_the_first_step(small_disk):
    fill(small_disk)
    with pytest.raises(RunError, match="cannot be written to") as error:
        trained(small_disk / "run")
    assert error.value.exit_code == 2
    assert [file.name for file in small_disk.iterdir()] == ["filler"]


def test_a_folder_that_vanishes_while_it_is_trained_into(tmp_path, whole):
    folder = tmp_path / "run"
    with pytest.raises(RunFailedError, match="No such file or directory") as error:
        trained(folder, lambda: shutil.rmtree(folder))
    assert (named_elsewhere(error) / WEIGHTS).read_bytes() == whole
    shutil.rmtree(named_elsewhere(error))


def test_a_working_directory_that_vanishes(tmp_path, monkeypatch, whole):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(RunFailedError) as error:
        trained("run", lambda: shutil.rmtree(tmp_path / "here"))
    monkeypatch.chdir(tmp_path)
    assert (named_elsewhere(error) / WEIGHTS).read_bytes() == whole
    shutil.rmtree(named_elsewhere(error))


def test_nowhere_to_write_keeps_the_state(tmp_path, whole):
    folder = tmp_path / "run"
    assert killing.run(small_files, folder, tmp_path / "said")[0]
    said = (tmp_path / "said").read_text()
    assert said.startswith("3 ")
    assert "nor in a folder for temporary files" in said
    assert not list(folder.glob("*.partial"))
    assert (trained(folder, resume=True).path / WEIGHTS).read_bytes() == whole


def small_files(folder, said):
    """Train, and from the second epoch on write no file larger than 20 kB."""
    torch.set_num_threads(1)
    try:
        trained(folder, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)))
    except RunFailedError as error:
        said.write_text(f"{error.exit_code} {error}")


def test_an_audit_that_cannot_be_written_is_elsewhere_and_the_old_one_stands(small_disk):
    run = trained(small_disk.parent / "run")
    audit = ba.audit(run)
    old = audit.save(small_disk / "audit")
    before = {file.name: file.read_bytes() for file in old.iterdir()}
    fill(small_disk)
    with pytest.raises(RunFailedError, match="No space left on device") as error:
        audit.save(old)
    assert {file.name: file.read_bytes() for file in old.iterdir()} == before
    assert Audit.load(named_elsewhere(error)).name == audit.name
    shutil.rmtree(named_elsewhere(error))


def test_a_repaired_run_is_whole_or_not_there(small_disk):
    run = trained(small_disk.parent / "run")
    fill(small_disk)
    with pytest.raises(RunFailedError) as error:
        run.save(small_disk / "copy")
    assert [file.name for file in small_disk.iterdir()] == ["filler"]
    assert read_run(named_elsewhere(error)).name == run.name
    shutil.rmtree(named_elsewhere(error))


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_is_written_whole_or_left_as_it_was(tmp_path, there):
    folder = tmp_path / "new"
    if there:
        folder.mkdir()

    def write(place):
        (place / "first").write_text("1")
        raise OSError(errno.ENOSPC, "full")

    with pytest.raises(OSError, match="full"):
        write_whole(folder, write)
    assert [file.name for file in tmp_path.rglob("*")] == ["new"] * there
    write_whole(folder, lambda place: (place / "first").write_text("1"))
    assert [file.name for file in folder.iterdir()] == ["first"]


def test_memory_that_runs_out_names_the_setting_to_lower(tmp_path):
    assert killing.run(little_memory, tmp_path / "run", tmp_path / "said")[0]
    said = (tmp_path / "said").read_text()
    assert said.startswith("3 ")
    assert "out of memory" in said
    assert "batch_size" in said
    assert not (tmp_path / "run").exists()


def little_memory(folder, said):
    torch.set_num_threads(1)
    data, settings = killing.settings("baseline", image_size=256, batch_size=48)
    torch.nn.Conv2d(3, 3, 3)(torch.zeros(1, 3, 8, 8))  # whatever is loaded at the first use
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + 80_000_000
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        ba.train(data, settings=settings, out=folder)
    except RunFailedError as error:
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
        said.write_text(f"{error.exit_code} {error}")


class Refusing:
    """A training whose first step ends in an exception."""

    def __init__(self, error):
        self._error = error

    def start(self, epochs, steps):
        raise self._error

    def step(self, epoch, total):
        pass

    def epoch(self, metrics):
        pass


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."), "the GPU is out"),
        (MemoryError(), "this machine is out of memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "this machine is out of memory"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "), "was killed"),
        (RuntimeError("unable to write to file </torch_12_3>"), "processes share is full"),
    ],
)
def test_each_way_to_run_out_says_what_to_lower(tmp_path, error, said):
    data, settings = killing.settings("baseline")
    with pytest.raises(RunFailedError, match=said) as told:
        ba.train(data, settings=settings, out=tmp_path / "run", progress=Refusing(error))
    assert told.value.exit_code == 3
    loading = "processes" in said or "killed" in said
    assert told.value.hint == (
        "lower workers or batch_size"
        if loading
        else "lower batch_size or image_size, or try batch_size=auto"
    )
    assert not (tmp_path / "run").exists()


def test_other_errors_are_no_lack_of_anything(tmp_path):
    data, settings = killing.settings("baseline")
    with pytest.raises(RuntimeError, match="a defect"):
        ba.train(data, settings=settings, progress=Refusing(RuntimeError("a defect")))


def test_two_trainings_of_one_folder_are_refused_and_disturb_nothing(tmp_path, whole):
    folder, refused = tmp_path / "run", []

    def second():
        with pytest.raises(RunError, match="another training writes there") as error:
            trained(folder)
        refused.append(error.value.exit_code)

    def other_process():  # a lock is of one open file: a thread stands for a process
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()

    first = trained(folder, other_process)
    assert refused == [2]
    assert (first.path / WEIGHTS).read_bytes() == whole
    assert not list(folder.glob("*.lock"))


def test_two_trainings_that_choose_a_name_take_two(tmp_path):
    data, settings = killing.settings("baseline", epochs=1)
    paths = []

    def second():
        paths.append(ba.train(data, settings=settings, parent=tmp_path).path)

    paths.append(ba.train(data, settings=settings, parent=tmp_path, progress=Then(second)).path)
    assert sorted(path.name for path in paths) == ["baseline-seed0", "baseline-seed0-2"]


def test_a_lock_file_of_a_dead_process_holds_nobody_up(tmp_path):
    (tmp_path / "a.lock").write_text("")
    with (
        sole_writer(tmp_path / "a.lock"),
        pytest.raises(TimeoutError),
        sole_writer(tmp_path / "a.lock"),
    ):
        pass
    assert not (tmp_path / "a.lock").exists()
