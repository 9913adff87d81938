"""Every setting of a run, validated; from defaults, a TOML file, assignments and options.

The later wins: recipe of the backbone, then the configuration file, then assignments
``section.key=value``, then the option of that name. What comes out is written to the run directory
as ``config.json``, a configuration file in its turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic_core import PydanticCustomError

from biasaudit.errors import ConfigError, named_field, near_names
from biasaudit.inputs.documents import SETTINGS_BYTES, read_json, read_toml, toml_value
from biasaudit.inputs.files import Source, expanded
from biasaudit.registry import load_plugins

AUTO = "auto"
"""In place of a batch size: the training finds it."""
_NO_FOLDER = ("memory", "off")


class _Section(BaseModel):
    """A table of settings; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", validate_default=True, allow_inf_nan=False)


class DataSettings(_Section):
    """What to train on.

    Attributes:
        name: A built-in dataset, or the path of a folder that holds a ``dataset.toml``.
        object: The audited object; the dataset's own where None.
        context: Its suspected context; the dataset's own where None.
        pixel_labels: How many training images of the object give their region, chosen by seed;
            boxes stand in where masks run out, and the run says so. Where the dataset guides
            several classes, so many of each.
        box_labels: How many more give its bounding box only; of several classes, of each.
        labels_by: What these numbers count: ``class`` images of the object, or of each guided
            class; ``image`` images in all, each of which gives the regions of every class that it
            shows, as a segmentation dataset does.
        regions: ``true`` for the labelled images' regions; ``shuffled`` moves each to a random
            place in its image, a control: what guidance gains with these owes nothing to them.
        outlines: Where boxes stand in for pixel labels, whether each gives the outline of what it
            holds, cut out by GrabCut from the image; else the filled box.
        image_size: Side of the square input in px; the backbone's own where None.
        flip: Whether training images are mirrored half of the time.
        cache: Where decoded images stay: ``memory`` keeps them for this run, if it loads them
            itself; ``off`` decodes them in every epoch; a folder keeps them for loading processes
            and for later runs too.
        on_error: What is done about an image that cannot be read: ``stop``, or ``skip`` it, which
            reads every image before anything else and counts those left out.
        options: Settings of a built-in dataset itself, such as ``water_given_boat``.
    """

    name: str = "harbour"
    object: str | None = None
    context: str | None = None
    pixel_labels: int = Field(0, ge=0)
    box_labels: int = Field(0, ge=0)
    labels_by: Literal["class", "image"] = "class"
    regions: Literal["true", "shuffled"] = "true"
    outlines: bool = True
    image_size: int | None = Field(None, ge=32, le=1024)
    flip: bool = True
    cache: str = Field("memory", min_length=1)
    on_error: Literal["stop", "skip"] = "stop"
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("cache")
    @classmethod
    def _absolute(cls, cache: str) -> str:
        """Return a folder in full: a run may be evaluated from elsewhere."""
        return cache if cache in _NO_FOLDER else str(expanded(cache).absolute())

    @property
    def cache_folder(self) -> Path | None:
        """The folder of decoded images, None where they stay in memory or nowhere."""
        return None if self.cache in _NO_FOLDER else Path(self.cache)


class ModelSettings(_Section):
    """Which network, and from where it starts.

    Attributes:
        backbone: A registered backbone (``biasaudit list backbones``); harbournet for the drawn
            datasets and mobilenet_v2 for all others where None.
        weights: Where training starts: ``imagenet``, ``scenes`` (harbournet's own, which the
            package carries), ``none`` or a path; the backbone's own where None.
        frozen: How many of its first layers stay as they are; the backbone's own where None.
        batch_norm: ``train`` moves batch-norm statistics with the training images, ``frozen``
            keeps those of the pre-training; the backbone's own where None.
        attention_module: A registered module that weighs the features of the last stage: ``rfga``,
            or ``rfga_mixing``, whose views of place mix channels; no module where None.
    """

    backbone: str | None = None
    weights: str | None = None
    frozen: int | None = Field(None, ge=0)
    batch_norm: Literal["train", "frozen"] | None = None
    attention_module: str | None = None


class TrainingSettings(_Section):
    """How to train.

    Attributes:
        mode: baseline, gain, gain_ext, ...: a registered mode (``biasaudit list modes``), or one
            that the configuration's table ``modes`` defines.
        loss: What the classification term is: ``sigmoid`` answers each class for itself;
            ``softmax`` chooses one of them (cross-entropy), for images of exactly one class.
        epochs: Passes over the training set; the backbone's own where None.
        batch_size: Images a step, of each process where a launcher starts several; the backbone's
            own where None. One image is for networks without batch norm, such as vgg16. ``auto``
            finds the most that fit into memory, by doubling or halving the backbone's own number.
        labels_per_step: Labelled images that each step sees beside its batch, likewise; the
            backbone's own where None.
        learning_rate: Peak rate of AdamW; the backbone's own where None.
        weight_decay: Weight decay of AdamW.
        seed: Seed of everything that is drawn.
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``mps``.
        precision: Arithmetic of the forward pass: ``fp32`` or ``bf16``.
        workers: Processes that load images; 0 loads them in the training process.
        gradient_checkpointing: Whether the backward pass computes the network's activations anew
            instead of keeping them: less memory, longer steps, the same training to rounding.
        log: What else is written of every step while training goes on: ``csv`` the file
            ``steps.csv`` in the run's folder, ``tensorboard`` its folder ``tensorboard`` (needs
            the extra of that name).
        checkpoint_steps: Steps between the states kept amid an epoch, beside the one after it; 0
            keeps none between.
    """

    mode: str = "baseline"
    loss: Literal["sigmoid", "softmax"] = "sigmoid"
    epochs: int | None = Field(None, ge=1)
    batch_size: Literal["auto"] | int | None = Field(None, ge=1)
    labels_per_step: int | None = Field(None, ge=1)
    learning_rate: float | None = Field(None, gt=0, le=1e37)
    weight_decay: float = Field(1e-4, ge=0, le=1e37)
    seed: int = Field(0, ge=0, lt=2**31)
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["fp32", "bf16"] = "fp32"
    workers: int = Field(0, ge=0, le=1024)
    gradient_checkpointing: bool = False
    log: Literal["none", "csv", "tensorboard"] = "none"
    checkpoint_steps: int = Field(0, ge=0)

    @field_validator("batch_size", mode="wrap")
    @classmethod
    def _auto_or_number(cls, value: Any, number: ValidatorFunctionWrapHandler) -> Any:
        """Say what is wrong with a number; pydantic would name each type that it tried."""
        if value == AUTO:
            return value
        try:
            return number(value)
        except ValidationError as error:
            last = error.errors()[-1]
            raise PydanticCustomError(last["type"], f"{last['msg']}, or 'auto'") from None


class RepairSettings(_Section):
    """How the last layer of a trained model is repaired.

    Attributes:
        pixel_labels: How many training images of the object give their pixel label.
        box_labels: How many more give their bounding box.
        max_val_loss: How much validation accuracy of the object may fall, in [0, 1].
        seed: Seed of labels, edits and folds.
        folds: Folds of the cross-validation that chooses the recipe.
        flip: Whether training images count mirrored too.
        edits: Options of the edits, such as ``{"pasted": 8}``.
        refits: Bootstrap refits of the chosen recipe that are averaged.
        cache: Folder that keeps features; no folder where None.
        regions: Classes whose regions are the object, each with so many labels, where images
            without the object show such a thing too (a benign lesion); edits then keep the answer
            of their image. Empty where the object's own region is all there is.
        context_labels: Contexts whose labels of all training images are read.
        foregrounds: ``labelled`` edits the labelled images; ``propagated`` and ``sec`` those too in
            which the object is found by what the labelled ones show, at no further label:
            ``propagated`` by a classifier of pixels, ``sec`` by a segmentation network.
        segment: Settings of that network, by their names in ``segment``: ``{"iterations": 600}``.
    """

    pixel_labels: int = Field(78, ge=0)
    box_labels: int = Field(0, ge=0)
    max_val_loss: float = Field(0.02, ge=0, le=1)
    seed: int = Field(0, ge=0, lt=2**31)
    folds: int = Field(5, ge=2)
    flip: bool = True
    edits: dict[str, Any] = Field(default_factory=dict)
    refits: int = Field(1, ge=1)
    cache: str | None = None
    regions: tuple[str, ...] = ()
    context_labels: tuple[str, ...] = ()
    foregrounds: Literal["labelled", "propagated", "sec"] = "labelled"
    segment: dict[str, Any] = Field(default_factory=dict)

    @property
    def cache_folder(self) -> Path | None:
        """The folder that keeps features, or None."""
        return None if self.cache is None else expanded(self.cache).absolute()


class SegmentSettings(_Section):
    """How a segmentation network is trained from the attention of a run (SEC).

    Attributes:
        threshold: Share of an attention map's maximum above which its pixels are cues.
        background: Share of each image that is a cue for the background: the least attended.
        regions: Whether the regions that the run was trained or repaired with stand in place of
            attention where they are known; they were spent already.
        weights: Where training starts, as of ``model.weights``; where the run started where None.
        image_size: Side of the square input in px; the backbone's own where None.
        stride: Input pixels a pixel of the maps; the backbone's own where None.
        iterations: Steps; the backbone's own where None.
        batch_size: Images a step; the backbone's own where None.
        learning_rate: Of SGD, divided by 10 after each quarter; the backbone's own where None.
        momentum: Of SGD.
        weight_decay: Of SGD.
        foreground_decay: Of the ranked mean of a class, on maps of 41×41.
        background_decay: Of that of the background, likewise.
        seed_weight: Weight of the seed loss.
        expand_weight: Weight of the expand loss.
        constrain_weight: Weight of the constrain loss; without it, training needs no CRF.
        flip: Whether training images are mirrored half of the time.
        seed: Seed of everything that is drawn; the run's own where None.
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``mps``.
    """

    threshold: float = Field(0.2, ge=0, lt=1)
    background: float = Field(0.1, ge=0, le=1)
    regions: bool = False
    weights: str | None = None
    image_size: int | None = Field(None, ge=32, le=1024)
    stride: int | None = Field(None, ge=1, le=64)
    iterations: int | None = Field(None, ge=1)
    batch_size: int | None = Field(None, ge=1)
    learning_rate: float | None = Field(None, gt=0, le=1e37)
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(5e-4, ge=0, le=1e37)
    foreground_decay: float = Field(0.996, ge=0, le=1)
    background_decay: float = Field(0.999, ge=0, le=1)
    seed_weight: float = Field(1.0, ge=0, le=1e6)
    expand_weight: float = Field(1.0, ge=0, le=1e6)
    constrain_weight: float = Field(1.0, ge=0, le=1e6)
    flip: bool = True
    seed: int | None = Field(None, ge=0, lt=2**31)
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"


class Settings(_Section):
    """A whole run.

    Attributes:
        terms: Options of loss terms by the term's name, over those of the mode:
            ``{"mining": {"weight": 0.5, "sigma": 0.4}}``.
        modes: Modes that the user composes: mode name to term name to options.
        plugins: Modules that register things of their own; they are imported, which runs their
            code. Separated by commas, or as a list.
    """

    data: DataSettings = Field(default_factory=DataSettings)
    model: ModelSettings = Field(default_factory=ModelSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    terms: dict[str, dict[str, Any]] = Field(default_factory=dict)
    modes: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)
    plugins: list[str] = Field(default_factory=list)

    @field_validator("plugins", mode="before")
    @classmethod
    def _one_or_several(cls, plugins: Any) -> Any:
        if isinstance(plugins, str):
            return [name for part in plugins.split(",") if (name := part.strip())]
        return plugins


def load_settings(
    file: Path | None = None,
    assignments: Iterable[str] = (),
    options: Mapping[str, Any] | None = None,
) -> Settings:
    """Put a file, assignments and options together, and import the plug-ins that they name.

    Args:
        file: A TOML file, or the ``config.json`` of a run.
        assignments: ``section.key=value``; the value is read as TOML, else as plain text.
        options: Dotted key to value; None values are passed over.

    Raises:
        ConfigError: A file that cannot be read, an unknown key, a value that does not fit, a
            plug-in that cannot be imported.
    """
    tree = _read(file) if file is not None else {}
    _check(tree, str(file))
    for assignment in assignments:
        key, value = parse_assignment(assignment)
        _assign(tree, key, value, named_field("set", assignment))
    for key, value in (options or {}).items():
        if value is not None:
            _assign(tree, key, value, named_field(key, value))
    settings = _check(tree, "the settings")
    load_plugins(settings.plugins)
    return settings


def parse_assignment(text: str) -> tuple[str, Any]:
    """Return key and value of ``section.key=value``; the value is TOML, else plain text.

    Raises:
        ConfigError: It is of another form.
    """
    key, equals, raw = text.partition("=")
    key, raw = key.strip(), raw.strip()
    if not equals or not key:
        raise ConfigError(
            f"{named_field('set', text)}: not of the form key=value",
            "write for example training.seed=1",
        )
    if len(text.splitlines()) > 1:
        raise ConfigError(
            f"{named_field('set', text.splitlines()[0])}: more than one line",
            "give each setting an assignment of its own",
        )
    try:
        return key, toml_value(raw)
    except ValueError:
        return key, raw


def repair_settings(changes: Mapping[str, Any]) -> RepairSettings:
    """Return the settings of a repair; None values are passed over.

    Raises:
        ConfigError: An unknown setting, or a value that does not fit.
    """
    return _checked(RepairSettings, changes)


def segment_settings(changes: Mapping[str, Any]) -> SegmentSettings:
    """Return the settings of a segmentation; None values are passed over.

    Raises:
        ConfigError: An unknown setting, or a value that does not fit.
    """
    return _checked(SegmentSettings, changes, "segment.")


_AnySection = TypeVar("_AnySection", bound=_Section)


def _checked(
    section: type[_AnySection], changes: Mapping[str, Any], prefix: str = ""
) -> _AnySection:
    given = {key: value for key, value in changes.items() if value is not None}
    try:
        return section.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            given_by = f"{named_field(prefix + name, given.get(name))}: " if prefix else ""
            raise ConfigError(
                f"{given_by}unknown setting '{prefix}{name}'",
                near_names(name, section.model_fields),
            ) from None
        told = first["msg"][0].lower() + first["msg"][1:]
        raise ConfigError(f"{named_field(prefix + name, given.get(name))}: {told}") from None


def setting_named(name: str) -> str:
    """Return the dotted name of a setting that is named by its last part.

    Args:
        name: ``pixel_labels``; a dotted name, or that of a table such as ``plugins``, stays as it
            is.

    Raises:
        ConfigError: No setting has that name.
    """
    sections = {
        section: schema.annotation
        for section, schema in Settings.model_fields.items()
        if isinstance(schema.annotation, type) and issubclass(schema.annotation, BaseModel)
    }
    tables = [key for key in Settings.model_fields if key not in sections]
    if "." in name or name in tables:
        return name
    for section, kind in sections.items():
        if name in kind.model_fields:
            return f"{section}.{name}"
    known = [*tables, *(leaf for kind in sections.values() for leaf in kind.model_fields)]
    raise ConfigError(f"unknown setting '{name}'", near_names(name, known))


def _read(file: Path) -> dict[str, Any]:
    source = Source(file, ConfigError, named_field("config", file), "give a TOML file")
    read = read_json if file.suffix == ".json" else read_toml
    return read(source, SETTINGS_BYTES)


def _assign(tree: dict[str, Any], dotted: str, value: Any, source: str) -> None:
    """Set one leaf, making the tables on its way, and check that it fits."""
    *path, leaf = dotted.split(".")
    table = tree
    for depth, part in enumerate(path, 1):
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            held = ".".join(path[:depth])
            raise ConfigError(
                f"{source}: '{part}' is no table", f"write {held}=VALUE", field=dotted
            )
    table[leaf] = value
    _check(tree, source)


def _check(tree: dict[str, Any], source: str) -> Settings:
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            section = _section_at(first["loc"][:-1])
            raise ConfigError(
                f"{source}: unknown setting '{where}'",
                near_names(str(first["loc"][-1]), section.model_fields),
                field=where,
            ) from None
        place = "" if source.startswith(named_field(where, "")) else f"{where}: "
        raise ConfigError(
            f"{source}: {place}{first['msg'][0].lower()}{first['msg'][1:]}", field=where
        ) from None


def _section_at(path: tuple[int | str, ...]) -> type[BaseModel]:
    section: type[BaseModel] = Settings
    for part in path:
        annotation = section.model_fields[str(part)].annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            section = annotation
    return section
