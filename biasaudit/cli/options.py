"""Options that several verbs share, each with the one text that explains it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from biasaudit.cli.sources import setting, told

Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="NAME|FOLDER",
        help=told("data.name"),
    ),
]
OwnData = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="NAME|FOLDER",
        help=f"{setting('data.name').meaning} Default: the one of the training.",
    ),
]
Object = Annotated[
    str | None,
    typer.Option("--object", metavar="CLASS", help=told("data.object")),
]
Context = Annotated[
    str | None,
    typer.Option("--context", metavar="CLASS", help=told("data.context")),
]
Objects = Annotated[
    list[str] | None,
    typer.Option(
        "--object",
        metavar="CLASS",
        help=told("data.object", "May be repeated."),
    ),
]
Contexts = Annotated[
    list[str] | None,
    typer.Option(
        "--context",
        metavar="CLASS",
        help=told(
            "data.context", "May be repeated: each object is then audited with each context."
        ),
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
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help=told("training.seed"))]
Device = Annotated[
    str | None, typer.Option("--device", metavar="NAME", help=told("training.device"))
]
OwnDevice = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="NAME",
        help=f"{setting('training.device').meaning} Default: that of the training.",
    ),
]
Workers = Annotated[
    int | None, typer.Option("--workers", metavar="N", help=told("training.workers"))
]
Cache = Annotated[
    str | None,
    typer.Option(
        "--cache",
        metavar="memory|off|DIR",
        help=told("data.cache"),
    ),
]
OnError = Annotated[
    str | None,
    typer.Option(
        "--on-error",
        metavar="stop|skip",
        help=told("data.on_error"),
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        metavar="N",
        help="Images at a time, of each process where a launcher starts several. "
        "Default: what suits the network.",
    ),
]
Epochs = Annotated[int | None, typer.Option("--epochs", metavar="N", help=told("training.epochs"))]
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
        help="Its attention layer. Default: the last one at the last convolution's resolution; of "
        "a transformer, the last one whose patches bear on the score.",
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
