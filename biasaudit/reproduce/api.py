"""The public function of the paper's tables; see docs/api.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from biasaudit.data.sample import Dataset
from biasaudit.reproduce.prepare import prepared
from biasaudit.reproduce.run import carry_out
from biasaudit.reproduce.table import Reproduction
from biasaudit.reproduce.work import Watch


def reproduce(
    name: str,
    data: Dataset | str | Path | None = None,
    *,
    out: str | Path,
    seeds: Sequence[int] = (0,),
    split: str | None = None,
    note: Callable[[str], None] | None = None,
    **changes: Any,
) -> Reproduction:
    """Train and measure what a table of the GAIN paper shows, and set the paper's figures beside.

    What ``out`` holds already, finished, is not trained again; a training that stopped goes on.
    The tables of segmentation share their runs.

    Args:
        name: ``voc2012-table1`` to ``voc2012-table4``.
        data: A dataset, its name or its folder; PASCAL VOC 2012 where None.
        out: A folder for the runs, the segmenters and the table (``NAME.json``, ``NAME.csv``,
            written anew after each training).
        seeds: One or more; figures are means over them.
        split: Where Table 4 is measured; ``biased-boat`` where None.
        note: Called with each line that a user should read.
        changes: Settings over the protocol's: of a training as of :func:`biasaudit.train`, of the
            segmenters by dotted name (``{"segment.iterations": 100}``).

    Returns:
        ``lines``, a figure each with ``paper`` and ``ours`` in percent; ``notes``, what differs
        from the paper; ``to_dict()``, ``to_csv()``.

    Raises:
        BiasAuditError: Anything asked for does not exist or does not fit, the folder holds another
            training, training fails, or somebody stopped it (``RunInterruptedError``; the state is
            kept).

    >>> import tempfile
    >>> import biasaudit as ba
    >>> data = ba.load_dataset("harbour", options={"train": 40, "val": 8, "group": 4})
    >>> quick = {"segment.iterations": 2, "backbone": "harbournet", "epochs": 1}
    >>> found = ba.reproduce("voc2012-table2", data, out=tempfile.mkdtemp(), **quick)
    >>> [line.row for line in found.lines], found.lines[2].pixel_labels
    (['SEC (baseline)', 'GAIN', 'GAIN_ext'], 1464)
    """
    todo = prepared(name, data, Path(out), tuple(seeds), split, changes)
    return carry_out(todo, Watch() if note is None else Watch(note))
