"""FLAME: a head with 100 expression components and joints for neck, jaw and eyes, from the user's own model file."""

from pathlib import Path

from talker.rigs.skinning import ModelKind, SkinnedModel, load_model

FLAME = ModelKind(
    name="flame",
    title="FLAME",
    vertex_count=5023,
    joint_count=5,  # global, neck, jaw, left eye, right eye
    components={400: (300, 100)},
    neck=(1,),
    jaw=2,
    left_eye=3,
    right_eye=4,
)


def load_flame(path: Path) -> SkinnedModel:
    """Read a FLAME model (`generic_model.pkl`, `FLAME_NEUTRAL.pkl`, ...); the pickle is never executed."""
    return load_model(path, FLAME)
