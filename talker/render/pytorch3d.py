"""The `Rasteriser` of `talker.render.rasterize` by PyTorch3D, for those who have it installed."""

import torch
from torch import Tensor

from talker.errors import TalkerError
from talker.render.rasterize import Seen

_NEAR = 1.0  # PyTorch3D draws nothing at a distance of zero or less.


def rasterize(screen: Tensor, faces: Tensor, size: int) -> Seen:
    """See `talker.render.rasterize.Rasteriser`."""
    try:
        from pytorch3d.renderer.mesh import rasterize_meshes
        from pytorch3d.structures import Meshes
    except ImportError as error:
        raise TalkerError(f"PyTorch3D cannot be loaded ({error}); use talker.render.rasterize instead") from error

    # Its x points to the left and its y up, both from -1 to 1.
    place = 1.0 - 2.0 * screen[..., :2] / size
    distance = screen[..., 2:] - screen[..., 2:].detach().amin((1, 2), keepdim=True) + _NEAR
    meshes = Meshes(torch.cat([place, distance], -1), faces.expand(len(screen), -1, -1))
    found, _, weights, _ = rasterize_meshes(
        meshes, size, blur_radius=0.0, faces_per_pixel=1, perspective_correct=False, cull_backfaces=True
    )
    found, weights = found[..., 0], weights[..., 0, :]
    empty = found < 0
    offset = torch.arange(len(screen), device=screen.device)[:, None, None] * len(faces)
    return Seen(torch.where(empty, found, found - offset), torch.where(empty[..., None], 0.0, weights))
