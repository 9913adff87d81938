"""A protocol from its first training to its table."""

from __future__ import annotations

from pathlib import Path

from biasaudit.errors import RunError
from biasaudit.reproduce.images import record_images
from biasaudit.reproduce.prepare import Prepared
from biasaudit.reproduce.table import Reproduction
from biasaudit.reproduce.work import Measured, Watch, measure
from biasaudit.training.run_directory import make_folder


def carry_out(todo: Prepared, watch: Watch) -> Reproduction:
    """Train and measure what is not yet, and write the table after each training.

    Args:
        todo: The protocol, checked.
        watch: Who is told how it goes, and first of all what differs from the paper.

    Raises:
        BiasAuditError: The folder holds another training, a training fails, or somebody stopped
            it.
    """
    for line in todo.notes:
        watch.note(line)
    for job in todo.jobs:
        if (weights := job.lost) is not None:
            raise RunError(
                f"{weights}: is not there, though {weights.parent.name} was trained",
                f"remove {weights.parent}: it is trained again",
            )
    folder = make_folder(todo.out)
    record_images(folder / todo.protocol.task, todo.dataset)
    done: dict[Path, dict[str, Measured]] = {}
    for job in todo.jobs:
        if job.folder not in done:
            done[job.folder] = measure(job, todo.dataset, todo.metric, todo.split, watch)
            todo.table(done).save(folder)
    return todo.table(done)
