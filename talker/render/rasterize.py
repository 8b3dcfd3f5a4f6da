"""Pictures that gradients flow through: which face each pixel shows, and where in that face the pixel lies.

What hides what is looked up and has no gradient; the weights of a pixel's three corners have one, so that a picture
mixed with them says how its vertices should move. `talker.render.pytorch3d` offers the same through PyTorch3D.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

NOTHING = -1
"""What `Seen.faces` holds where no face is seen."""

_DEPTH_BITS = 32  # Of a pixel's 64-bit key: depth above, face below, so that the least key is the nearest face.


@dataclass(frozen=True, eq=False)
class Seen:
    """What a batch of square pictures shows.

    Attributes:
        faces: (B, S, S) int64 index of the face, or `NOTHING`.
        weights: (B, S, S, 3) barycentric weights of its corners, differentiable in the vertices; 0 where nothing is.
    """

    faces: Tensor
    weights: Tensor

    def interpolate(self, faces: Tensor, values: Tensor, background: float = 0.0) -> Tensor:
        """Mix the values of the vertices: (F, 3) faces and (B, V) values -> (B, S, S)."""
        corners = _at_corners(values[..., None], faces, self.faces)[..., 0]
        empty = self.faces == NOTHING
        return torch.where(empty, background, (corners * self.weights).sum(-1))


Rasteriser = Callable[[Tensor, Tensor, int], Seen]
"""(B, V, 3) screen, (F, 3) int64 faces, size S -> what is seen.

The screen's x and y are pixels from the top left, a pixel's centre lies at + 0.5; z is the distance. Faces seen from
behind (those that run counter-clockwise on a screen whose y points down) are left out.
"""


def rasterize(screen: Tensor, faces: Tensor, size: int) -> Seen:
    """The `Rasteriser` in plain torch; on the CPU the compiled loops of `talker.render.raster` look up what is seen."""
    with torch.no_grad():
        look = _visible_compiled if screen.device.type == "cpu" else visible_faces
        seen = look(screen.detach(), faces, size)
    return Seen(seen, _weights(screen[..., :2], faces, seen))


def visible_faces(screen: Tensor, faces: Tensor, size: int) -> Tensor:
    """(B, S, S) the nearest face at every pixel: all faces at once, on any device.

    Each face is tested at the pixels of a square window around it; windows come in powers of two, so that a large face
    does not enlarge those of the small ones.
    """
    batch = len(screen)
    corners = screen[:, faces]  # (B, F, 3, 3)
    low = torch.ceil(corners[..., :2].amin(2) - 0.5).clamp(min=0)
    high = torch.floor(corners[..., :2].amax(2) - 0.5).clamp(max=size - 1)
    extent = (high - low + 1).amin(-1).clamp(max=1) * (high - low + 1).amax(-1)  # 0 where no pixel can be hit.
    keys = torch.full((batch * size * size,), torch.iinfo(torch.int64).max, device=screen.device)
    window = 1
    while window < 2 * size:
        chosen = (extent > window // 2) & (extent <= window)
        item, face = chosen.nonzero(as_tuple=True)
        _test_windows(keys, item, face, corners[item, face], low[item, face], window, size)
        window *= 2
    nearest = torch.where(keys == torch.iinfo(torch.int64).max, NOTHING, keys & ((1 << _DEPTH_BITS) - 1))
    return nearest.reshape(batch, size, size)


def _test_windows(
    keys: Tensor, item: Tensor, face: Tensor, corners: Tensor, low: Tensor, window: int, size: int
) -> None:
    """Lower the (B * S * S,) keys wherever one of N faces, (N, 3, 3) corners, is nearer; windows begin at `low`."""
    steps = torch.arange(window, device=keys.device)
    x = low[:, :1, None] + steps
    y = low[:, 1:, None] + steps[:, None]
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = (corners[:, k].T[..., None, None] for k in range(3))
    area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    scale = 1.0 / torch.where(area < 0, area, -torch.inf)
    w0 = ((cx - bx) * (y + 0.5 - by) - (x + 0.5 - bx) * (cy - by)) * scale
    w1 = ((ax - cx) * (y + 0.5 - cy) - (x + 0.5 - cx) * (ay - cy)) * scale
    w2 = 1.0 - w0 - w1
    hit = (area < 0) & (w0 >= 0) & (w1 >= 0) & (w2 >= 0) & (x < size) & (y < size)
    depth = (w0 * az + w1 * bz + w2 * cz).float().contiguous()
    # The bits of positive floats are ordered like the numbers.
    key = (depth.view(torch.int32).long() << _DEPTH_BITS) | face[:, None, None]
    pixel = (item[:, None, None] * size + y.long()) * size + x.long()
    keys.scatter_reduce_(0, pixel[hit], key[hit], "amin")


def _visible_compiled(screen: Tensor, faces: Tensor, size: int) -> Tensor:
    from talker.render import raster

    corners = faces.numpy().astype(np.int32)
    seen = [raster.visible_faces(picture, corners, size, size)[0] for picture in screen.float().numpy()]
    return torch.from_numpy(np.stack(seen)).long()


def _weights(screen: Tensor, faces: Tensor, seen: Tensor) -> Tensor:
    """(B, V, 2) pixels -> (B, S, S, 3) barycentric weights of each pixel's centre in the face it shows."""
    (ax, ay), (bx, by), (cx, cy) = (corner.unbind(-1) for corner in _at_corners(screen, faces, seen).unbind(-2))
    centres = torch.arange(seen.shape[-1], device=screen.device, dtype=screen.dtype) + 0.5
    x, y = centres, centres[:, None]
    area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    empty = seen == NOTHING
    scale = torch.where(empty, 0.0, 1.0 / torch.where(empty, 1.0, area))
    w0 = ((cx - bx) * (y - by) - (x - bx) * (cy - by)) * scale
    w1 = ((ax - cx) * (y - cy) - (x - cx) * (ay - cy)) * scale
    return torch.stack([w0, w1, torch.where(empty, 0.0, 1.0 - w0 - w1)], -1)


def _at_corners(values: Tensor, faces: Tensor, seen: Tensor) -> Tensor:
    """(B, V, C) values -> (B, S, S, 3, C) at the corners of the faces seen; anything where nothing is."""
    batch, count, channels = values.shape
    offset = torch.arange(batch, device=values.device)[:, None, None, None] * count
    place = faces[seen.clamp(min=0)] + offset
    return values.reshape(-1, channels).index_select(0, place.flatten()).reshape(*place.shape, channels)
