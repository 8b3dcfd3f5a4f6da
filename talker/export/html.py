"""The HTML preview: one page with the head, the sound and the curves, which opens from disk and asks no network.

The page's parts lie in `html_page/`; here they are joined with what they show. A page holds a list of takes on one
head; a preview has one, an edited take two.
"""

import base64
import html
import json
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from talker.animation import FaceAnimation, plain_meta
from talker.export.html_payload import (
    ANGLE_STEPS,
    PEAKS_PER_SECOND,
    SHAPE_STEPS,
    Block,
    pack_curves,
    pack_head,
    pack_peaks,
)
from talker.export.html_sound import encode_webm
from talker.export.registry import ExportOptions
from talker.files import atomic_output
from talker.rigs import arkit
from talker.rigs.head_mesh import HeadMesh

_PAGE = Path(__file__).parent / "html_page"
_SCRIPTS = ("data", "head", "clock", "shaders", "stage", "timeline", "panel", "controls", "app")
_TOGGLES = {"eyes": "eyes", "brows": "brows", "head": "head"}  # What is none of these goes with the mouth.


def write(animation: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Write the page."""
    from talker.rigs.user_mesh import load_head

    path.write_text(page([animation], load_head(options.head)), encoding="utf-8", newline="\n")


def write_comparison(before: FaceAnimation, after: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Write a page that shows two takes side by side, with the sound and the curves of the second."""
    from talker.rigs.user_mesh import load_head

    silent = replace(before, audio=None, meta={**before.meta, "caption": "Before"})
    changed = replace(after, meta={**after.meta, "caption": "After"})
    with atomic_output(path) as temporary:
        text = page([silent, changed], load_head(options.head))
        temporary.write_text(text, encoding="utf-8", newline="\n")


def page(animations: list[FaceAnimation], head: HeadMesh) -> str:
    """The text of a page that shows `animations` on `head`, side by side; sound and curves are those of the last."""
    block = Block()
    sounds: list[str] = []
    takes = [_take(animation, number, block, sounds) for number, animation in enumerate(animations)]
    manifest = {
        "channels": [_channel(name) for name in arkit.CHANNELS],
        "quantisation": {
            "channelCount": arkit.CHANNEL_COUNT,
            "shapeCount": arkit.SHAPE_COUNT,
            "shapeSteps": SHAPE_STEPS,
            "angleSteps": ANGLE_STEPS,
            "peaksPerSecond": PEAKS_PER_SECOND,
        },
        "head": pack_head(head, block),
        "takes": takes,
        "arrays": block.directory,
    }
    parts = {
        "title": html.escape(takes[-1]["name"]),
        "style": _read("style.css"),
        "manifest": _script_json(manifest),
        "block": block.base64(),
        "sounds": "\n".join(sounds),
        "script": '"use strict";\n{\n' + "\n".join(_read(f"{name}.js") for name in _SCRIPTS) + "\n}",
    }
    pieces = _read("page.html").split("{{")
    filled = [piece.split("}}", 1) for piece in pieces[1:]]
    return pieces[0] + "".join(parts[name] + rest for name, rest in filled)


def _take(animation: FaceAnimation, number: int, block: Block, sounds: list[str]) -> dict[str, Any]:
    """Pack one take and its sound; returns what the manifest says of it."""
    source = str(animation.meta.get("source", ""))
    take: dict[str, Any] = {
        "name": str(animation.meta.get("title") or PurePath(source).stem or "Untitled take"),
        "source": source,
        "caption": str(animation.meta.get("caption", "")),
        "fps": animation.fps,
        "frameCount": animation.frame_count,
        "duration": animation.duration,
        "curves": pack_curves(animation, f"curves{number}", block),
        "emotion": plain_meta(animation.meta).get("emotion", []),
        "sound": None,
        "peaks": None,
    }
    if animation.audio is not None and len(animation.audio.samples):
        # The sound is the page's clock: it must last as long as the face moves.
        take["duration"] = max(animation.duration, animation.audio.duration)
        audio = animation.audio
        if audio.duration < take["duration"]:
            audio = audio.slice(0.0, take["duration"])
        take["peaks"] = pack_peaks(audio, f"peaks{number}", block)
        take["sound"] = f"sound{number}"
        data = base64.b64encode(encode_webm(audio)).decode("ascii")
        sounds.append(f'<script type="application/octet-stream" id="{take["sound"]}">{data}</script>')
    return take


def _channel(name: str) -> dict[str, Any]:
    region = arkit.region(name)
    return {"name": name, "region": region, "toggle": _TOGGLES.get(region, "mouth"), "isAngle": name in arkit.ANGLES}


def _script_json(value: Any) -> str:
    """JSON that cannot end the script element it stands in, whatever names it holds."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _read(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8").strip("\n")
