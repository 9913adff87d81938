"""``biasaudit data preview`` as a user calls it."""

import PIL.Image
import pytest
from four_formats import write_voc


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--split", "edited-boat"),
        ("--split", "train", "--count", "2"),
        ("--group", "water-without-boat", "--out", "new/sea.png"),
        ("--object", "cow", "--context", "grass", "--split", "val"),
    ],
)
def test_a_sheet(biasaudit, tmp_path, words):
    answer = biasaudit("data", "preview", "--data", write_voc(tmp_path / "own"), *words)
    assert answer.code == 0, answer.err
    file = tmp_path / answer.out.strip()
    with PIL.Image.open(file) as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > 200


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--group", "sea"), "--group sea: 'biased-boat' has no such group"),
        (("--split", "sea"), "no split 'sea'"),
        (("--out", "sheet.jpg"), "--out sheet.jpg: not a .png file"),
        (("--out", "taken/sheet.png"), "--out taken/sheet.png: cannot be written"),
    ],
)
def test_one_line_of_error(biasaudit, tmp_path, words, message):
    (tmp_path / "taken").write_text("")
    answer = biasaudit("data", "preview", "--data", write_voc(tmp_path / "own"), *words)
    assert answer.code == 2
    assert message in answer.err
    assert len(answer.err.splitlines()) == 1
