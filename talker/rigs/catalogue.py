"""All rigs that talker knows, as tables for people and programs: `talker rigs list` and `talker rigs show`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from talker.errors import no_such

if TYPE_CHECKING:
    from talker.rigs.pose_mix import PoseMix

Row = dict[str, str | float | int]
Tables = dict[str, list[Row]]


@dataclass(frozen=True)
class Rig:
    """A way to describe a face.

    Attributes:
        name: What `--rig` takes.
        channels: How many controls of which kind.
        summary: Who uses it.
        tables: Its controls, one table per kind.
    """

    name: str
    channels: str
    summary: str
    tables: Callable[[], Tables]


def _arkit() -> Tables:
    from talker.rigs import arkit

    shapes: list[Row] = [
        {
            "name": name,
            "region": arkit.region(name),
            "facs": arkit.facs_unit(name),
            "partner": partner if (partner := arkit.partner(name)) != name else "",
        }
        for name in arkit.SHAPES
    ]
    toward = {"Yaw": "the subject's right", "Pitch": "down", "Roll": "the subject's right shoulder"}
    angles: list[Row] = [
        {
            "name": name,
            "unit": "radians",
            "positive": next(direction for end, direction in toward.items() if name.endswith(end)),
            "partner": partner if (partner := arkit.partner(name)) != name else "",
        }
        for name in arkit.ANGLES
    ]
    return {"shapes (0..1)": shapes, "angles": angles}


def _metahuman() -> Tables:
    from talker.rigs import metahuman

    controls: list[Row] = [
        {"name": control.name, "low": control.low, "high": control.high, "default": control.default}
        for control in metahuman.BOARD_CONTROLS
    ]
    curves: list[Row] = [
        {"name": curve.name, "control": curve.control, "start": curve.start, "peak": curve.peak}
        for curve in metahuman.CURVES
    ]
    return {"board controls": controls, "raw curves (0..1)": curves}


def _emoface() -> Tables:
    from talker.rigs import emoface

    return {"columns": [{"index": index, "name": name} for index, name in enumerate(emoface.COLUMNS)]}


def _pose_rows(mix: "PoseMix") -> list[Row]:
    return [
        {"name": name, "shapes": mix.recipe(name), "note": note}
        for name, note in zip(mix.names, mix.notes, strict=True)
    ]


def _visemes() -> Tables:
    from talker.rigs import visemes

    silence: Row = {"name": visemes.SILENCE, "shapes": "", "note": "the mouth at rest"}
    return {"visemes (0..1)": [silence, *_pose_rows(visemes.poses())]}


def _vrm() -> Tables:
    from talker.rigs import vrm

    blinks: list[Row] = [
        {"name": "blink", "shapes": "eyeBlink 1.00", "note": "both eyes"},
        {"name": "blinkLeft", "shapes": "eyeBlinkLeft 1.00", "note": "what the left eye does beyond both"},
        {"name": "blinkRight", "shapes": "eyeBlinkRight 1.00", "note": "what the right eye does beyond both"},
    ]
    looks: list[Row] = [{"name": name, "shapes": "", "note": "from the eye angles"} for name in vrm.LOOKS]
    return {"expressions (0..1)": [*_pose_rows(vrm.poses()), *blinks, *looks]}


def _body_model(components: int, joints: tuple[str, ...]) -> Tables:
    expression: Row = {"name": "expression", "numbers": components, "unit": "standard deviations of the model"}
    rotations: list[Row] = [{"name": joint, "numbers": 3, "unit": "radians, axis times angle"} for joint in joints]
    return {"parameters per frame": [expression, *rotations]}


RIGS: tuple[Rig, ...] = (
    Rig("arkit", "52 shapes, 9 angles", "Apple ARKit and Live Link Face; talker's own", _arkit),
    Rig("metahuman", "174 controls, 251 curves", "Unreal's MetaHuman face board and its raw curves", _metahuman),
    Rig("emoface", "174 columns", "EmoFace's order of an older MetaHuman board", _emoface),
    Rig("viseme", "15 visemes", "Oculus LipSync, avatar platforms", _visemes),
    Rig("vrm", "17 expressions", "presets of VRM 1.0 avatars", _vrm),
    Rig(
        "flame",
        "100 components, 5 joints",
        "FLAME heads, from your own model file",
        lambda: _body_model(100, ("global_orient", "neck_pose", "jaw_pose", "leye_pose", "reye_pose")),
    ),
    Rig(
        "smplx",
        "100 components, 5 joints",
        "the face of SMPL-X bodies, from your own model file",
        lambda: _body_model(100, ("neck", "head", "jaw_pose", "leye_pose", "reye_pose")),
    ),
)


def find_rig(name: str) -> Rig:
    """The rig of that name; an unknown name is an error that suggests the nearest one."""
    names = [rig.name for rig in RIGS]
    if name in names:
        return RIGS[names.index(name)]
    raise no_such("rig", name, names)


def formats_of(rig: Rig) -> list[str]:
    """Names of the file formats that speak a rig."""
    from talker.export.registry import FORMATS

    return [format.name for format in FORMATS if format.rig == rig.name]


def describe(rig: Rig) -> dict[str, Any]:
    """Everything about a rig as JSON-able data."""
    return {
        "name": rig.name,
        "channels": rig.channels,
        "summary": rig.summary,
        "formats": formats_of(rig),
        "tables": rig.tables(),
    }
