"""Our landmarks on somebody else's model found by looking at it with MediaPipe's face landmarker."""

from pathlib import Path

import numpy as np
import torch

from talker.rigs import arkit
from talker.rigs.fitting.surface import SurfacePoints
from talker.rigs.head_mesh import LANDMARK_COUNT, PARTS, HeadMesh
from talker.rigs.landmark_embedding import embed_landmarks, mediapipe_landmarker
from talker.rigs.skinning import SkinnedModel

_WIDE_OPEN = 0.36  # Radians of the jaw that a jawOpen of 1 stands for in the pictures.
_IRIS_SHARE = 0.48  # Of the eyeball's radius.


def sighted_landmarks(model: SkinnedModel, task: Path, count: int) -> SurfacePoints:
    """The first `count` of MediaPipe's landmarks on a model, from pictures of it; `task` is the landmarker's file."""
    head, face_numbers = head_of(model)
    with mediapipe_landmarker(task) as landmarker:
        seen = embed_landmarks(head, landmarker)
    return SurfacePoints(
        face_numbers[seen.landmark_faces[:count]].numpy(), seen.landmark_weights[:count].double().numpy()
    )


def head_of(model: SkinnedModel) -> tuple[HeadMesh, torch.Tensor]:
    """The model's mean person as a head that can be drawn and opens its mouth; and (F,) its faces in the model."""
    kind = model.kind
    eyes = [model.weights[:, joint] > 0.5 for joint in (kind.left_eye, kind.right_eye)]
    skin = model.weights[:, [*kind.neck, kind.jaw]].sum(1) > 0.5
    face_numbers = torch.stack([piece[model.faces].all(1) for piece in (skin, *eyes)]).any(0).nonzero()[:, 0]
    used, faces = np.unique(model.faces[face_numbers].numpy(), return_inverse=True)
    kept = torch.from_numpy(used)
    rest = model.vertices(torch.zeros(kind.joint_count, 3))
    pose = torch.zeros(kind.joint_count, 3)
    pose[kind.jaw, 0] = _WIDE_OPEN
    deltas = torch.zeros(arkit.SHAPE_COUNT, len(kept), 3)
    deltas[arkit.INDEX["jawOpen"]] = (model.vertices(pose) - rest)[kept]
    parts = {name: torch.zeros(0, dtype=torch.int64) for name in PARTS}
    for name, piece in zip(("skin", "left_eye", "right_eye"), (skin, *eyes), strict=True):
        parts[name] = piece[kept].nonzero()[:, 0]
    joints = model.joints(model.template)
    centres = joints[[kind.left_eye, kind.right_eye]]
    radius = (rest[kept][parts["left_eye"]] - centres[0]).norm(dim=1).median() if eyes[0].any() else torch.tensor(0.0)
    head = HeadMesh(
        neutral=rest[kept],
        faces=torch.from_numpy(faces.reshape(-1, 3)),
        deltas=deltas,
        parts=parts,
        regions={},
        landmark_faces=torch.zeros(LANDMARK_COUNT, dtype=torch.int64),
        landmark_weights=torch.full((LANDMARK_COUNT, 3), 1 / 3),
        eye_centres=centres,
        iris_radius=_IRIS_SHARE * float(radius),
        head_pivot=joints[kind.neck[-1]],
        head_weight=torch.ones(len(kept)),
    )
    return head, face_numbers
