"""Options that several verbs share, each with the one text that explains it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="NAME|FOLDER",
        help="A built-in dataset, or a folder that holds a dataset.toml. Default: harbour.",
    ),
]
Object = Annotated[
    str | None,
    typer.Option("--object", metavar="CLASS", help="Object to audit. Default: the dataset's own."),
]
Context = Annotated[
    str | None,
    typer.Option(
        "--context", metavar="CLASS", help="Its suspected context. Default: the dataset's own."
    ),
]
Objects = Annotated[
    list[str] | None,
    typer.Option(
        "--object",
        metavar="CLASS",
        help="Object to audit. May be repeated. Default: the dataset's own.",
    ),
]
Contexts = Annotated[
    list[str] | None,
    typer.Option(
        "--context",
        metavar="CLASS",
        help="Its suspected context. May be repeated: each object is then audited with each "
        "context. Default: the dataset's own.",
    ),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings: TOML, or the config.json of a run."),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Any setting by its dotted name, such as terms.mining.sigma=0.4. May be repeated.",
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of everything drawn. Default: 0.")]
Device = Annotated[
    str | None, typer.Option("--device", help="auto, cpu, cuda or mps. Default: auto.")
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", help="Processes that load images. Default: 0, none beside this one."),
]
Cache = Annotated[
    str | None,
    typer.Option(
        "--cache",
        metavar="memory|off|DIR",
        help="Where decoded images stay: in memory for this run, nowhere, or in a folder for all "
        "runs. Default: memory.",
    ),
]
OnError = Annotated[
    str | None,
    typer.Option(
        "--on-error",
        metavar="stop|skip",
        help="What is done about an image that cannot be read. skip reads all images first, "
        "leaves such images out, and counts them. Default: stop.",
    ),
]
BatchSize = Annotated[
    int | None, typer.Option("--batch-size", help="Images a step. Default: the backbone's own.")
]
Epochs = Annotated[
    int | None,
    typer.Option("--epochs", help="Passes over the data. Default: the backbone's own."),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME|MODULE:FACTORY",
        help="Instead of a run: a torchvision or timm model with --state, or your own function "
        "that returns a torch module (imported and run). Needs --classes.",
    ),
]
State = Annotated[
    Path | None,
    typer.Option("--state", metavar="FILE", help="Its state dict: .safetensors or torch file."),
]
Classes = Annotated[
    str | None,
    typer.Option(
        "--classes", metavar="A,B,C|FILE", help="The class of each of its scores, in order."
    ),
]
Layer = Annotated[
    str | None,
    typer.Option(
        "--layer",
        metavar="NAME",
        help="Its attention layer. Default: the last one at the last convolution's resolution.",
    ),
]
Normalise = Annotated[
    str,
    typer.Option(
        "--normalise",
        metavar="imagenet|none|M,M,M/S,S,S",
        help="Mean and deviation of its input, of colours in 0 to 1.",
    ),
]
Scores = Annotated[
    str,
    typer.Option(
        "--scores",
        metavar="auto|sigmoid|softmax",
        help="Whether it answers each class for itself or chooses one of them. Default: inferred "
        "from its scores, and said.",
    ),
]
ImageSize = Annotated[
    int, typer.Option("--image-size", metavar="PX", min=32, help="Side of its input.")
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on where an earlier call stopped, to the same result; if none was begun, begin.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print results and errors only.")]
Json = Annotated[
    bool, typer.Option("--json", help="Print JSON alone to stdout; the rest goes to stderr.")
]
