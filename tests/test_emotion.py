"""Emotion poses: complete, within range, and recognisable by what they move."""

import numpy as np
import pytest
import torch

from talker.emotion import EMOTIONS, emotion_pose
from talker.errors import TalkerError
from talker.rigs import arkit
from talker.rigs.head_mesh import HeadMesh


def test_every_emotion_has_a_pose_in_range() -> None:
    assert len(EMOTIONS) == 8
    for label in EMOTIONS:
        pose = emotion_pose(label)
        assert pose.shape == (52,) and pose.dtype == np.float32
        assert pose.min() >= 0 and pose.max() <= 1
        assert (pose.max() > 0.3) == (label != "neutral")
        with pytest.raises(ValueError, match="read-only"):
            pose[0] = 1


def test_all_but_contempt_are_symmetric() -> None:
    for label in EMOTIONS:
        pose = emotion_pose(label)
        assert np.array_equal(pose, pose[arkit.MIRROR[:52]]) == (label != "contempt")


def test_poses_move_the_face_as_their_names_say() -> None:
    head = HeadMesh.load()
    curves = torch.zeros(len(EMOTIONS), arkit.CHANNEL_COUNT)
    curves[:, :52] = torch.tensor(np.stack([emotion_pose(label) for label in EMOTIONS]))
    points = dict(zip(EMOTIONS, head.landmarks(curves).numpy() * 1000, strict=True))
    moved = {label: points[label] - points["neutral"] for label in EMOTIONS}
    corners, inner_brows, lip = [61, 291], [107, 336], [13, 14]
    assert moved["happy"][corners, 1].min() > 4 and moved["sad"][corners, 1].max() < -2
    assert moved["surprised"][inner_brows, 1].min() > 3 and moved["angry"][inner_brows, 1].max() < -2
    opened = {label: moved[label][lip[0], 1] - moved[label][lip[1], 1] for label in EMOTIONS}
    assert max(opened, key=opened.__getitem__) == "surprised"
    assert moved["contempt"][61, 1] > moved["contempt"][291, 1] + 1


def test_misspelt_emotion_is_an_error_with_the_right_one() -> None:
    with pytest.raises(TalkerError, match=r"no such emotion 'angery'; did you mean 'angry'\?; choices: neutral, happy"):
        emotion_pose("angery")
