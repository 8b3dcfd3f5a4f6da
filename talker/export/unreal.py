"""Scripts for the Unreal editor that put a take onto a MetaHuman; each holds its data and needs no other file.

The scripts themselves are `unreal_scripts/sequence.py` and `unreal_scripts/board.py`, with `DATA` left empty.
"""

import base64
import json
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

from talker.animation import FaceAnimation
from talker.export.metahuman_curves import Track, board_tracks, curve_tracks, head_tracks
from talker.export.registry import ExportOptions
from talker.rigs import metahuman

_SCRIPTS = Path(__file__).parent / "unreal_scripts"
_EMPTY = 'DATA = ""\n'
_LINE = 118
_LARGEST_DENOMINATOR = 1001  # Unreal's frame rates are fractions; broadcast rates like 30000/1001 need this much.


def write(animation: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Write the script for `options.target`: an animation sequence, or the control board in Sequencer."""
    rate = Fraction(animation.fps).limit_denominator(_LARGEST_DENOMINATOR)
    take: dict[str, Any] = {"rate": [rate.numerator, rate.denominator], "frames": animation.frame_count}
    if options.target == "board":
        take["board"] = _board(animation)
    else:
        take |= {"head": dict(head_tracks(animation)), "curves": dict(curve_tracks(animation))}
    script = (_SCRIPTS / f"{options.target}.py").read_text(encoding="utf-8")
    before, after = script.split(_EMPTY)
    path.write_text(f'{before}DATA = """\n{_packed(take)}\n"""\n{after}', encoding="utf-8", newline="\n")


def _board(animation: FaceAnimation) -> dict[str, list[Track]]:
    """Every control by its name in Unreal: one track, or one for x and one for y."""
    tracks = dict(board_tracks(animation))
    return {name: [tracks[control.name] for control in axes] for name, axes in metahuman.nodes().items()}


def _packed(take: dict[str, Any]) -> str:
    data = json.dumps(take, separators=(",", ":")).encode("ascii")
    text = base64.b64encode(zlib.compress(data)).decode("ascii")
    return "\n".join(text[i : i + _LINE] for i in range(0, len(text), _LINE))
