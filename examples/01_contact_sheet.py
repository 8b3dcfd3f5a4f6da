"""Draw the 52 shapes and the 8 emotions of the default head, or of your own.

    python examples/01_contact_sheet.py                     # examples/images/: shapes.webp, emotions.webp, sheet.mp4
    python examples/01_contact_sheet.py --head mine.glb --folder sheets

In the MP4 all of them come and go together, seen from the front.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from talker.animation import FaceAnimation
from talker.emotion import EMOTIONS, emotion_pose
from talker.export.video import encode
from talker.render.film import Film
from talker.render.portrait import portrait_of
from talker.render.stills import sheet
from talker.rigs import arkit

# Two shapes mean nothing alone: mouthClose undoes an open jaw, and the tongue needs one to come out.
JAW_FOR = {"mouthClose": 0.6, "tongueOut": 0.35}
FPS = 24
EASE = np.concatenate(
    [np.sin(np.linspace(0, np.pi / 2, 16)) ** 2, np.ones(16), np.cos(np.linspace(0, np.pi / 2, 16)) ** 2]
)
COLUMNS = {"shapes": 8, "emotions": 4, "sheet": 10}


def shape_pose(name: str) -> np.ndarray:
    """(61,) one shape at 1, with what it needs beside it."""
    curves = np.zeros(arkit.CHANNEL_COUNT, np.float32)
    curves[arkit.INDEX[name]] = 0.6 if name == "mouthClose" else 1.0
    curves[arkit.INDEX["jawOpen"]] += JAW_FOR.get(name, 0.0)
    return arkit.eye_angles_from_looks(curves)


def poses() -> dict[str, np.ndarray]:
    """Label -> (61,) curves."""
    named = {name: shape_pose(name) for name in arkit.SHAPES}
    for label in EMOTIONS:
        curves = np.zeros(arkit.CHANNEL_COUNT, np.float32)
        curves[: arkit.SHAPE_COUNT] = emotion_pose(label)
        named[label] = arkit.eye_angles_from_looks(curves)
    return named


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", type=Path, help="your own head (default: the one that comes with talker)")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "images", help="where the sheets go")
    parser.add_argument("--size", type=int, default=200, help="pixels of one face among the shapes")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    portrait, named = portrait_of(arguments.head), poses()
    for stem, labels, size in (("shapes", arkit.SHAPES, arguments.size), ("emotions", EMOTIONS, 2 * arguments.size)):
        film = Film(FaceAnimation(np.stack([named[label] for label in labels]), fps=1), portrait, size)
        path = arguments.folder / f"{stem}.webp"
        Image.fromarray(sheet(list(film.frames()), list(labels), COLUMNS[stem])).save(path, quality=82, method=6)
        print(f"{path}: {len(labels)} faces, {path.stat().st_size / 1000:.0f} kB")
    path = arguments.folder / "sheet.mp4"
    films = [Film(FaceAnimation(np.outer(EASE, curves), FPS), portrait, 128) for curves in named.values()]
    pictures = [sheet([film.frame(k) for film in films], list(named), COLUMNS["sheet"]) for k in range(len(EASE))]
    encode(path, pictures, pictures[0].shape[1], pictures[0].shape[0], FPS)
    print(f"{path}: {len(named)} faces, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
