"""The front door in Python: what the command line calls, and a script or a notebook.

::

    import biasaudit as ba

    data = ba.load_dataset("harbour")
    base = ba.train(data, "baseline")
    guided = ba.train(data, "gain_ext", pixel_labels=78)
    audits = [ba.audit(model, data) for model in (base, guided)]
    print(audits[0].verdict)
    print(ba.compare(*audits))
    ba.report(audits, "report.html")

Nothing here prints. Notes for the user go to the callback ``note``, progress to ``progress``.
Errors are :class:`biasaudit.errors.BiasAuditError` and carry the name of the argument or setting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biasaudit import processes
from biasaudit.errors import named_field
from biasaudit.exhaustion import exhaustion_told

if TYPE_CHECKING:
    from biasaudit.analysis import Comparisons
    from biasaudit.config import Settings
    from biasaudit.data.sample import Dataset
    from biasaudit.models.external import LoadedModel
    from biasaudit.report import Report
    from biasaudit.results import Audit
    from biasaudit.training.loop import Progress
    from biasaudit.training.run_directory import RunRecord

Note = Callable[[str], None]
"""Called with one line that a user should read."""
Count = Callable[[int, int], None]
"""Called with the images done so far, and their total."""


def _ignore(line: str) -> None:
    """Take a note that nobody asked for."""


def load_dataset(
    name: str | Path = "harbour",
    *,
    object: str | None = None,
    context: str | None = None,
    options: Mapping[str, Any] | None = None,
    on_error: str = "stop",
) -> Dataset:
    """Load a dataset.

    Args:
        name: A built-in dataset, or a folder that holds a ``dataset.toml``.
        object: The object to audit; the dataset's own where None.
        context: Its suspected context; the dataset's own where None, if the object is too.
        options: Settings of a built-in dataset, such as ``{"train": 1000}``.
        on_error: ``skip`` reads every image first and leaves out those that cannot be read, which
            ``skipped`` of the dataset lists; ``stop`` refuses such an image when it is needed.

    Raises:
        DataError: No such dataset, object or context, or it cannot be used.

    >>> data = load_dataset("harbour", options={"train": 8, "val": 4, "group": 2})
    >>> data.object, data.context, len(data.subset("train"))
    ('boat', 'water', 8)
    """
    from biasaudit.data.catalogue import checked_on_error
    from biasaudit.data.catalogue import load_dataset as load

    dataset = load(str(name), options, on_error=checked_on_error(on_error))
    if object is not None:
        own = dataset.check_object(object) == dataset.object
        dataset = replace(
            dataset, object=object, context=dataset.context if own else None, pairs=()
        )
    if context is not None:
        dataset = replace(dataset, context=dataset.check_context(context), pairs=())
    return dataset


def load_model(
    model: str,
    state: str | Path | None = None,
    *,
    classes: Sequence[str] | str,
    layer: str | None = None,
    normalise: str = "imagenet",
    scores: str = "auto",
    image_size: int = 224,
    name: str | None = None,
) -> LoadedModel:
    """Load a model that was trained elsewhere.

    Args:
        model: A torchvision or timm name, or ``package.module:factory``, which is imported and
            run: name only what you trust.
        state: State-dict file (safetensors or torch); may be None for a factory.
        classes: Class of each score, in order; or a file with one a line.
        layer: Attention layer; found by a probe where None.
        normalise: ``imagenet``, ``none``, or ``M,M,M/S,S,S``.
        scores: ``sigmoid`` where every class is answered for itself, ``softmax`` where one is
            chosen; ``auto`` infers it from the scores of a few random images.
        image_size: Side of the square input in px.
        name: What the audit calls the model; the state file's name where None.

    Raises:
        ConfigError: Anything of it does not exist or does not fit.

    >>> import tempfile, torch, torchvision
    >>> file = Path(tempfile.mkdtemp()) / "mine.pth"
    >>> torch.save(torchvision.models.resnet18(num_classes=2).state_dict(), file)
    >>> model = load_model("resnet18", file, classes=["boat", "car"], image_size=64)
    >>> model.name, model.classes, model.network.layer
    ('mine', ('boat', 'car'), 'layer4')
    """
    from biasaudit.models.external import ExternalModel, load_external
    from biasaudit.training.repair.record import read_external_repair

    listed = classes if isinstance(classes, str) else tuple(classes)
    path = None if state is None else Path(state)
    repaired = None if path is None else read_external_repair(path)
    called, record = repaired or (None, None)
    loaded = load_external(
        ExternalModel(model, path, listed, layer, normalise, scores, image_size), name or called
    )
    return replace(loaded, repair=record)


def settings_for(data: Dataset, mode: str, **changes: Any) -> Settings:
    """Return the settings of a training.

    Args:
        data: What to train on.
        mode: A registered mode.
        changes: Dotted settings (``{"training.epochs": 3}``), or their last parts where those
            name one setting alone (``epochs=3``); None values are passed over.

    Raises:
        ConfigError: An unknown setting, or a value that does not fit.

    >>> data = load_dataset("harbour", options={"train": 8, "val": 4, "group": 2})
    >>> settings_for(data, "gain_ext", pixel_labels=4, epochs=1).data.pixel_labels
    4
    """
    from biasaudit.config import load_settings, setting_named

    asked = {setting_named(key): value for key, value in changes.items()}
    own = {
        "data.name": data.origin,
        "data.object": data.object,
        "data.context": data.context,
        "data.options": dict(data.options) or None,
        "training.mode": mode,
    }
    return load_settings(None, (), {**own, **asked})


def train(
    data: Dataset,
    mode: str = "baseline",
    *,
    pixel_labels: int = 0,
    box_labels: int = 0,
    seed: int = 0,
    out: str | Path | None = None,
    parent: str | Path | None = None,
    resume: bool = False,
    settings: Settings | None = None,
    note: Note | None = None,
    progress: Progress | None = None,
    **changes: Any,
) -> RunRecord:
    """Train a classifier, guided or not.

    Args:
        data: What to train on; its object and context are those that the labels speak of.
        mode: A registered mode: ``biasaudit list modes``.
        pixel_labels: How many training images of the object give their pixel label.
        box_labels: How many more give their bounding box.
        seed: Of everything that is drawn.
        out: An empty folder for the run, which takes its name; None keeps it in memory
            (``run.save(folder)``).
        parent: In place of ``out`` a folder that gets a new one for the run, called by mode,
            labels and seed.
        resume: Go on with the training that stopped in ``out``, or in the last folder of this
            name in ``parent``: the weights are those of a training that never stopped, on the
            CPU bit for bit. One that is finished is returned as it is; where none was begun, one
            begins. Without a folder nothing is kept, and Ctrl-C raises KeyboardInterrupt.
        settings: Settings in place of the mode, the labels, the seed and ``changes``.
        note: Called with each line that a user should read.
        progress: Told of every step and epoch.
        changes: Further settings, such as ``epochs=3``, ``backbone="mobilenet_v2"``,
            ``plugins=["mypackage.audit"]``.

    Raises:
        BiasAuditError: Anything asked for does not exist or does not fit, training fails, or
            somebody stopped it (``RunInterruptedError``; the state is kept in the folder).

    >>> data = load_dataset("harbour", options={"train": 40, "val": 8, "group": 4})
    >>> run = train(data, "gain_ext", pixel_labels=4, epochs=1)
    >>> run.name, run.classes
    ('gain_ext-4-seed0', ('boat', 'car', 'house', 'tree'))
    """
    from biasaudit.training.batch_size import sized_together
    from biasaudit.training.loop import Silent
    from biasaudit.training.loop import train as train_loop
    from biasaudit.training.plan import make_plan
    from biasaudit.training.resumable import Place, train_into
    from biasaudit.training.run_directory import RunRecord, check_one_place

    check_one_place(out, parent)
    settings = settings or settings_for(
        data, mode, pixel_labels=pixel_labels, box_labels=box_labels, seed=seed, **changes
    )
    told = exhaustion_told(
        "training.batch_size",
        "data.image_size",
        workers="training.workers",
        hint=f"try {named_field('training.batch_size', 'auto')}",
    )
    with processes.together(settings.training.device), told:
        plan = make_plan(settings, data)
        for line in plan.notes:
            (note or _ignore)(line)
        listener = progress or Silent()
        if out is None and parent is None:
            plan = sized_together(plan, note or _ignore)
            return RunRecord.of(plan, train_loop(plan, listener))
        place = Place(_path(out), _path(parent), resume)
        return train_into(plan, place, listener, note or _ignore)


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)


def repair(
    model: RunRecord | LoadedModel | str | Path,
    data: Dataset | None = None,
    *,
    object: str | None = None,
    out: str | Path | None = None,
    parent: str | Path | None = None,
    progress: Callable[[str, int], None] | None = None,
    **settings: Any,
) -> RunRecord | LoadedModel:
    """Refit the audited class's row of a trained model's last layer on edited images.

    Only that row changes: the scores of all other classes stay bit for bit. The recipe is chosen
    by cross-validation on training images and edits of the labelled ones, with val as a guard;
    no counterfactual image is seen.

    Args:
        model: From :func:`train`, :func:`load_run` or :func:`load_model`; or a run's folder.
        data: Its training images, with val; the dataset that a run was trained on where None.
        object: The object to repair; the run's or the dataset's own where None.
        out: An empty folder for the repaired model; None keeps it in memory.
        parent: In place of ``out`` a folder that gets a new one, called by the model and the
            labels spent.
        progress: Called with what is counted (``images``, ``edits``, ``recipes``, ``steps``,
            ``masks``) and how many.
        settings: Of :class:`biasaudit.config.RepairSettings`: ``pixel_labels`` (78),
            ``box_labels``, ``max_val_loss`` (.02), ``seed``, ``refits``, ``edits``, ``cache``,
            ``regions``, ``context_labels``, ``foregrounds`` (``"labelled"``), ``segment``.
            A setting left out or None keeps its default; the seed is then a run's own.

    Returns:
        What was given, repaired: a run for a run, an external model for one.

    Raises:
        BiasAuditError: Too few labels, no linear last layer, or no recipe that keeps val.

    >>> data = load_dataset("harbour", options={"train": 80, "val": 16, "group": 4})
    >>> mended = repair(train(data, epochs=1), data, pixel_labels=10, max_val_loss=0.99)
    >>> type(mended).__name__, mended.classes
    ('RunRecord', ('boat', 'car', 'house', 'tree'))
    """
    from biasaudit.cases import subject_of_repair
    from biasaudit.config import repair_settings
    from biasaudit.results import try_folder
    from biasaudit.segmentation.foregrounds import finder_of
    from biasaudit.training.repair.record import repair_external, repair_run, save_external
    from biasaudit.training.run_directory import RunRecord, check_one_place, prepare, unused

    check_one_place(out, parent)
    if isinstance(model, str | Path):
        model = load_run(model)
    own = {"seed": model.settings.training.seed} if isinstance(model, RunRecord) else {}
    chosen = repair_settings(own | {key: v for key, v in settings.items() if v is not None})
    dataset, name = subject_of_repair(model, data, object)
    finder = finder_of(model, dataset, name, chosen)
    tell = progress or (lambda what, count: None)
    lower = ("segment.batch_size", "segment.image_size") if chosen.foregrounds == "sec" else ()
    if parent is not None:
        try_folder(Path(parent))
    elif out is not None:
        prepare(Path(out))
    if isinstance(model, RunRecord):
        with processes.together("cpu"), exhaustion_told(*lower):
            run = repair_run(model, dataset, name, chosen, tell, finder)
        if not processes.first():
            return run
        place = unused(Path(parent), run.name) if parent is not None else out
        if place is None:
            return run
        return (run.called(Path(place)) if parent is None else run).save(Path(place))
    with processes.together("cpu"), exhaustion_told(*lower):
        external = repair_external(model, dataset, name, chosen, tell, finder)
    if not processes.first():
        return external
    place = unused(Path(parent), external.name) if parent is not None else out
    return external if place is None else save_external(external, Path(place))


def load_run(folder: str | Path) -> RunRecord:
    """Read a finished run; the plug-ins that it was trained with are imported.

    Raises:
        RunError: The folder holds none, or an unfinished one.
        ConfigError: A plug-in cannot be imported.

    >>> import tempfile
    >>> data = load_dataset("harbour", options={"train": 40, "val": 8, "group": 4})
    >>> run = train(data, epochs=1, out=Path(tempfile.mkdtemp()) / "first")
    >>> load_run(run.path).name
    'first'
    """
    from biasaudit.training.run_directory import read_run

    return read_run(Path(folder))


def audit(
    model: RunRecord | LoadedModel | str | Path,
    data: Dataset | None = None,
    *,
    splits: Sequence[str] = (),
    object: str | Sequence[str] | None = None,
    context: str | Sequence[str] | None = None,
    faithfulness: bool = False,
    all_pairs: bool = False,
    maps: bool = False,
    device: str | None = None,
    batch_size: int | None = None,
    workers: int = 0,
    cache: str | None = None,
    on_error: str | None = None,
    note: Note | None = None,
    progress: Count | None = None,
) -> Audit:
    """Audit a model on counterfactual groups.

    Args:
        model: From :func:`train`, :func:`load_run` or :func:`load_model`; or a run's folder.
        data: What to audit on; the dataset that a run was trained on where None.
        splits: Split names; ``val`` is always measured. Where none is named, ``biased-OBJECT``,
            or the test subsets of a dataset without context.
        object: The object to audit, or several; the run's or the dataset's own where None.
        context: Its suspected context, likewise. Several of either are audited each with each,
            every pair on its own split (``biased-OBJECT``, or ``biased-OBJECT@CONTEXT`` where an
            object has several), and the verdicts are corrected for their number.
        faithfulness: Also erase what the attention marks, and measure how far the score falls.
        all_pairs: Also answer every other object-context pair of the dataset.
        maps: Also keep the attention map of every image.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``; the run's own where None.
        batch_size: Images a pass.
        workers: Processes that load images.
        cache: Where decoded images stay: ``memory``, ``off`` or a folder.
        on_error: Of a run's own dataset: ``skip`` leaves out images that cannot be read; as it
            was trained where None.
        note: Called with each line that a user should read.
        progress: Called with the images done so far and their total.

    Raises:
        BiasAuditError: The model, the dataset or a split cannot be used.

    >>> data = load_dataset("harbour", options={"train": 40, "val": 8, "group": 4})
    >>> found = audit(train(data, epochs=1), data)
    >>> list(found.run.splits), list(found.run.splits["biased-boat"].groups)[:2]
    (['val', 'biased-boat'], ['boat-without-water', 'water-without-boat'])
    >>> found.verdict.kind
    'cannot_tell'
    """
    from biasaudit.cases import Loading, Question, case_of
    from biasaudit.evaluation import audit as evaluation
    from biasaudit.training.run_directory import RunRecord

    if isinstance(model, str | Path):
        model = load_run(model)
    question = Question(tuple(splits), *_pair_or_pairs(model, data, object, context))
    loading = Loading(device, batch_size, workers, cache, on_error)
    own = model.settings.training.device if isinstance(model, RunRecord) else "auto"
    told = exhaustion_told("batch_size", "workers", workers="workers")
    with processes.together(device or own), told:
        case = case_of(model, data, question, loading, note or _ignore)
        request = evaluation.Request(faithfulness, all_pairs, maps)
        total, done = evaluation.passes_of(case), 0

        def tell(count: int) -> None:
            nonlocal done
            done = min(done + count * processes.count(), total)
            if progress is not None:
                progress(done, total)

        return evaluation.audit(case, request, tell)


def _pair_or_pairs(
    model: RunRecord | LoadedModel,
    data: Dataset | None,
    object: str | Sequence[str] | None,
    context: str | Sequence[str] | None,
) -> tuple[str | None, str | None, tuple[tuple[str, str], ...]]:
    """Return one object and context, or the pairs of several."""
    from biasaudit.cases import several_pairs

    objects, contexts = (
        [] if names is None else [names] if isinstance(names, str) else list(names)
        for names in (object, context)
    )
    if len(objects) > 1 or len(contexts) > 1:
        return None, None, several_pairs(model, data, objects, contexts)
    return next(iter(objects), None), next(iter(contexts), None), ()


def compare(
    first: Audit, second: Audit, *, splits: Sequence[str] = (), seed: int = 0
) -> Comparisons:
    """Compare two audits on the same images: better, worse, or no difference shown.

    Args:
        first: The audit to compare with.
        second: The audit that is judged.
        splits: Which; all that both measured where none is named, those with groups first.
        seed: Of the bootstrap.

    Returns:
        By split. Each figure has its paired difference, its interval, its p-value, also after
        Holm, and what it shows; and the images whose answer changed are named. It prints one line
        a figure; ``table`` has them as a DataFrame.

    Raises:
        RunError: They were not made on the same images, or have no per-image table.
        ConfigError: A split that one of them did not measure.

    >>> data = load_dataset("harbour", options={"train": 40, "val": 8, "group": 4})
    >>> first, second = (audit(train(data, seed=seed, epochs=1), data) for seed in (0, 1))
    >>> found = compare(first, second)
    >>> list(found)
    ['biased-boat', 'val']
    >>> found["biased-boat"].outcome
    'no difference shown'
    """
    from biasaudit.analysis import compare_audits

    return compare_audits(first, second, tuple(splits), seed)


def report(
    audits: Audit | Sequence[Audit | str | Path],
    out: str | Path | None = None,
    *,
    gallery: int = 20,
    model_card: bool = False,
) -> Report:
    """Render audits as one self-contained report.

    What :func:`biasaudit.localize` saved in a run's folder stands in it, and what
    :func:`biasaudit.evaluate_segmenter` saved in a segmenter's.

    Args:
        audits: From :func:`audit`; or folders of runs that were audited or localized, and of
            segmenters that were evaluated.
        out: Where to write it. The suffix decides the form: ``.html``, ``.md`` or ``.csv``.
            None writes nothing; the report shows itself in a notebook.
        gallery: Images shown of each group.
        model_card: A model card in Markdown instead.

    Raises:
        ConfigError: A suffix that stands for no form.
        RunError: A folder that holds nothing to report, figures of other weights than those
            beside them, or a file that cannot be written.

    >>> data = load_dataset("harbour", options={"train": 40, "val": 8, "group": 4})
    >>> made = report(audit(train(data, epochs=1), data))
    >>> made.text[:15], made.path
    ('<!doctype html>', None)
    """
    from biasaudit.analysis.harm import HARM_COLUMNS
    from biasaudit.analysis.paired_tables import COMPARED_COLUMNS
    from biasaudit.report import form_of, make_report
    from biasaudit.results import PER_IMAGE_COLUMNS, Audit, Columns, load_all

    file = None if out is None else Path(out)
    form_of(file, model_card=model_card)
    listed = [audits] if isinstance(audits, Audit) else list(audits)
    given = [one if isinstance(one, Audit) else Path(one) for one in listed]
    columns = Columns(PER_IMAGE_COLUMNS, COMPARED_COLUMNS, HARM_COLUMNS)
    found, beside = load_all(given, columns)
    return make_report(found, file, gallery, model_card=model_card, beside=beside)
