"""The one list of file formats, keyed by `--format` name and by extension.

A format's module is imported when the format is first used. It has

    write(animation: FaceAnimation, path: Path, options: ExportOptions) -> None
    read(path: Path, options: ExportOptions) -> FaceAnimation        # readable formats
    recognises(head: bytes) -> bool     # readable formats that share their extension: is a file that begins (and, an
                                        # archive, ends) like this mine?

or, where one module holds two formats, the same with the format's variant appended (`write_csv`, `read_csv`, ...).
`write` gets a temporary path and may simply write to it; `read` raises `TalkerError` on anything malformed.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from talker.animation import FaceAnimation
from talker.errors import TalkerError, no_such
from talker.files import atomic_output, read_bytes

_HEAD_BYTES = 1 << 16  # As much of a file as `recognises` may look at.


@dataclass(frozen=True)
class ExportOptions:
    """What a format may need to know beyond the animation; each format uses what concerns it.

    Attributes:
        angle_unit: Unit of the head and eye columns in Live Link Face CSV.
        head: A head to show or export instead of the default one: GLB/glTF/OBJ with ARKit-named shapes, a folder of
            OBJ files, or `.npz` in talker's own format.
        rig_model: Your own FLAME or SMPL-X file, for the formats that speak it.
        blender: A Blender program or a Python that has `bpy`; found on PATH when not given.
        size: Height and width of an MP4 preview in pixels.
        side_view: Show the face from the side as well (MP4).
        curve_strip: Show the strongest curves below the face (MP4).
        target: Where an Unreal script puts the curves: an animation sequence or the control board in Sequencer.
    """

    angle_unit: Literal["radians", "degrees"] = "radians"
    head: Path | None = None
    rig_model: Path | None = None
    blender: Path | None = None
    size: int = 512
    side_view: bool = False
    curve_strip: bool = False
    target: Literal["sequence", "board"] = "sequence"


DEFAULT_OPTIONS = ExportOptions()


@dataclass(frozen=True)
class Format:
    """One file format: its `--format` name, where it lives, and what it can do.

    `shape_error` is the largest error of a weight after writing and reading back, None where the format holds
    another rig than ARKit's and only an approximation comes back. `fps` is the only rate the format can hold.
    """

    name: str
    extension: str
    rig: str
    module: str
    summary: str
    readable: bool = False
    writable: bool = True
    extra: str | None = None
    shape_error: float | None = None
    fps: float | None = None
    variant: str = ""

    def write(self, animation: FaceAnimation, path: Path, options: ExportOptions) -> None:
        """Write `animation` to `path` in this format."""
        self._function("write")(animation, path, options)

    def read(self, path: Path, options: ExportOptions) -> FaceAnimation:
        """Read `path`, which is in this format. The take's `source` is the file's name unless the file says another."""
        animation: FaceAnimation = self._function("read")(path, options)
        return replace(animation, meta={"source": path.name, **animation.meta})

    def recognises(self, head: bytes) -> bool:
        """Whether a file that begins with `head` is in this format."""
        return self._function("recognises")(head)

    def _function(self, verb: str) -> Callable[..., Any]:
        module = importlib.import_module(f"talker.export.{self.module}")
        return getattr(module, f"{verb}_{self.variant}" if self.variant else verb)


FORMATS: tuple[Format, ...] = (
    Format(
        "npz",
        ".npz",
        "arkit",
        "npz",
        "talker's own file: curves, sound, meta data; lossless",
        readable=True,
        shape_error=0,
    ),
    Format("livelink-csv", ".csv", "arkit", "livelink", "Live Link Face take", readable=True, shape_error=1e-6),
    Format(
        "metahuman-csv",
        ".csv",
        "metahuman",
        "metahuman_curves",
        "Unreal curve table of CTRL_expressions_*",
        readable=True,
        variant="csv",
    ),
    Format(
        "metahuman-json",
        ".json",
        "metahuman",
        "metahuman_curves",
        "board controls and CTRL_expressions_*",
        readable=True,
        variant="json",
    ),
    Format("unreal-py", ".py", "metahuman", "unreal", "script that keys a MetaHuman inside the Unreal editor"),
    Format(
        "emoface-txt",
        ".txt",
        "emoface",
        "emoface",
        "EmoFace's 174 MetaHuman controllers at 60 fps",
        readable=True,
        fps=60,
    ),
    Format(
        "a2f-json",
        ".json",
        "arkit",
        "a2f",
        "Audio2Face blend-shape export",
        readable=True,
        shape_error=1e-6,
        variant="json",
    ),
    Format(
        "a2f-csv",
        ".csv",
        "arkit",
        "a2f",
        "Audio2Face sample client's animation_frames.csv",
        readable=True,
        shape_error=1e-6,
        variant="csv",
    ),
    Format(
        "lam-json",
        ".json",
        "arkit",
        "lam",
        "LAM_Audio2Expression, for Gaussian-splat avatars",
        readable=True,
        shape_error=1e-6,
    ),
    Format(
        "viseme-csv", ".csv", "viseme", "visemes", "the 15 OVR visemes, one row per frame", readable=True, variant="csv"
    ),
    Format("viseme-json", ".json", "viseme", "visemes", "the 15 OVR visemes", readable=True, variant="json"),
    Format("vrm-json", ".json", "vrm", "visemes", "the preset expressions of VRM 1.0", readable=True, variant="vrm"),
    Format(
        "glb",
        ".glb",
        "arkit",
        "gltf",
        "glTF 2.0 binary: morph targets, eyes and head as nodes",
        readable=True,
        shape_error=1e-6,
        variant="glb",
    ),
    Format(
        "gltf", ".gltf", "arkit", "gltf", "glTF 2.0 as one JSON file", readable=True, shape_error=1e-6, variant="gltf"
    ),
    Format(
        "usd",
        ".usd",
        "arkit",
        "usd",
        "USD with UsdSkel blend shapes (also .usda, .usdc, .usdz)",
        readable=True,
        extra="usd",
        shape_error=1e-6,
    ),
    Format(
        "flame-npz",
        ".npz",
        "flame",
        "flame_smplx",
        "FLAME expression, jaw, neck, eyes; needs --rig-model",
        readable=True,
        variant="flame",
    ),
    Format(
        "smplx-npz",
        ".npz",
        "smplx",
        "flame_smplx",
        "SMPL-X with AMASS/BEAT2 keys; needs --rig-model",
        readable=True,
        variant="smplx",
    ),
    Format("fbx", ".fbx", "arkit", "blender", "FBX through Blender", variant="fbx"),
    Format("abc", ".abc", "arkit", "blender", "Alembic point cache through Blender", variant="abc"),
    Format("blend", ".blend", "arkit", "blender", "Blender scene through Blender", variant="blend"),
    Format("html", ".html", "arkit", "html", "one self-contained page: the face, the sound, the curves"),
    Format("mp4", ".mp4", "arkit", "video", "H.264 video of the face with the sound"),
)

RIGS = tuple(dict.fromkeys(format.rig for format in FORMATS))
_ALIASES = {".usda": ".usd", ".usdc": ".usd", ".usdz": ".usd", ".htm": ".html"}


@dataclass(frozen=True)
class Written:
    """What was written: the format, and the take at the rate it was written in."""

    format: Format
    animation: FaceAnimation

    def __str__(self) -> str:
        count = self.animation.frame_count
        return f"{self.format.name}, {count} frame{'s' * (count != 1)} at {self.animation.fps:g} fps"


def format_for(path: Path, name: str | None = None, rig: str | None = None) -> Format:
    """The format to write `path` in: by `--format` name, else by extension and rig (ARKit where it has the choice)."""
    if rig is not None and rig not in RIGS:
        raise no_such("rig", rig, RIGS)
    if name is not None:
        named = next((f for f in FORMATS if f.name == name), None)
        if named is None:
            raise no_such("format", name, [f.name for f in FORMATS])
        if rig not in (None, named.rig):
            raise TalkerError(f"the format {name} speaks the rig '{named.rig}', not '{rig}'; leave one of the two out")
        return named
    candidates = _by_extension(path)
    if not candidates:
        extensions = ", ".join(dict.fromkeys(f.extension for f in FORMATS))
        raise TalkerError(
            f"{path}: no format has the extension '{path.suffix}'; choose one of {extensions} or --format"
        )
    matching = [f for f in candidates if f.rig == rig] if rig else candidates
    if not matching:
        choices = ", ".join(f"{f.name} ({f.extension})" for f in FORMATS if f.rig == rig)
        raise TalkerError(f"{path}: no '{path.suffix}' format speaks the rig '{rig}'; that rig has {choices}")
    return next((f for f in matching if f.rig == "arkit"), matching[0])


def write_animation(
    animation: FaceAnimation,
    path: Path,
    name: str | None = None,
    rig: str | None = None,
    options: ExportOptions = DEFAULT_OPTIONS,
) -> Written:
    """Write `animation` to `path`, whole or not at all."""
    chosen = format_for(path, name, rig)
    if not chosen.writable:
        raise TalkerError(f"the format {chosen.name} can only be read")
    if chosen.fps is not None:
        animation = animation.resample(chosen.fps)
    with atomic_output(path) as temporary:
        chosen.write(animation, temporary, options)
    return Written(chosen, animation)


def read_animation(path: Path, name: str | None = None, options: ExportOptions = DEFAULT_OPTIONS) -> FaceAnimation:
    """Read a file in any readable format: by `--format` name, else by extension and content."""
    if not path.exists():
        raise TalkerError(f"no such file: {path}")
    if name is not None:
        chosen = format_for(path, name)
        if not chosen.readable:
            raise TalkerError(f"the format {name} can only be written, not read")
        return chosen.read(path, options)
    candidates = [f for f in _by_extension(path) if f.readable]
    if not candidates:
        readable = ", ".join(dict.fromkeys(f.extension for f in FORMATS if f.readable))
        raise TalkerError(f"{path}: cannot read '{path.suffix}' files as animation; readable: {readable}")
    if len(candidates) == 1:
        return candidates[0].read(path, options)
    head = _head(path)
    for candidate in candidates:
        if candidate.recognises(head):
            return candidate.read(path, options)
    names = ", ".join(f.name for f in candidates)
    raise TalkerError(
        f"{path}: the content is none of {names}{_hint(head)}; name the format with --input-format if it should be one"
    )


def _by_extension(path: Path) -> list[Format]:
    extension = path.suffix.lower()
    extension = _ALIASES.get(extension, extension)
    return [f for f in FORMATS if f.extension == extension]


def _head(path: Path) -> bytes:
    """The beginning of a file; of an archive its end as well, where the names of all its members are."""
    head = read_bytes(path, count=_HEAD_BYTES)
    if not head.startswith(b"PK"):
        return head
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _HEAD_BYTES, 0))
        return head + file.read(_HEAD_BYTES)


def _hint(head: bytes) -> str:
    """What is often wrong with a table that no reader knows."""
    if b"\0" in head[:200]:
        return " (it is not UTF-8 text: save it as UTF-8)"
    first = head.split(b"\n", 1)[0]
    return " (its cells are separated by ';': save it with commas)" if first.count(b";") > first.count(b",") else ""
