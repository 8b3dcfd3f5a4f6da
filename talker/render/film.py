"""`Film`: the pictures of a take one after another, at a memory that does not grow with its length."""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch

from talker.animation import FaceAnimation
from talker.errors import TalkerError
from talker.render.curve_strip import CurveStrip
from talker.render.portrait import Camera, Portrait

SIDE_YAW = np.radians(70)
"""Where the second camera stands: 70 degrees to the subject's left, so that the profile looks to the left."""

MIN_SIZE, MAX_SIZE = 64, 4096

_BATCH = 32  # Frames posed at once.
_WAITING = 4  # Pictures per thread that may be finished before they are asked for.


class Film:
    """Draws an animation frame by frame.

    Args:
        animation: The take.
        portrait: The head that performs it.
        size: Height and width of each view in pixels; made even, as video wants it.
        side_view: Add the face from the side, to the right.
        curve_strip: Add the strongest curves, below.
    """

    def __init__(
        self,
        animation: FaceAnimation,
        portrait: Portrait,
        size: int = 512,
        side_view: bool = False,
        curve_strip: bool = False,
    ) -> None:
        if not MIN_SIZE <= size <= MAX_SIZE:
            raise TalkerError(
                f"a picture of {size} pixels cannot be drawn; choose a size from {MIN_SIZE} to {MAX_SIZE}"
            )
        self._size = size + size % 2
        self._animation, self._portrait = animation, portrait
        head = portrait.head
        self._cameras = [Camera.for_head(head)] + [Camera.for_head(head, SIDE_YAW)] * side_view
        width = self._size * len(self._cameras)
        self._strip = CurveStrip(animation, width, self._size // 8 * 2) if curve_strip else None
        self.height = self._size + (self._strip.height if self._strip else 0)
        self.width = width

    def frame(self, index: int) -> np.ndarray:
        """(height, width, 3) uint8 picture of one frame."""
        curves = torch.tensor(self._animation.curves[index])
        return self._draw(index, self._portrait.head.vertices(curves).numpy())

    def frames(self) -> Iterator[np.ndarray]:
        """All pictures in order, drawn ahead by one thread per core."""
        threads = os.cpu_count() or 1
        pending: deque[Future[np.ndarray]] = deque()
        with ThreadPoolExecutor(threads) as pool:
            try:
                for index, vertices in self._posed():
                    pending.append(pool.submit(self._draw, index, vertices))
                    if len(pending) >= threads * _WAITING:
                        yield pending.popleft().result()
                while pending:
                    yield pending.popleft().result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _posed(self) -> Iterator[tuple[int, np.ndarray]]:
        curves = self._animation.curves
        for start in range(0, len(curves), _BATCH):
            vertices = self._portrait.head.vertices(torch.tensor(curves[start : start + _BATCH])).numpy()
            yield from enumerate(vertices, start)

    def _draw(self, index: int, vertices: np.ndarray) -> np.ndarray:
        views = [self._portrait.draw(vertices, camera, self._size) for camera in self._cameras]
        picture = np.concatenate(views, axis=1)
        if self._strip is None:
            return picture
        return np.concatenate([picture, self._strip.draw(index)])
