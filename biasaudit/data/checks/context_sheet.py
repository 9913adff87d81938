"""A sheet of images to tag with their contexts: a page for the browser, and a table."""

from __future__ import annotations

import base64
import csv
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import PIL.Image

from biasaudit.data.formats.tags import BESIDE, IMAGE
from biasaudit.data.sample import Dataset, Sample, context_shown

_SIDE, _QUALITY = 160, 80


@dataclass(frozen=True)
class ToTag:
    """One image of the sheet.

    Attributes:
        subset: Where it stands.
        sample: The image.
        known: 1, 0 or NaN for each context: what is known of it already.
    """

    subset: str
    sample: Sample
    known: tuple[float, ...]


def images_to_tag(
    dataset: Dataset,
    subsets: Sequence[str],
    contexts: Sequence[str],
    count: int | None = None,
    seed: int = 0,
) -> list[ToTag]:
    """Choose the images to tag.

    Args:
        dataset: Where they come from.
        subsets: Which of its subsets.
        contexts: What is to be tagged.
        count: Images of each class of each subset at most, drawn by ``seed``; all where None.
        seed: 0 or more.

    Raises:
        DataError: No such subset.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for subset in subsets:
        samples = dataset.subset(subset)
        chosen = {s.id for s in samples} if count is None else _drawn(samples, count, rng)
        for sample in samples:
            if sample.id in chosen:
                known = tuple(context_shown(sample, name, dataset.classes) for name in contexts)
                rows.append(ToTag(subset, sample, known))
    return rows


def _drawn(samples: Sequence[Sample], count: int, rng: np.random.Generator) -> set[str]:
    by_labels: dict[tuple[str, ...], list[str]] = {}
    for sample in samples:
        by_labels.setdefault(tuple(sorted(sample.labels)), []).append(sample.id)
    return {
        ids[i]
        for _, ids in sorted(by_labels.items())
        for i in rng.permutation(len(ids))[:count].tolist()
    }


def as_csv(rows: Sequence[ToTag], contexts: Sequence[str]) -> str:
    """Return the table to tag: one row an image, one column a context, filled where known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([IMAGE, *BESIDE, *contexts])
    for row in rows:
        labels = ";".join(sorted(row.sample.labels))
        writer.writerow([row.sample.id, row.subset, labels, *map(_cell, row.known)])
    return text.getvalue()


def _cell(known: float) -> str:
    return {1.0: "1", 0.0: "0"}.get(known, "")


def as_page(title: str, rows: Sequence[ToTag], contexts: Sequence[str]) -> str:
    """Return one HTML file to tag in: a click on a context's name goes through yes, no, unknown.

    It opens anywhere, and gives the table back by its button; nothing leaves the computer.

    Raises:
        DataError: An image cannot be read.
    """
    cards = "".join(_card(row, contexts) for row in rows)
    heading = html.escape(f"{title}: {len(rows)} images, {', '.join(contexts)}")
    header = html.escape(",".join(_quoted(one) for one in [IMAGE, *BESIDE, *contexts]))
    return _PAGE.format(heading=heading, header=header, cards=cards)


def _card(row: ToTag, contexts: Sequence[str]) -> str:
    labels = ";".join(sorted(row.sample.labels))
    buttons = "".join(
        f'<button data-v="{_cell(known)}" aria-label="{html.escape(name)}">'
        f"{html.escape(name)}</button>"
        for name, known in zip(contexts, row.known, strict=True)
    )
    id, told = html.escape(row.sample.id), html.escape(f"{row.subset} · {labels or 'no class'}")
    start = html.escape(",".join(_quoted(one) for one in (row.sample.id, row.subset, labels)))
    return (
        f'<figure data-row="{start}"><img src="{_thumbnail(row.sample)}" alt="{id}" loading="lazy">'
        f"<figcaption>{told}<br><small>{id}</small></figcaption>{buttons}</figure>\n"
    )


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\n;') else text


def _thumbnail(sample: Sample) -> str:
    picture = PIL.Image.fromarray(sample.load_image())
    picture.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{heading}</title>
<style>
body {{ font: 14px system-ui; margin: 1rem; color-scheme: light dark }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(180px, 1fr)); gap: 12px }}
figure {{ margin: 0 }} img {{ max-width: 100% }} small {{ overflow-wrap: anywhere }}
button[data-v="1"]::before {{ content: "✓ " }} button[data-v="0"]::before {{ content: "✗ " }}
button[data-v=""]::before {{ content: "? " }} button[data-v=""] {{ opacity: .6 }}
</style>
<h1>{heading}</h1>
<p>✓ it is there, ✗ it is not, ? nobody looked: a click changes it.
<a id="save" href="#" download="contexts.csv">Save the table</a></p>
<main data-header="{header}">
{cards}</main>
<script>
const next = {{"": "1", "1": "0", "0": ""}};
document.querySelector("main").addEventListener("click", event => {{
  const button = event.target.closest("button");
  if (button) button.dataset.v = next[button.dataset.v];
}});
document.getElementById("save").addEventListener("click", event => {{
  const rows = [...document.querySelectorAll("figure")].map(figure => [figure.dataset.row,
    ...[...figure.querySelectorAll("button")].map(button => button.dataset.v)].join(","));
  const text = [document.querySelector("main").dataset.header, ...rows, ""].join("\\n");
  event.target.href = URL.createObjectURL(new Blob([text], {{type: "text/csv"}}));
}});
</script>
</html>
"""
