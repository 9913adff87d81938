"""From a dataset to a report: train two models, load a third, audit and compare them.

Run it as it is; ``--help`` names what can be made smaller.
"""

import argparse

import biasaudit as ba


def main(state: str | None, out: str, labels: int, epochs: int | None, sizes: dict) -> None:
    """Write the report on two trained models and, where a file is given, on a third."""
    data = ba.load_dataset("harbour", object="boat", context="water", options=sizes)
    base = ba.train(data, "baseline", seed=0, epochs=epochs)
    guided = ba.train(data, "gain_ext", pixel_labels=labels, seed=0, epochs=epochs)
    models = [base, guided]
    if state is not None:
        models.append(ba.load_model("resnet18", state, classes=data.classes, image_size=64))
    audits = [ba.audit(model, data) for model in models]
    print(audits[0].verdict)
    print(audits[1].per_image.head())
    print(ba.compare(*audits[:2]))
    print(ba.report(audits, out).path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--state", metavar="FILE", help="state dict of a resnet18, such as mine.pth"
    )
    parser.add_argument("--out", default="report.html")
    parser.add_argument("--labels", type=int, default=78, help="pixel labels for gain_ext")
    parser.add_argument("--epochs", type=int)
    for name, usual in (("train", 2000), ("val", 400), ("group", 200)):
        parser.add_argument(f"--{name}", type=int, default=usual, help=f"images, of {usual}")
    given = parser.parse_args()
    sizes = {"train": given.train, "val": given.val, "group": given.group}
    main(given.state, given.out, given.labels, given.epochs, sizes)
