"""Draw one spoken line in all eight emotions: on an open vowel at three intensities, and where the lips meet.

    python examples/03_emotion_grid.py                      # examples/images/emotion_grid.webp
    python examples/03_emotion_grid.py --head mine.glb --sound line.wav -o grid.webp

Every face is what `talker animate --emotion` writes, without blinks, gaze and head.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from talker.animation import FaceAnimation
from talker.audio import read_audio
from talker.direction.animate import animate
from talker.emotion import EMOTIONS
from talker.files import atomic_output
from talker.inference import load_model
from talker.models.speech_encoder import FEATURE_FPS
from talker.render.film import Film
from talker.render.portrait import portrait_of
from talker.render.stills import sheet
from talker.rigs import arkit
from talker.rigs.lips import Lips

INTENSITIES = (1 / 3, 2 / 3, 1.0)


def vowel_and_closure(curves: np.ndarray) -> tuple[int, int]:
    """A frame with a wide mouth, though not the widest, and one within the speech at which the lips meet."""
    gap = curves[:, : arkit.SHAPE_COUNT] @ Lips.of_default_head().rows[:, 0].numpy()
    speaking = np.flatnonzero(gap > 0.3 * gap.max())
    vowel = int(np.abs(gap - 0.8 * gap.max()).argmin())
    return vowel, int(speaking[0] + gap[speaking[0] : speaking[-1]].argmin())


def main() -> None:
    folder = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sound", type=Path, default=folder / "hello.wav", help="what is said")
    parser.add_argument("--head", type=Path, help="your own head (default: the one that comes with talker)")
    parser.add_argument("--size", type=int, default=200, help="pixels of one face")
    parser.add_argument("-o", "--output", type=Path, default=folder / "images" / "emotion_grid.webp")
    arguments = parser.parse_args()
    audio, model = read_audio(arguments.sound), load_model()

    def curves(label: str, intensity: float) -> np.ndarray:
        still = {"blinks": False, "gaze": False, "head": False}
        take = animate(audio, emotion=label, intensity=intensity, fps=FEATURE_FPS, model=model, **still)
        return take.curves

    vowel, closure = vowel_and_closure(curves("neutral", 1.0))
    performed = {(label, intensity): curves(label, intensity) for label in EMOTIONS for intensity in INTENSITIES}
    faces, labels = [], []
    for frame, intensities in ((vowel, INTENSITIES), (closure, INTENSITIES[-1:])):
        for intensity in intensities:
            for label in EMOTIONS:
                faces.append(performed[label, intensity][frame])
                labels.append(f"{label} {intensity:.0%}" if frame == vowel else f"{label}, shut")
    film = Film(FaceAnimation(np.stack(faces), FEATURE_FPS), portrait_of(arguments.head), arguments.size)
    with atomic_output(arguments.output) as temporary:
        picture = Image.fromarray(sheet(list(film.frames()), labels, len(EMOTIONS)))
        picture.save(temporary, format="WEBP", quality=82, method=6)
    print(f"{arguments.output}: {len(faces)} faces, {arguments.output.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
