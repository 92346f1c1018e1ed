"""Where labels go beside points, so that none covers another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]
"""(N, 4): left, bottom, right, top."""

_RADII = (9, 15, 24, 36)
_STEP = 9
"""Distance between the places that are tried when none close to a point is free, in pixels."""


@dataclass(frozen=True)
class Frame:
    """The area that labels must stay inside, in pixels."""

    left: float
    bottom: float
    right: float
    top: float


def place(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    obstacles: Boxes,
    frame: Frame,
) -> list[tuple[float, float]]:
    """Return the lower left corner of each label.

    Each takes the cheapest place that is left: close to its point, clear of other labels, of the
    points and, where it can be, of the obstacles. The same input gives the same places.

    Args:
        points: (x, y) of each point.
        sizes: (width, height) of each label.
        obstacles: what labels had better not cover.
        frame: no label leaves it.
    """
    dots = np.array([[x - 7, y - 7, x + 7, y + 7] for x, y in points]).reshape(-1, 4)
    placed, leaders = np.empty((0, 4)), np.empty((0, 4))
    corners = []
    for (x, y), (width, height) in zip(points, sizes, strict=True):
        places = _places(x, y, width, height, frame)
        distance = np.hypot(places[:, [0, 2]].mean(axis=1) - x, places[:, [1, 3]].mean(axis=1) - y)
        cost = (
            1e4 * (_overlap(places, placed) > 0)
            + 20 * _overlap(places, placed)
            + 20 * _overlap(places, dots)
            + 20 * _overlap(places, leaders)
            + 4 * _overlap(places, obstacles)
            + 100 * _crossings(x, y, places, placed)
            + distance
        )
        best = places[int(np.argmin(cost))]
        placed = np.vstack([placed, best])
        steps = _leader(x, y, best[None])[0]
        leaders = np.vstack([leaders, np.hstack([steps - 2, steps + 2])])
        corners.append((float(best[0]), float(best[1])))
    return corners


def _leader(x: float, y: float, boxes: Boxes) -> NDArray[np.float64]:
    """Return points on the way from (x, y) to each box, (N, 8, 2)."""
    ends = np.stack([np.clip(x, boxes[:, 0], boxes[:, 2]), np.clip(y, boxes[:, 1], boxes[:, 3])], 1)
    shares = np.linspace(0.1, 0.9, 8)[:, None]
    return np.asarray(np.array([x, y]) * (1 - shares) + ends[:, None] * shares)


def _crossings(x: float, y: float, boxes: Boxes, placed: Boxes) -> NDArray[np.float64]:
    """Return how far the way to each box runs through labels that are placed, (N,)."""
    if not len(placed):
        return np.zeros(len(boxes))
    steps = _leader(x, y, boxes)[:, :, None]
    inside = (steps >= placed[:, :2]) & (steps <= placed[:, 2:])
    return np.asarray(inside.all(axis=3).sum(axis=(1, 2)), np.float64)


def _places(x: float, y: float, width: float, height: float, frame: Frame) -> Boxes:
    """Return the boxes a label could take: around its point first, then anywhere in the frame."""
    near = [
        (x + dx * radius - width * (1 - dx) / 2, y + dy * radius - height * (1 - dy) / 2)
        for radius in _RADII
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
    ]
    columns = np.arange(frame.left, max(frame.right - width, frame.left) + 1, _STEP)
    rows = np.arange(frame.bottom, max(frame.top - height, frame.bottom) + 1, _STEP)
    anywhere = [(column, row) for row in rows for column in columns]
    corners = np.array(near + anywhere)
    boxes = np.hstack([corners, corners + np.array([width, height])])
    inside = (
        (boxes[:, 0] >= frame.left) & (boxes[:, 1] >= frame.bottom)
        & (boxes[:, 2] <= frame.right) & (boxes[:, 3] <= frame.top)
    )  # fmt: skip
    # A label wider than the frame has no place inside: it starts at the left edge.
    return boxes[inside] if inside.any() else boxes[len(near) :]


def _overlap(boxes: Boxes, others: Boxes) -> NDArray[np.float64]:
    """Return the area of each box that the others cover, (N,)."""
    if not len(others):
        return np.zeros(len(boxes))
    width = np.minimum(boxes[:, None, 2], others[:, 2]) - np.maximum(
        boxes[:, None, 0], others[:, 0]
    )
    height = np.minimum(boxes[:, None, 3], others[:, 3]) - np.maximum(
        boxes[:, None, 1], others[:, 1]
    )
    return np.asarray((np.clip(width, 0, None) * np.clip(height, 0, None)).sum(axis=1))


def spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Return positions at least `gap` apart, in the order of `wanted` and as close as they can be.

    For labels in a column: each pushes its neighbours away just far enough, both ways alike.
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    groups: list[tuple[float, list[int]]] = []  # (middle of the group, its members)
    for index in order:
        middle, members = wanted[index], [index]
        while groups and middle - groups[-1][0] < gap * (len(members) + len(groups[-1][1])) / 2:
            other, others = groups.pop()
            size = len(members) + len(others)
            middle = (middle * len(members) + other * len(others)) / size
            members = others + members
        groups.append((middle, members))
    positions = [0.0] * len(wanted)
    for middle, members in groups:
        for rank, index in enumerate(members):
            positions[index] = middle + gap * (rank - (len(members) - 1) / 2)
    return positions
