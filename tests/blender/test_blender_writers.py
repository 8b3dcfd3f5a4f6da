"""FBX, Alembic, .blend, and talker's own GLB and USD, looked at through Blender: the same vertices as `HeadMesh`."""

from pathlib import Path

import numpy as np
import pytest
import torch
from blenders import TAKES, run_inside
from scipy.spatial import cKDTree

from talker.animation import FaceAnimation
from talker.export.registry import ExportOptions, write_animation
from talker.rigs import arkit
from talker.rigs.head_mesh import HeadMesh

pytestmark = [pytest.mark.slow, pytest.mark.blender]

LIMIT_MM = 0.1


def random_frames(take: FaceAnimation) -> np.ndarray:
    """(10,) frame numbers, the same every time."""
    return np.sort(np.random.default_rng(1).choice(take.frame_count, 10, replace=False))


def look_back(program: Path, path: Path, take: FaceAnimation, tmp_path: Path) -> dict[str, np.ndarray]:
    """What a Blender finds in a file."""
    out = tmp_path / "found.npz"
    frames = ",".join(map(str, random_frames(take)))
    run_inside(program, "read_back.py", path, out, take.fps, frames, home=tmp_path)
    with np.load(out) as arrays:
        return dict(arrays)


def vertex_error_mm(found: dict[str, np.ndarray], take: FaceAnimation) -> float:
    """Largest distance between a vertex in Blender and the vertex of `HeadMesh` that it follows in all frames.

    Formats may reorder and split vertices, so partners are found by their paths through all frames; and every vertex
    of the head must have one.
    """
    meshes = [points for name, points in found.items() if name.startswith("mesh ")]
    z_up = np.concatenate(meshes, axis=1).astype(float)
    there = np.stack([z_up[..., 0], z_up[..., 2], -z_up[..., 1]], axis=-1)
    head = HeadMesh.load()
    used = np.unique(head.faces.numpy())
    here = head.vertices(torch.tensor(take.curves[random_frames(take)])).numpy()[:, used].astype(float)

    def worst(points: np.ndarray, others: np.ndarray) -> float:
        paths, other_paths = (p.transpose(1, 0, 2).reshape(p.shape[1], -1) for p in (points, others))
        _, partner = cKDTree(other_paths).query(paths)
        return float(np.linalg.norm(points - others[:, partner], axis=-1).max())

    return 1000 * max(worst(there, here), worst(here, there))


@pytest.mark.parametrize("extension", [".fbx", ".blend"])
def test_keyed_shapes_survive(any_blender, take, tmp_path, extension, monkeypatch) -> None:
    path = tmp_path / f"Gesicht für Ägypten{extension}"
    monkeypatch.chdir(tmp_path)
    write_animation(take, Path(path.name), options=ExportOptions(blender=any_blender))
    found = look_back(any_blender, path, take, tmp_path)
    assert vertex_error_mm(found, take) < LIMIT_MM
    assert set(arkit.SHAPES) <= set(found["shape_keys"])
    assert abs(float(found["fps"]) - take.fps) < 1e-3
    if extension == ".blend":
        assert found["frame_range"].tolist() == [0, take.frame_count - 1]
        assert found["sounds"].tolist() == [44 + 2 * len(take.audio.samples)]


def test_alembic(bpy_python, take, tmp_path) -> None:
    path = tmp_path / "take.abc"
    write_animation(take, path, options=ExportOptions(blender=bpy_python))
    found = look_back(bpy_python, path, take, tmp_path)
    assert vertex_error_mm(found, take) < LIMIT_MM
    assert found["frame_range"].tolist() == [0, take.frame_count - 1]


def test_glb_in_any_blender(any_blender, take, tmp_path) -> None:
    path = tmp_path / "take.glb"
    write_animation(take, path)
    found = look_back(any_blender, path, take, tmp_path)
    assert vertex_error_mm(found, take) < LIMIT_MM
    assert set(arkit.SHAPES) <= set(found["shape_keys"])


def test_usd(bpy_python, take, tmp_path) -> None:
    pytest.importorskip("pxr", reason="usd-core is not installed (extra 'usd')")
    path = tmp_path / "take.usd"
    write_animation(take, path)
    found = look_back(bpy_python, path, take, tmp_path)
    assert vertex_error_mm(found, take) < LIMIT_MM
    assert set(arkit.SHAPES) <= set(found["shape_keys"])


@pytest.mark.skipif(not TAKES.is_dir(), reason="the real takes in ../shared/data are not here")
@pytest.mark.parametrize("extension", [".glb", ".fbx", ".usd", ".abc"])
def test_a_minute_of_a_real_take(bpy_python, tmp_path, extension) -> None:
    if extension == ".usd":
        pytest.importorskip("pxr", reason="usd-core is not installed (extra 'usd')")
    take = FaceAnimation.load(TAKES / "apfel.csv")
    path = tmp_path / f"apfel{extension}"
    write_animation(take, path, options=ExportOptions(blender=bpy_python))
    error = vertex_error_mm(look_back(bpy_python, path, take, tmp_path), take)
    print(f"{extension}: {take.frame_count} frames, largest vertex error {error:.5f} mm")
    assert error < LIMIT_MM


def test_fbx_is_reproducible(any_blender, take, tmp_path) -> None:
    files = [tmp_path / "first" / "a.fbx", tmp_path / "second" / "b.fbx"]
    for file in files:
        write_animation(take, file, options=ExportOptions(blender=any_blender))
    first, second = (file.read_bytes() for file in files)
    assert first == second
    assert str(tmp_path).encode() not in first
