"""SMPL-X: a body whose face has FLAME's kind of expression components, from the user's own model file."""

from pathlib import Path

from talker.rigs.skinning import ModelKind, SkinnedModel, load_model

SMPLX = ModelKind(
    name="smplx",
    title="SMPL-X",
    vertex_count=10475,
    joint_count=55,
    components={400: (300, 100), 20: (10, 10)},  # The small ones are the first release.
    neck=(12, 15),  # neck, head
    jaw=22,
    left_eye=23,
    right_eye=24,
)


def load_smplx(path: Path) -> SkinnedModel:
    """Read an SMPL-X model (`SMPLX_NEUTRAL.npz` or `.pkl`); pickles are never executed.

    Hand poses are plain joint angles: the mean hand pose that some programs add is not.
    """
    return load_model(path, SMPLX)
