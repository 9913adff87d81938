"""Localization and segmentation in other forms: Markdown for a pull request, lines of the CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from biasaudit.report.format import Estimate, figure
from biasaudit.report.markdown import grid, plain
from biasaudit.report.sections.boxes import box_page
from biasaudit.report.sections.segmentation import segmentation_page
from biasaudit.results import (
    Audit,
    Beside,
    Interval,
    IouFigures,
    LocalizationFigures,
    Segmentation,
)

_Line = list[object]


def beside_summary(runs: Sequence[Audit], beside: Beside) -> list[str]:
    """Return the sections that there are, as Markdown."""
    parts = []
    if boxes := box_page(runs, beside.localizations):
        heads = ["run", "images", "n", "MaxBoxAcc", "top-1"]
        heads += [*(f"IoU {level}" for level in boxes.levels), "V2: mean", "PxAP"]
        told = [
            [
                *(row.label, row.images, str(row.n), figure(row.max_box_acc), figure(row.top_1)),
                *(figure(one) for one in (*row.levels, row.max_box_acc_v2)),
                figure(row.px_ap, "auroc"),
            ]
            for row in boxes.rows
        ]
        lines = ["### Boxes and pixels of the attention", "", *map(plain, boxes.sentences), ""]
        parts.append("\n".join([*lines, *grid(heads, told)]) + "\n")
    if masks := segmentation_page(beside.segmentations, runs):
        heads = ["IoU", *(f"{column.label}, {column.way}" for column in masks.columns)]
        told = [[name, *(figure(one, "auroc") for one in row)] for name, row in masks.rows]
        lines = ["### Masks from the attention", "", *map(plain, masks.sentences), ""]
        parts.append("\n".join([*lines, *grid(heads, told)]) + "\n")
    return parts


def beside_lines(runs: Sequence[Audit], beside: Beside) -> Iterator[_Line]:
    """Yield a line a figure, in the columns of :data:`biasaudit.report.export.CSV_COLUMNS`."""
    for audit in runs:
        run = audit.run
        for found in audit.localization.figures if audit.localization is not None else []:
            spent = (run.pixel_labels, run.box_labels, run.seed)
            head: _Line = [
                run.name,
                run.mode,
                found.object,
                None,
                found.dataset,
                run.backbone,
                *spent,
            ]
            yield from _boxes(head, found)
    for file in beside.localizations:
        for found in file.figures:
            unknown = [None] * 4
            yield from _boxes([file.name, None, found.object, None, found.dataset, *unknown], found)
    for segmentation in beside.segmentations:
        yield from _masks(segmentation)


def _boxes(head: _Line, found: LocalizationFigures) -> Iterator[_Line]:
    measured: list[tuple[str, float | None, Interval | None]] = [
        ("max_box_acc", found.max_box_acc, found.max_box_acc_ci),
        ("max_box_acc_v2", found.max_box_acc_v2, found.max_box_acc_v2_ci),
        ("top_1", found.top_1, found.top_1_ci),
        ("px_ap", found.px_ap, None),
    ]
    measured += [
        (f"box_accuracy_at_{level}", share, found.by_level_ci.get(level))
        for level, share in found.by_level.items()
    ]
    for metric, value, interval in measured:
        yield from _line(head, found.subset, metric, Estimate.of(value, interval, found.n))


def _masks(segmentation: Segmentation) -> Iterator[_Line]:
    record = segmentation.record
    run = record.run
    spent = [run.get(name) for name in ("pixel_labels", "box_labels", "seed")]
    for found in record.figures:
        ways: list[tuple[str, IouFigures | None]] = [
            ("", found.without_crf),
            ("_with_crf", found.with_crf),
        ]
        for way, scores in ways:
            if scores is None:
                continue
            named = [(name, scores.iou[name], scores.iou_ci.get(name)) for name in scores.iou]
            for name, value, interval in [("", scores.mean_iou, scores.mean_iou_ci), *named]:
                head = [
                    record.name,
                    run.get("mode"),
                    name or None,
                    None,
                    found.dataset,
                    None,
                    *spent,
                ]
                metric = ("iou" if name else "mean_iou") + way
                yield from _line(head, found.subset, metric, Estimate.of(value, interval, found.n))


def _line(head: _Line, subset: str, metric: str, e: Estimate) -> Iterator[_Line]:
    if e.value is not None:
        yield [*head, subset, "", metric, e.n, e.value, e.low, e.high]
