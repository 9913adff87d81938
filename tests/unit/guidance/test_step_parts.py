"""Which rows of a step's one pass belong to whom; and one step shared out to two processes."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from biasaudit import processes
from biasaudit.data.loading.batches import Batch
from biasaudit.guidance import edited, terms
from biasaudit.guidance.edited import EditedOptions, _chosen, edited_images
from biasaudit.guidance.modes import MODES, Mode, mode_of
from biasaudit.guidance.step import Step
from biasaudit.guidance.terms import TermOptions
from biasaudit.models.classifier import Classifier, PooledLinear
from biasaudit.registry import Registry

SIZE = 8


class Counting(nn.Module):
    """A body that hands its images on and counts its passes."""

    def __init__(self):
        super().__init__()
        self.passes = []

    def forward(self, images):
        self.passes.append(len(images))
        return images


def classifier():
    head = PooledLinear(3, 2)
    head.linear.weight.data = torch.tensor([[1.0, 0, 0], [0, 1.0, 0]])
    head.linear.bias.data.zero_()
    return Classifier(Counting(), head, (0.0,) * 3, (1.0,) * 3)


def pictures(*reds):
    made = torch.zeros(len(reds), 3, SIZE, SIZE)
    made[:, 0] = torch.tensor(reds)[:, None, None]
    return made


def batch(images, labels=None, regions=(), rows=(), classes=()):
    count = len(images)
    return Batch(
        images,
        torch.ones(count, 2) if labels is None else torch.tensor(labels),
        torch.stack(list(regions)) if len(regions) else torch.zeros(0, SIZE, SIZE),
        torch.tensor(rows, dtype=torch.long),
        torch.tensor(classes, dtype=torch.long),
        torch.arange(count),
        torch.zeros(count, dtype=torch.bool),
    )


def first_scores(output):
    return output.scores[:, 0].detach().tolist()


def test_one_pass_answers_the_batch_the_labelled_images_and_what_terms_add():
    model = classifier()
    step = Step(model, batch(pictures(0.1, 0.2)), batch(pictures(0.3)))
    step.add("first", SimpleNamespace(images=pictures(0.4, 0.5)))
    step.add("second", SimpleNamespace(images=pictures(0.6, 0.7, 0.8)))
    assert first_scores(step.output) == pytest.approx([0.1, 0.2])
    assert first_scores(step.labelled_output) == pytest.approx([0.3])
    addition, seen = step.added("first")
    assert len(addition.images) == 2
    assert first_scores(seen) == pytest.approx([0.4, 0.5])
    assert first_scores(step.added("second")[1]) == pytest.approx([0.6, 0.7, 0.8])
    assert step.added("second")[1].features.shape == (3, 3, SIZE, SIZE)
    assert model.body.passes == [8]


def test_without_labelled_images_the_added_follow_the_batch():
    step = Step(classifier(), batch(pictures(0.1)))
    step.add("one", SimpleNamespace(images=pictures(0.9)))
    assert first_scores(step.added("one")[1]) == pytest.approx([0.9])
    assert first_scores(step.labelled_output) == []
    with pytest.raises(RuntimeError, match="asks for labelled images in a run without any"):
        _ = step.labelled_batch


def test_attention_looks_at_the_batch_or_at_the_labelled_images():
    step = Step(classifier(), batch(pictures(0.1, 0.2)), batch(pictures(0.3, 0.4)))
    rows, classes = torch.tensor([1]), torch.tensor([0])
    maps = [step.attention(rows, classes, labelled=way) for way in (False, True)]
    # w of the red channel is 1 / 64
    for found, red in zip(maps, (0.2, 0.4), strict=True):
        assert found.flatten().tolist() == pytest.approx([red / 64] * 64)


def test_signed_attention_keeps_what_speaks_against():
    model = classifier()
    model.head.linear.weight.data[0, 0] = -1.0
    step = Step(model, batch(pictures(0.5)))
    pair = torch.tensor([0]), torch.tensor([0])
    assert step.attention(*pair).abs().max().item() == 0.0
    assert step.attention(*pair, signed=True).flatten().tolist() == pytest.approx([-0.5 / 64] * 64)


def test_a_class_is_true_above_a_half():
    step = Step(classifier(), batch(pictures(0.1, 0.2), [[0.5, 0.51], [1.0, 0.0]]))
    rows, classes = step.true_pairs
    assert (rows.tolist(), classes.tolist()) == ([0, 1], [1, 0])


def test_draws_come_from_the_generator_given():
    one, again = (
        Step(classifier(), batch(pictures(0.1)), None, torch.Generator().manual_seed(4))
        for _ in range(2)
    )
    first = one.draw(2, 3)
    assert first.shape == (2, 3)
    assert torch.equal(first, again.draw(2, 3))
    assert not torch.equal(one.draw(2, 3), first)
    own = Step(classifier(), batch(pictures(0.1))).draw(3)
    assert torch.equal(own, torch.rand(3, generator=torch.Generator()))


def test_a_column_is_drawn_among_those_allowed_alike_often():
    step = Step(
        classifier(), batch(pictures(0.1)), None, torch.Generator().manual_seed(0)
    )  # fmt: skip
    allowed = torch.tensor([[True, False, True, True]]).expand(900, 4)
    counts = torch.bincount(_chosen(step, allowed), minlength=4).tolist()
    assert counts[1] == 0
    assert all(abs(counts[place] - 300) < 4 * (900 * 2 / 9) ** 0.5 for place in (0, 2, 3))


def labelled(count, first=0):
    regions = []
    for number in range(first, first + count):
        region = torch.zeros(SIZE, SIZE)
        region[2:5, 1 + number % 3 : 5 + number % 3] = 1
        regions.append(region)
    images = torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(first))
    return batch(images, None, regions, range(count), [n % 2 for n in range(first, first + count)])


def ground(count, first=0):
    images = torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(50 + first))
    # by turns without the first class, without the second, without either
    labels = [[float(n % 3 == 1), float(n % 3 == 0)] for n in range(first, first + count)]
    return batch(images, labels)


def joined(batches):
    def cat(name):
        return torch.cat([getattr(one, name) for one in batches])

    starts = [sum(len(one) for one in batches[:place]) for place in range(len(batches))]
    rows = torch.cat([one.region_rows + s for one, s in zip(batches, starts, strict=True)])
    return Batch(
        cat("images"), cat("labels"), cat("regions"), rows, cat("region_classes"),
        torch.arange(sum(map(len, batches))), cat("mirrored"),
    )  # fmt: skip


@pytest.mark.parametrize("decoys", [False, True])
@pytest.mark.parametrize("sizes", [(3, 3), (4, 2)])
def test_two_processes_make_together_what_one_makes(monkeypatch, decoys, sizes):
    grounds = [ground(sizes[0]), ground(sizes[1], sizes[0])]
    marked = [labelled(4), labelled(3, 4)]
    options = EditedOptions(decoys=decoys)

    def step(data, pairs):
        return Step(nn.Identity(), data, pairs, torch.Generator().manual_seed(2))

    whole = edited_images(step(joined(grounds), joined(marked)), options)
    every = edited._Everything.of(step(joined(grounds), joined(marked)))
    monkeypatch.setattr(processes, "count", lambda: 2)
    monkeypatch.setattr(processes, "gathered", lambda value: list(sizes))
    monkeypatch.setattr(edited._Everything, "of", classmethod(lambda cls, step: every))
    parts = []
    for number in (0, 1):
        monkeypatch.setattr(processes, "number", lambda number=number: number)
        parts.append(edited_images(step(grounds[number], marked[number]), options))
    count, pasted = 7, len(whole.pairs)
    assert [len(part.pairs) for part in parts] == [pasted // 2, pasted - pasted // 2]
    assert [len(part.removed_classes) for part in parts] == [3, 4]
    for name in ("pairs", "grounds", "classes", "removed_classes"):
        together = torch.cat([getattr(part, name) for part in parts])
        assert together.tolist() == getattr(whole, name).tolist(), name
    kinds = [(pasted, "pasted"), (count, "removed"), *([(pasted, "decoys")] if decoys else [])]
    start, starts = 0, [0, 0]
    for size, name in kinds:
        made = []
        for number, part in enumerate(parts):
            own = len(part.removed_classes if name == "removed" else part.pairs)
            made.append(part.images[starts[number] : starts[number] + own])
            starts[number] += own
        torch.testing.assert_close(torch.cat(made), whole.images[start : start + size], msg=name)
        start += size
    assert start == len(whole.images)
    # each process has the grounds of its own batch, counted from its first image
    seen = [
        (row + offset, name)
        for part, offset in zip(parts, (0, sizes[0]), strict=True)
        for row, name in zip(part.ground_rows.tolist(), part.ground_classes.tolist(), strict=True)
    ]
    expected = list(zip(whole.grounds.tolist(), whole.classes.tolist(), strict=True))
    assert sorted(seen) == sorted(expected)
    for part, size in zip(parts, sizes, strict=True):
        assert all(0 <= row < size for row in part.ground_rows.tolist())


def test_a_term_is_registered_with_what_it_needs(monkeypatch):
    table = Registry("loss term")
    monkeypatch.setattr(terms, "TERMS", table)

    class Own(TermOptions):
        pass

    @terms.term("of-a-test", Own, needs_labels=True, prepare=print)
    def of_a_test(step, options):
        """Say nothing.

        At all.
        """

    made = table["of-a-test"]
    assert (made.compute, made.options, made.needs_labels) == (of_a_test, Own, True)
    assert made.prepare is print
    assert made.summary == "Say nothing."
    terms.term("plain", Own)(of_a_test)
    assert (table["plain"].needs_labels, table["plain"].prepare) == (False, None)


@pytest.mark.parametrize(
    ("balanced", "head_epochs", "reads"),
    [(False, 0, False), (True, 0, True), (False, 1, True), (True, 3, True)],
)
def test_a_mode_reads_the_context_where_it_balances(balanced, head_epochs, reads):
    assert Mode("x", {}, balanced, head_epochs).reads_context is reads


def test_a_mode_of_the_settings_comes_before_one_of_the_package():
    settings = SimpleNamespace(
        training=SimpleNamespace(mode="gain"), modes={"gain": {"classification": {}}}
    )
    assert mode_of(settings) == Mode("defined in the settings", {"classification": {}})
    settings.modes = {}
    assert mode_of(settings) is MODES["gain"]
