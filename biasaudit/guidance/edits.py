"""Edited images: an object pasted on another picture, an object taken out of its own."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.transforms.v2 import functional as image_functional


def paste(images: Tensor, regions: Tensor, grounds: Tensor, edge: float = 1.0) -> Tensor:
    """Put the object of each image on another picture, where it stood.

    Args:
        images: (M, 3, S, S) that hold the objects.
        regions: (M, S, S) in [0, 1].
        grounds: (M, 3, S, S) that they go on.
        edge: Standard deviation in px of the blur that softens the seam; 0 leaves it hard.

    Returns:
        (M, 3, S, S); far from the regions, the grounds bit by bit.
    """
    alpha = _softened(regions, edge)[:, None]
    return grounds + alpha * (images - grounds)


def remove(
    images: Tensor, regions: Tensor, spread: float = 0.1, *, ground: Tensor | None = None
) -> Tensor:
    """Fill the region of each image with the colours around it.

    The fill is a Gaussian average of the pixels outside the region alone (normalised
    convolution), so that nothing of the object leaks into it; too far inside for that, the mean
    colour of what is outside. An image that is all region gets the mean colour of the other
    images' surroundings: none is left of its own.

    Args:
        images: (M, 3, S, S).
        regions: (M, S, S), 1 inside.
        spread: Standard deviation of the average, as a share of S.
        ground: (3,) what an image that is all region gets; :func:`surroundings` of these images
            where None.

    Returns:
        (M, 3, S, S); outside the regions, the images bit by bit.
    """
    inside = (regions > 0).to(images.dtype)[:, None]
    outside = 1 - inside
    sigma = spread * images.shape[-1]
    around = images * outside
    blurred = _blurred(torch.cat([around, outside], dim=1), sigma)
    fill, weight = blurred[:, :-1], blurred[:, -1:]
    fill = fill / weight.clamp_min(1e-6)
    far = weight < 1e-3
    total, area = around.sum(dim=(2, 3)), outside.sum(dim=(2, 3))
    others = surroundings(images, regions) if ground is None else ground
    mean = torch.where(area > 0, total / area.clamp_min(1.0), others)[:, :, None, None]
    return torch.where(inside > 0, torch.where(far, mean, fill), images)


def surroundings(images: Tensor, regions: Tensor) -> Tensor:
    """Return (3,) the mean colour of (M, 3, S, S) images outside their (M, S, S) regions."""
    outside = 1 - (regions > 0).to(images.dtype)[:, None]
    total, area = (images * outside).sum(dim=(2, 3)), outside.sum(dim=(2, 3))
    return total.sum(dim=0) / area.sum(dim=0).clamp_min(1.0)


def grown(regions: Tensor, margin: float) -> Tensor:
    """Widen (M, S, S) regions by a square of ``margin`` of S to each side."""
    reach = round(margin * regions.shape[-1])
    widened = regions[:, None]
    # the maximum over a square is that of the rows' maxima
    for height, width in ((1, 0), (0, 1)):
        padding = (height * reach, width * reach)
        kernel = (2 * padding[0] + 1, 2 * padding[1] + 1)
        widened = functional.max_pool2d(widened, kernel, stride=1, padding=padding)
    return widened[:, 0]


def placed(images: Tensor, regions: Tensor, scale: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
    """Scale objects about their own middle and move them, no further than they stay in sight.

    An object larger than the frame is put in its middle. One that would still lose more than half
    of itself, such as two boats in opposite corners, stays as and where it was.

    Args:
        images: (M, 3, S, S).
        regions: (M, S, S).
        scale: (M,) factor of size.
        offset: (M, 2) move to the right and down, as a share of S.

    Returns:
        Both, of the same shapes; what comes from outside the images is no region.
    """
    if len(images) == 0:
        return images, regions
    middle, reach = _extent(regions)
    room = (1 - reach * scale[:, None]).clamp_min(0)
    # a grid runs from -1 to 1: a move by a share of S is twice that
    target = torch.clamp(middle + 2 * offset, -room, room)
    matrix = torch.zeros(len(images), 2, 3, dtype=images.dtype, device=images.device)
    matrix[:, 0, 0] = matrix[:, 1, 1] = 1 / scale
    matrix[:, :, 2] = middle - target / scale[:, None]
    both = torch.cat([images, regions[:, None]], dim=1)
    grid = functional.affine_grid(matrix, list(both.shape), align_corners=False)
    moved = functional.grid_sample(both, grid, align_corners=False)
    whole = (regions.mean(dim=(1, 2)) * scale.square()).clamp_max(1)
    lost = moved[:, 3].mean(dim=(1, 2)) < whole / 2
    moved = torch.where(lost[:, None, None, None], both, moved)
    return moved[:, :3], moved[:, 3]


def _extent(regions: Tensor) -> tuple[Tensor, Tensor]:
    """Return the middle and half the size of each region, (M, 2) each, x and y from -1 to 1."""
    size = regions.shape[-1]
    axis = (2 * torch.arange(size, device=regions.device) + 1).to(regions) / size - 1
    there = torch.stack([regions.amax(dim=1), regions.amax(dim=2)], dim=1) > 0
    low = torch.where(there, axis, 1.0).amin(dim=2) - 1 / size
    high = torch.where(there, axis, -1.0).amax(dim=2) + 1 / size
    return (low + high) / 2, ((high - low) / 2).clamp_min(0)


def _softened(regions: Tensor, sigma: float) -> Tensor:
    return _blurred(regions[:, None], sigma)[:, 0] if sigma > 0 else regions


def _blurred(values: Tensor, sigma: float) -> Tensor:
    height, width = values.shape[2:]
    down = _blurring(height, sigma, values.dtype, values.device)
    across = _blurring(width, sigma, values.dtype, values.device)
    return down @ (values @ across.T)


@lru_cache(maxsize=16)
def _blurring(size: int, sigma: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the (size, size) matrix that blurs a line of pixels, mirrored at its ends.

    A Gaussian is separable and the blur is linear: two products with this matrix are the blur of
    torchvision, whose convolution with so wide a kernel takes longer than a network.
    """
    length = 2 * min(round(3 * sigma), size // 2 - 1) + 1
    points = torch.eye(size, dtype=dtype, device=device)[None]
    matrix: Tensor = image_functional.gaussian_blur(points, [1, length], [sigma, sigma])
    return matrix[0]
