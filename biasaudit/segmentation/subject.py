"""Whose attention gives cues, and on which images."""

from __future__ import annotations

from collections.abc import Sequence

from biasaudit.config import DataSettings
from biasaudit.data.catalogue import dataset_of, load_dataset
from biasaudit.data.sample import Dataset
from biasaudit.errors import DataError
from biasaudit.evaluation.predict import Subject
from biasaudit.models.external import LoadedModel
from biasaudit.training.device import make_accelerator
from biasaudit.training.run_directory import RunRecord

_BATCH = 32


def subject_of_attention(
    model: RunRecord | LoadedModel, data: Dataset | None, device: str | None
) -> tuple[Subject, Dataset]:
    """Return the classifier whose attention gives cues, and the dataset of the images.

    Args:
        model: A run or an external model.
        data: The dataset; that of the run, or the embedded scenes, where None.
        device: Where to compute; the run's own where None.

    Raises:
        BiasAuditError: The device is not there, or the dataset lacks a class of the model.
    """
    if isinstance(model, RunRecord):
        own = model.settings.data
        dataset = data or dataset_of(own)
        place = make_accelerator(device or model.settings.training.device, "fp32").device
        network, side, cache = model.load_model(), int(own.image_size or 0), own.cache_folder
    else:
        dataset = data or load_dataset("harbour")
        place = make_accelerator(device or "auto", "fp32").device
        network, side = model.network, model.external.image_size
        cache = DataSettings().cache_folder
    check_classes(model.name, model.classes, dataset)
    return Subject(network.to(place), model.classes, side, place, _BATCH, cache=cache), dataset


def check_classes(name: str, classes: Sequence[str], dataset: Dataset) -> None:
    """Refuse a dataset whose image-level labels lack a class of a model.

    Raises:
        DataError: One is missing.
    """
    missing = [one for one in classes if one not in dataset.classes]
    if missing:
        raise DataError(
            f"{dataset.root or dataset.name}: {name} knows the class '{missing[0]}', which the "
            "dataset does not label",
            "give a dataset with the classes of its training",
            field="data.name",
        )
