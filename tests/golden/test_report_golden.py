"""The report's four forms, held to the bytes of files beside this test.

Pictures and plots are encoded by libraries whose bytes change with their version, so the golden
page holds their place only; style and script are files of the repository, and left out. What
the same results give twice is compared in full in ``tests/unit/report/test_report_render.py``.

After a wanted change, write the golden files anew from the repository's root and read the
difference before committing it::

    PYTHONPATH=.:tests python tests/golden/test_report_golden.py
"""

import re
import tempfile
from pathlib import Path

import pytest
from report_factory import Recipe, World, write_audits

from biasaudit import __version__
from biasaudit.report.build import render_html
from biasaudit.report.export import render_csv, render_markdown, render_model_card
from biasaudit.results import load_audits

GOLDEN = Path(__file__).parent / "report"
RECIPES = (
    Recipe("baseline", 0, 0.3, 0.4, 0.2),
    Recipe("gain_ext", 9, 0.5, 0.6, 0.5),
    Recipe("gain_ext", 78, 0.7, 0.9, 0.7),
)
FORMS = {
    "report.html": lambda runs: without_encodings(render_html(runs, gallery_size=2)),
    "summary.md": render_markdown,
    "figures.csv": render_csv,
    "model_card.md": render_model_card,
}


def without_encodings(html: str) -> str:
    """Put a placeholder for everything that is encoded or kept in a file of its own."""
    html = re.sub(r"(data:image/\w+;base64,)[\w+/=]+", r"\1…", html)
    html = re.sub(r'(<svg class="chart"[^>]*>).*?</svg>', r"\1…</svg>", html, flags=re.DOTALL)
    html = re.sub(r"<(style|script)>.*?</\1>", r"<\1>…</\1>", html, flags=re.DOTALL)
    return re.sub(r"'sha256-[^']+'", "'sha256-…'", html)


def draw(folder: Path) -> dict[str, str]:
    """Return every form of the same few runs, with the program's version left out."""
    runs = load_audits(write_audits(folder, RECIPES, World(n=(14, 16), val=20, side=16)))
    return {
        name: render(runs).replace(f"biasaudit {__version__}", "biasaudit VERSION")
        for name, render in FORMS.items()
    }


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("golden"))


@pytest.mark.parametrize("name", FORMS)
def test_golden(drawn, name):
    assert drawn[name] == (GOLDEN / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for file, text in draw(Path(folder)).items():
            (GOLDEN / file).write_text(text, encoding="utf-8")
