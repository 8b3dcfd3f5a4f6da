"""Landmark tracks made from known curves: the default head's landmarks, seen by a camera, on somebody else's face."""

from pathlib import Path

import numpy as np
import torch

from talker.rigs import arkit
from talker.rigs.head_mesh import HeadMesh, rotation
from talker.tracking.landmarks import LandmarkTrack

SHARED = Path(__file__).parents[2] / "../shared"
LANDMARKER = SHARED / "models/face_landmarker.task"
FPS = 25.0
PIXELS_PER_METRE = 1500.0


def curves_of(frames: int, **channels: np.ndarray | float) -> np.ndarray:
    curves = np.zeros((frames, arkit.CHANNEL_COUNT), np.float32)
    for name, values in channels.items():
        curves[:, arkit.INDEX[name]] = values
    return curves


def track_of(
    curves: np.ndarray, head: HeadMesh, identity: np.ndarray | float = 0.0, noise: float = 0.0
) -> LandmarkTrack:
    """`identity` (478, 3) metres is added to every landmark before the head turns; `noise` in pixels."""
    still = torch.tensor(curves)
    angles = still[:, arkit.HEAD].clone()
    still[:, arkit.HEAD] = 0
    points = head.landmarks(still) + torch.as_tensor(identity, dtype=torch.float32)
    points = (points - head.head_pivot) @ rotation(angles).transpose(-1, -2)
    pixels = points.numpy() * PIXELS_PER_METRE * [1, -1, -1] + [320, 400, 0]
    pixels = pixels + noise * np.random.default_rng(0).standard_normal(pixels.shape)
    found = np.ones(len(curves), bool)
    return LandmarkTrack(
        name="drawn",
        fps=FPS,
        frame_size=(640, 640),
        landmarks=pixels.astype(np.float32),
        index=np.arange(478),
        found=found,
        timestamps=np.arange(len(curves)) / FPS,
        face_count=found.astype(int),
        cuts=np.zeros(len(curves), bool),
    )
