"""Geometry of a batch of photos: each is turned, scaled, sheared and shifted in one resampling."""

from __future__ import annotations

import torch
from torch.nn import functional


def warp(photos: torch.Tensor, matrices: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
    """Return each photo seen through its own affine map. Edges are reflected.

    Args:
        photos: (N, C, H, W) float.
        matrices: (N, 2, 2), from a place (x, y) in the result to that in the photo, in pixels from
            the centre.
        shifts: (N, 2), how far right and down that place lies further, as fractions of the sides.

    Returns:
        (N, C, H, W) float.
    """
    height, width = photos.shape[2:]
    aspect = width / height
    # The grid runs from -1 to 1 along either side, so that its units are no squares.
    units = torch.tensor([[1.0, 1 / aspect], [aspect, 1.0]])
    affine = torch.cat([matrices * units, 2 * shifts[:, :, None]], dim=2)  # (N, 2, 3)
    grid = functional.affine_grid(affine.to(photos.device), list(photos.shape), align_corners=False)
    return functional.grid_sample(photos, grid, padding_mode="reflection", align_corners=False)
