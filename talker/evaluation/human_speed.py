"""How fast people's faces move: the limit that generated ones are held to.

`python -m talker.evaluation.human_speed FOLDER` measures Live Link Face takes and writes `rigs/arkit/human_speed.json`.
"""

import json
import sys
from pathlib import Path

import numpy as np

from talker.animation import FaceAnimation
from talker.errors import TalkerError
from talker.files import atomic_output
from talker.resources import rigs_dir
from talker.rigs import arkit

# The takes do not hold the head. These are the speeds (rad/s) that heads of forty people talking to a camera stay below
# in all but a thousandth of the time, tracked in film; the rest is as often the tracker's noise.
_HEAD = {"headYaw": 3.1, "headPitch": 1.43, "headRoll": 1.53}


def measure_speed(takes: list[FaceAnimation]) -> np.ndarray:
    """(61,) the largest step of each channel or its mirror image, per second."""
    fastest = np.max([np.abs(np.diff(take.curves, axis=0)).max(axis=0) * take.fps for take in takes], axis=0)
    return np.maximum(fastest, fastest[arkit.MIRROR]).astype(np.float64)


def main() -> None:
    """Measure the takes of a folder."""
    folder = Path(sys.argv[1])
    takes = []
    for path in sorted(folder.glob("*.csv")):
        try:
            takes.append(FaceAnimation.load(path))
        except TalkerError as error:
            print(f"left out: {error}", file=sys.stderr)  # noqa: T201
    per_second = dict(zip(arkit.CHANNELS, measure_speed(takes).round(2).tolist(), strict=True)) | _HEAD
    facts = {
        "about": "Largest change per second between frames of real Live Link Face takes; heads from film.",
        "takes": len(takes),
        "minutes": round(sum(take.duration for take in takes) / 60, 1),
        "per_second": per_second,
    }
    with atomic_output(rigs_dir() / "arkit" / "human_speed.json") as path:
        path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
