"""VOCASET's moving meshes: FLAME's 5023 vertices per frame, solved for the shapes with the help of the user's FLAME."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from talker.animation import MAX_FRAMES, FaceAnimation
from talker.datasets.motion_file import NPY_FPS, read_npy
from talker.errors import TalkerError
from talker.export.registry import ExportOptions
from talker.rigs import arkit
from talker.rigs.fit import fit_for
from talker.rigs.fitting.retarget import bounded_solution
from talker.rigs.flame import FLAME
from talker.rigs.skinning import load_model

FPS = NPY_FPS
_VERTICES = 5023
_RESTING_FRAMES = 5  # Every sequence begins with the face at rest.
_LIP_WEIGHT = 20.0  # Of a lip's vertex, of any other's.
_RIDGE = 2e-4  # Of the strongest shape's own square: keeps shapes apart that look nearly alike.


def read_flame_vertices(path: Path, options: ExportOptions) -> FaceAnimation:
    """(T, 15069) or (T, 5023, 3) metres at 30 fps; the head is expected to stand still, as VOCASET's does."""
    table = read_npy(path)
    if table.size != len(table) * _VERTICES * 3 or not 1 <= len(table) <= MAX_FRAMES:
        raise TalkerError(f"{path}: its shape is {table.shape}; FLAME's meshes are (frames, {_VERTICES * 3})")
    if not np.isfinite(table).all():
        raise TalkerError(f"{path}: some of its vertices are not finite numbers; export it again")
    if options.rig_model is None:
        raise TalkerError(f"{path}: reading VOCASET needs your own FLAME model: give its file with --rig-model")
    vertices = table.reshape(len(table), -1).astype(np.float32)
    projection, system = _equations(options.rig_model)
    right = (vertices - np.median(vertices[:_RESTING_FRAMES], axis=0)) @ projection
    limits = np.ones((len(vertices), arkit.SHAPE_COUNT))
    limits[:, [arkit.INDEX[name] for name in arkit.SHAPES if name.startswith(("eyeLook", "tongue"))]] = 0.0
    curves = np.zeros((len(vertices), arkit.CHANNEL_COUNT), np.float32)
    curves[:, : arkit.SHAPE_COUNT] = bounded_solution(system, right.astype(np.float64), np.zeros_like(limits), limits)
    return FaceAnimation(curves, FPS, meta={"source": path.name})


@lru_cache(maxsize=1)
def _equations(model_path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(15069, 52) what turns displacements into the right-hand side, and (52, 52) the matrix of the normal equation."""
    model, fit = load_model(model_path, FLAME), fit_for(model_path, FLAME)
    weights = np.concatenate([np.zeros((1, arkit.SHAPE_COUNT)), np.eye(arkit.SHAPE_COUNT)])
    expression, jaw = fit.poses(weights)
    pose = torch.zeros(len(weights), FLAME.joint_count, 3)
    pose[:, FLAME.jaw] = torch.from_numpy(jaw)
    posed = model.vertices(pose, torch.from_numpy(expression)).numpy()
    basis = posed[1:] - posed[0]
    lips = np.linalg.norm(basis[arkit.INDEX["mouthClose"]], axis=-1)
    share = 1 + _LIP_WEIGHT * lips / lips.max()
    weighted = (basis * share[:, None]).reshape(arkit.SHAPE_COUNT, -1)
    system = weighted @ basis.reshape(arkit.SHAPE_COUNT, -1).T
    system = system.astype(np.float64) + _RIDGE * np.diag(system).max() * np.eye(arkit.SHAPE_COUNT)
    return weighted.T, system
