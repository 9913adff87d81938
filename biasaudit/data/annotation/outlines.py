"""What a bounding box holds: the object's own outline, cut out by the image and the box alone.

GrabCut (C. Rother, V. Kolmogorov and A. Blake, SIGGRAPH 2004; OpenCV's) fits colour models to what
lies inside the box and outside, and cuts where they part. It costs no label beyond the box. A.
Khoreva et al., *Simple Does It*, CVPR 2017, train on such outlines in the place of masks.
"""

from __future__ import annotations

import numpy as np

from biasaudit.data.sample import Image, Mask

ROUNDS = 3
"""Times that colour models and cut are fitted in turn; more change little."""
LEAST_SHARE = 0.1
"""Share of the box that an outline fills at least; a smaller one has lost its object."""
LEAST_GROUND = 0.02
"""Share of the image that must lie outside the box: the ground's colours are learnt there."""


def outline(image: Image, box: Mask) -> Mask:
    """Return the object within a filled box.

    Args:
        image: (H, W, 3).
        box: (H, W), True inside the box, or inside several.

    Returns:
        (H, W), within ``box``: the object, or the whole box where no object stands out, or where
        the box leaves no ground to tell it from. The same image and box give the same outline.
    """
    if not box.any() or (~box).mean() < LEAST_GROUND:
        return box
    found: Mask = cut_out(image, box, ~box) & box
    return found if found.sum() >= LEAST_SHARE * box.sum() else box


def cut_out(image: Image, likely: Mask, sure: Mask) -> Mask:
    """Follow the image's colours from a guess.

    Args:
        image: (H, W, 3).
        likely: (H, W), True inside by the guess, which names an inside and an outside.
        sure: (H, W), True where the guess is not to be changed.

    Returns:
        (H, W), True inside. The same image and guess give the same cut.
    """
    import cv2

    inside = np.where(sure, cv2.GC_FGD, cv2.GC_PR_FGD)
    marks = np.where(likely, inside, np.where(sure, cv2.GC_BGD, cv2.GC_PR_BGD)).astype(np.uint8)
    # its colour models start from random centres
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    unused = (0, 0, 0, 0)  # the marks say where the object lies
    pixels = np.ascontiguousarray(image[..., ::-1])
    cv2.grabCut(pixels, marks, unused, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    return (marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)
