"""Pictures that gradients flow through: what is seen, from which side, and how it changes."""

from collections.abc import Callable
from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor

from talker.render.crops import Crop, face_crop, mouth_crop, vertex_normals
from talker.render.rasterize import NOTHING, rasterize, visible_faces
from talker.rigs import arkit

SQUARE = torch.tensor([[2.0, 2.0, 5.0], [2.0, 14.0, 5.0], [14.0, 14.0, 5.0], [14.0, 2.0, 5.0]])
SQUARE_FACES = torch.tensor([[0, 1, 2], [0, 2, 3]])


def pose(**weights: float) -> Tensor:
    curves = torch.zeros(arkit.CHANNEL_COUNT)
    for name, weight in weights.items():
        curves[arkit.INDEX[name]] = weight
    return curves


def lively(frames: int) -> Tensor:
    curves = 0.4 * torch.rand(frames, arkit.CHANNEL_COUNT, generator=torch.Generator().manual_seed(0))
    curves[:, arkit.SHAPE_COUNT :] -= 0.2
    return curves


def screen_of(crop: Crop, curves: Tensor) -> Tensor:
    return crop.screen(crop.head.vertices(curves), curves[:, arkit.HEAD])


def test_a_square_covers_the_pixels_whose_centres_it_contains() -> None:
    seen = rasterize(SQUARE[None], SQUARE_FACES, 16)
    covered = seen.faces[0] != NOTHING
    assert covered[2:14, 2:14].all()
    assert covered.sum() == 144
    assert torch.allclose(seen.weights.sum(-1)[0], covered.float(), atol=1e-5)


def test_values_are_mixed_linearly_across_a_face() -> None:
    values = 3.0 * SQUARE[:, 0] - 2.0 * SQUARE[:, 1]
    picture = rasterize(SQUARE[None], SQUARE_FACES, 16).interpolate(SQUARE_FACES, values[None], background=-9.0)[0]
    centres = torch.arange(16) + 0.5
    inside = slice(2, 14)
    assert torch.allclose(picture[inside, inside], (3.0 * centres - 2.0 * centres[:, None])[inside, inside], atol=1e-4)
    assert (picture[:2] == -9.0).all()


@pytest.mark.parametrize("look", [lambda *a: rasterize(*a).faces, visible_faces], ids=["compiled", "torch"])
def test_the_nearest_face_hides_the_others_and_backs_are_not_seen(look) -> None:  # type: ignore[no-untyped-def]
    nearer = SQUARE * torch.tensor([0.5, 0.5, 0.5])
    both = torch.cat([SQUARE, nearer])[None]
    seen = look(both, torch.cat([SQUARE_FACES, SQUARE_FACES + 4]), 16)[0]
    assert (seen[2:7, 2:7] >= 2).all()
    assert (seen[8:14, 8:14] < 2).all()
    assert (look(SQUARE[None], SQUARE_FACES.flip(1), 16) == NOTHING).all()


def test_both_ways_of_looking_see_the_same_head() -> None:
    crop = mouth_crop()
    screen = screen_of(crop, lively(2))
    agree = visible_faces(screen, crop.head.faces, crop.size) == rasterize(screen, crop.head.faces, crop.size).faces
    assert agree.float().mean() > 0.999


@pytest.mark.parametrize("crop_of", [mouth_crop, face_crop])
def test_gradients_equal_finite_differences_where_visibility_does_not_change(crop_of: Callable[[], Crop]) -> None:
    curves = lively(1).double()
    double = _in_double(crop_of())
    direction = torch.randn(curves.shape, generator=torch.Generator().manual_seed(1)).double()
    direction /= direction.norm()
    step = 1e-6
    before, after = (curves + sign * step * direction for sign in (-1, 1))
    faces = [_seen(double, c) for c in (before, curves, after)]
    same = (faces[0] == faces[1]) & (faces[1] == faces[2]) & (faces[1] != NOTHING)
    weight = torch.randn(same.shape, generator=torch.Generator().manual_seed(2)).double() * same

    moved = curves.clone().requires_grad_()
    (double.render(moved) * weight).sum().backward()
    assert moved.grad is not None
    analytic = (moved.grad * direction).sum()
    with torch.no_grad():
        numeric = ((double.render(after) - double.render(before)) * weight).sum() / (2 * step)
    assert same.float().mean() > 0.7
    assert analytic == pytest.approx(float(numeric), rel=1e-3)


def _seen(crop: Crop, curves: Tensor) -> Tensor:
    return rasterize(screen_of(crop, curves), crop.head.faces, crop.size).faces


def _in_double(crop: Crop) -> Crop:
    head = crop.head
    floats = {
        f.name: getattr(head, f.name).double()
        for f in fields(head)
        if isinstance(getattr(head, f.name), Tensor) and getattr(head, f.name).is_floating_point()
    }
    return replace(crop, head=replace(head, **floats), grey=crop.grey.double(), centre=crop.centre.double())


def test_an_open_mouth_is_dark_inside_and_shut_lips_are_not() -> None:
    crop = mouth_crop()
    shut, wide = crop.render(torch.stack([pose(), pose(jawOpen=0.5)]))
    middle = (slice(crop.size // 4, 3 * crop.size // 4),) * 2
    assert (wide[middle] < 0.3).float().mean() > 3 * (shut[middle] < 0.3).float().mean() + 0.02


def test_following_the_gradient_opens_the_mouth_of_the_picture() -> None:
    crop = mouth_crop()
    target = crop.render(pose(jawOpen=0.35))
    curves = pose(jawOpen=0.25).requires_grad_()
    (crop.render(curves) - target).square().mean().backward()
    assert curves.grad is not None
    assert curves.grad[arkit.INDEX["jawOpen"]] < 0


def test_a_turned_head_keeps_its_mouth_in_the_middle() -> None:
    crop, turned = mouth_crop(), pose()
    turned[arkit.HEAD] = torch.tensor([0.25, 0.2, 0.1])
    straight, aside = screen_of(crop, torch.stack([pose(), turned]))
    target = torch.tensor([crop.size / 2, crop.size / 2, float(straight[:, 2].min())])
    lips = ((straight - target) * torch.tensor([1.0, 1.0, crop.size / crop.span])).norm(dim=1).argsort()[:20]
    moved = (aside - straight)[:, :2].abs().amax(1)
    assert moved[lips].max() < 6 and moved.max() > 10


def test_light_from_the_side_brightens_that_side() -> None:
    left, right = face_crop().render(pose().expand(2, -1), torch.tensor([[-1.0, 0.0, 0.4], [1.0, 0.0, 0.4]]))
    half = left.shape[-1] // 2
    assert left[:, :half].mean() > left[:, half:].mean()
    assert right[:, half:].mean() > right[:, :half].mean()


def test_normals_of_a_sphere_point_outwards() -> None:
    from scipy.spatial import ConvexHull

    points = torch.nn.functional.normalize(torch.randn(300, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    hull = ConvexHull(points.numpy())
    faces = torch.from_numpy(hull.simplices).long()
    a, b, c = points[faces].unbind(1)
    inward = (torch.linalg.cross(b - a, c - a) * a).sum(1) < 0
    faces[inward] = faces[inward].flip(1)
    assert ((vertex_normals(points[None], faces)[0] * points).sum(1) > 0.9).all()


@pytest.mark.parametrize("crop_of", [mouth_crop, face_crop])
def test_pytorch3d_draws_the_same_picture_with_the_same_gradient(crop_of: Callable[[], Crop]) -> None:
    try:
        import pytorch3d.renderer.mesh
    except ImportError as error:
        pytest.skip(f"PyTorch3D cannot be loaded: {error}")
    from talker.render import pytorch3d

    crop, curves = crop_of(), lively(2)
    pictures, gradients = [], []
    for rasteriser in (rasterize, pytorch3d.rasterize):
        moved = curves.clone().requires_grad_()
        picture = crop.render(moved, rasteriser=rasteriser)
        picture.square().mean().backward()
        pictures.append(picture.detach())
        gradients.append(moved.grad)
    seen = [
        rasteriser(screen_of(crop, curves), crop.head.faces, crop.size).faces
        for rasteriser in (rasterize, pytorch3d.rasterize)
    ]
    same = seen[0] == seen[1]
    assert same.float().mean() > 0.99
    assert (pictures[0] - pictures[1])[same].abs().max() < 1 / 255
    assert gradients[0] is not None
    assert torch.allclose(gradients[0], gradients[1], rtol=0.05, atol=0.01 * float(gradients[0].abs().max()))
