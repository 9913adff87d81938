"""One image changed in one thing: pictures and masks in, a picture out.

The variants are those of the Backgrounds Challenge (K. Xiao, L. Engstrom, A. Ilyas and A. Madry,
*Noise or Signal: The Role of Image Backgrounds in Object Recognition*, ICLR 2021) and the object's
removal. The fill is OpenCV's, by the fast marching method of A. Telea, *An Image Inpainting
Technique Based on the Fast Marching Method*, 2004: as good as any without a network on grounds
like water and grass, and quick enough to be done whenever an image is loaded.
"""

from __future__ import annotations

import numpy as np
import PIL.Image

from biasaudit.data.sample import Image, Mask

RADIUS = 5.0
"""Neighbourhood in px that each filled pixel is estimated from."""
MARGIN = 4
"""Width in px of the rim around a mask that its filling is not estimated from."""


def remove(image: Image, mask: Mask) -> Image:
    """Take what a mask covers out and fill the place from around it.

    Args:
        image: (H, W, 3).
        mask: (H, W), True where the object is.

    Returns:
        (H, W, 3); outside the mask, the image bit by bit.

    Raises:
        ValueError: The shapes differ, or the mask covers everything.
    """
    _check(image, mask)
    if mask.all():
        raise ValueError("nothing is left to fill from: the mask covers the whole image")
    import cv2

    hole = mask.astype(np.uint8)
    # A mask ends a little inside its object: what lies next to it is no colour to fill with.
    wide = cv2.dilate(hole, np.ones((3, 3), dtype=np.uint8), iterations=MARGIN)
    filled = cv2.inpaint(
        np.ascontiguousarray(image), hole if wide.all() else wide, RADIUS, cv2.INPAINT_TELEA
    )
    return np.where(mask[..., None], filled, image)


def paste(image: Image, mask: Mask, ground: Image) -> Image:
    """Put what a mask covers on another picture, where it stood.

    Args:
        image: (H, W, 3).
        mask: (H, W), True where the object is.
        ground: (h, w, 3) of any size; scaled and cut at its centre to cover the image's.

    Returns:
        (H, W, 3); inside the mask, the image bit by bit.

    Raises:
        ValueError: The shapes of image and mask differ.
    """
    _check(image, mask)
    return np.where(mask[..., None], image, cover(ground, image.shape[0], image.shape[1]))


def patch(image: Image, mask: Mask, ground: Image) -> Image:
    """Fill another picture anew where a mask lies: a removal's trace without an object's.

    Args:
        image: (H, W, 3); its size alone matters.
        mask: (H, W), True where the object is.
        ground: (h, w, 3) of any size, as in :func:`paste`.

    Returns:
        (H, W, 3).

    Raises:
        ConfigError: OpenCV is not installed.
        ValueError: The shapes differ, or the mask covers everything.
    """
    return remove(cover(ground, image.shape[0], image.shape[1]), mask)


def replace_context(image: Image, mask: Mask, ground: Image) -> Image:
    """Put another picture where a mask covers the context; all else stays.

    Args:
        image: (H, W, 3).
        mask: (H, W), True where the context is.
        ground: (h, w, 3) of any size, as in :func:`paste`.

    Returns:
        (H, W, 3); outside the mask, the image bit by bit.

    Raises:
        ValueError: The shapes of image and mask differ.
    """
    return paste(image, ~mask, ground)


def only_object(image: Image, mask: Mask) -> Image:
    """Blacken everything but what a mask covers (the challenge's "only foreground").

    Raises:
        ValueError: The shapes differ.
    """
    _check(image, mask)
    return np.where(mask[..., None], image, np.uint8(0))


def only_context(image: Image, mask: Mask) -> Image:
    """Blacken what a mask covers (the challenge's "no foreground").

    Raises:
        ValueError: The shapes differ.
    """
    return only_object(image, ~mask)


def cover(picture: Image, height: int, width: int) -> Image:
    """Scale a picture so that it covers a frame, and cut it at its centre.

    Returns:
        (height, width, 3).
    """
    own_height, own_width = picture.shape[:2]
    scale = max(height / own_height, width / own_width)
    size = (max(width, round(own_width * scale)), max(height, round(own_height * scale)))
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    scaled = PIL.Image.fromarray(picture).resize(size, PIL.Image.Resampling.BICUBIC)
    return np.array(scaled)[top : top + height, left : left + width]


def _check(image: Image, mask: Mask) -> None:
    if image.shape[:2] != mask.shape:
        raise ValueError(f"the mask is of shape {mask.shape}, the image of {image.shape[:2]}")
