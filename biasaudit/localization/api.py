"""The public function of localization; see docs/api.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from biasaudit.data.sample import Dataset
from biasaudit.exhaustion import exhaustion_told
from biasaudit.localization.measure import measure_localization
from biasaudit.localization.metrics import Localization
from biasaudit.localization.record import figures_of
from biasaudit.models.digest import weights_digest
from biasaudit.models.external import LoadedModel
from biasaudit.results import add_localization, folder_beside
from biasaudit.segmentation.subject import subject_of_attention
from biasaudit.training.run_directory import WEIGHTS, RunRecord, read_run


def localize(
    model: RunRecord | LoadedModel | str | Path,
    data: Dataset | None = None,
    *,
    object: str | None = None,
    subset: str = "test",
    device: str | None = None,
    save: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Localization:
    """Measure how well a model's attention localizes a class: boxes and pixels.

    Args:
        model: A run or an external model; or a run's folder.
        data: Images with regions; those of the run where None.
        object: The class; the dataset's own object where None.
        subset: What is reported; the thresholds are chosen on ``val``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``; the run's own where None.
        save: Whether to leave the figures in the run's folder (``localization.json``), where
            a report finds them.
        progress: Called with the images done so far and their total.

    Returns:
        ``max_box_acc``, ``max_box_acc_v2``, ``by_level``, ``px_ap``, ``top_1``, ``threshold``,
        ``threshold_v2``, ``n``, ``n_val`` and ``intervals`` by name.

    Raises:
        BiasAuditError: The model, the dataset or the class cannot be used, a subset has no
            region of the class, or the figures cannot be left where there is no folder.

    >>> import biasaudit as ba
    >>> data = ba.load_dataset("harbour", options={"train": 40, "val": 16, "group": 4})
    >>> found = ba.localize(ba.train(data, epochs=1), data)
    >>> found.n, 0 <= found.max_box_acc_v2 <= 1
    (8, True)
    """
    found = read_run(Path(model)) if isinstance(model, str | Path) else model
    path = None
    if save:
        own = found.path if isinstance(found, RunRecord) else None
        path = folder_beside(found.name, own, "run")
    with exhaustion_told():
        subject, dataset = subject_of_attention(found, data, device)
        name = dataset.check_object(object or dataset.object or found.classes[0])
        tell = progress or (lambda done, total: None)
        figures = measure_localization(subject, dataset, name, subset, tell)
    if path is not None:
        told = figures_of(figures, dataset.name, subset, name)
        add_localization(path, found.name, weights_digest(subject.model, path / WEIGHTS), told)
    return figures
