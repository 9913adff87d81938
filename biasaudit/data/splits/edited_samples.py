"""Samples that are edited versions of others, each with its partner's id."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from biasaudit.data.loading.keys import key_of
from biasaudit.data.sample import Image, Mask, Sample
from biasaudit.data.splits import edits
from biasaudit.registry import Registry


@dataclass(frozen=True)
class EditKind:
    """A way to edit an image, and what is left of it.

    Attributes:
        summary: One line for a list.
        apply: Takes the image, the mask that the edit follows, and a ground (the image itself
            where the edit takes none).
        keeps_object: Whether the object is still there: the right answer.
        keeps_rest: Whether what surrounds it still is.
        shows_context: Whether the context is there afterwards.
        ground: Whether it takes a second picture, which the edited image then shows too.
        of_context: Whether the edit follows the context's mask, and replaces the context.
        made: How it is made, the context aside: edits of one such name leave the same trace, and
            two versions of one image that are made so differ in the context alone. Empty where no
            other edit is made in the same way.
        control: Whether it is there to be compared with another version alone.
        fills: Whether it needs OpenCV to fill a place.
    """

    summary: str
    apply: Callable[[Image, Mask, Image], Image]
    keeps_object: bool
    keeps_rest: bool
    shows_context: bool = False
    ground: bool = False
    of_context: bool = False
    made: str = ""
    control: bool = False
    fills: bool = False


EDITS: Registry[EditKind] = Registry("edit")
EDITS.add(
    "removed",
    EditKind(
        "the object is taken out and the place filled in",
        lambda image, mask, _: edits.remove(image, mask),
        keeps_object=False,
        keeps_rest=True,
        shows_context=True,
        fills=True,
    ),
)
EDITS.add(
    "on-other-ground",
    EditKind(
        "the object stands on a picture without the context",
        edits.paste,
        keeps_object=True,
        keeps_rest=False,
        ground=True,
        made="pasted",
    ),
)
EDITS.add(
    "on-context-ground",
    EditKind(
        "the object stands on another picture with the context: what the other ground is held to",
        edits.paste,
        keeps_object=True,
        keeps_rest=False,
        shows_context=True,
        ground=True,
        made="pasted",
        control=True,
    ),
)
for _name, _there in (("patch-on-other-ground", False), ("patch-on-context-ground", True)):
    EDITS.add(
        _name,
        EditKind(
            f"a picture {'with' if _there else 'without'} the context, filled anew in the shape of "
            "the object",
            edits.patch,
            keeps_object=False,
            keeps_rest=False,
            shows_context=_there,
            ground=True,
            made="patched",
            control=True,
            fills=True,
        ),
    )
EDITS.add(
    "context-replaced",
    EditKind(
        "a picture without the context fills the context's place",
        edits.replace_context,
        keeps_object=True,
        keeps_rest=True,
        ground=True,
        of_context=True,
    ),
)
EDITS.add(
    "alone",
    EditKind(
        "everything but the object is black",
        lambda image, mask, _: edits.only_object(image, mask),
        keeps_object=True,
        keeps_rest=False,
    ),
)
EDITS.add(
    "blackened",
    EditKind(
        "the object is black",
        lambda image, mask, _: edits.only_context(image, mask),
        keeps_object=False,
        keeps_rest=True,
        shows_context=True,
    ),
)


@dataclass(frozen=True)
class EditedImage:
    """An image that is edited when called.

    Attributes:
        kind: A name in :data:`EDITS`.
        sample: What is edited.
        masked: The class whose region the edit follows.
        ground: The second picture; ``sample`` itself where the edit takes none.
    """

    kind: str
    sample: Sample
    masked: str
    ground: Sample

    def __call__(self) -> Image:
        """Return the edited image, (H, W, 3)."""
        image, mask = self.sample.load_image(), self.sample.regions[self.masked].load()
        ground = image if self.ground is self.sample else self.ground.load_image()
        return EDITS[self.kind].apply(image, mask, ground)

    def key(self, content: Callable[[Path], str]) -> str | None:
        """Return what the pixels depend on; see :class:`biasaudit.data.loading.keys.Keyed`."""
        import cv2

        pictures = [key_of(self.sample, content), key_of(self.ground, content)]
        if None in pictures:
            return None
        mask = self.sample.regions[self.masked].load()
        filler = cv2.__version__ if EDITS[self.kind].fills else None
        shape = hashlib.blake2b(np.packbits(mask).tobytes(), digest_size=16).hexdigest()
        return repr((self.kind, *pictures, mask.shape, shape, filler))


def edited(
    sample: Sample,
    kind: str,
    object: str,
    context: str | None = None,
    grounds: Sequence[Sample] = (),
    seed: int = 0,
) -> Sample:
    """Return an edited version of a sample, whose pixels are made when it is loaded.

    The same sample, kind, grounds and seed give the same bytes, whatever else there is.

    Args:
        sample: Shows the object, and has the region that the edit follows.
        kind: A name in :data:`EDITS`.
        object: The object.
        context: The context; needed where the edit follows its region.
        grounds: Pictures to choose one from by seed, with the context or without as the edit has
            it; needed where the edit takes one.
        seed: 0 or more.

    Raises:
        ConfigError: No such edit.
    """
    how = EDITS[kind]
    masked = str(context) if how.of_context else object
    gone = {object, masked}
    ground = _chosen(sample, grounds, seed) if how.ground else None
    labels = sample.labels - gone if how.keeps_rest else frozenset()
    contexts = sample.contexts - gone if how.keeps_rest else frozenset()
    regions = sample.regions if how.keeps_rest else {}
    regions = {name: region for name, region in regions.items() if name not in gone}
    if ground is not None:
        labels, contexts = labels | ground.labels, contexts | ground.contexts
    annotated = None if context is None else frozenset({context, *contexts})
    if how.keeps_object:
        labels |= {object}
        regions |= {object: sample.regions[object]} if object in sample.regions else {}
    return replace(
        sample,
        id=f"{sample.id}#{object}-{kind}",
        labels=labels,
        contexts=contexts,
        load_image=EditedImage(kind, sample, masked, ground or sample),
        regions=regions,
        pair=sample.id,
        edit=how.made,
        annotated=annotated,
    )


def _chosen(sample: Sample, grounds: Sequence[Sample], seed: int) -> Sample:
    """Choose a ground by the sample's own id, so that other samples do not matter."""
    ordered = sorted(grounds, key=lambda ground: ground.id)
    generator = np.random.default_rng([seed, zlib.crc32(sample.id.encode())])
    return ordered[int(generator.integers(len(ordered)))]
