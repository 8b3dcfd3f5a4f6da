"""What a face does beside speaking: blinks, gaze and head, drawn over talk and silence.

python examples/05_life.py                              # examples/images/life.webp
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import talker
from talker.audio import Audio, read_audio
from talker.render.film import Film
from talker.render.line_chart import line_chart, stacked
from talker.render.portrait import portrait_of
from talker.render.stills import sheet
from talker.rigs import arkit

FOLDER = Path(__file__).parent
SILENCE = 15.0  # Seconds, after the talk.
FPS, WIDTH = 60.0, 960
BLINK_FRAMES = (-7, -4, -2, 0, 4, 9)  # Around the instant in which the lids are shut.


def degrees_away(take: talker.FaceAnimation, part: slice) -> np.ndarray:
    """(T,) how far yaw and pitch of the head or an eye lead away from straight ahead."""
    return np.degrees(np.hypot(take.curves[:, part.start], take.curves[:, part.start + 1]))


def charts(take: talker.FaceAnimation, other: talker.FaceAnimation) -> Image.Image:
    """Blinks, gaze and head over time, and the head under another seed."""
    closed = take.channel("eyeBlinkLeft")
    rows = (
        ("Lids: 0 open, 1 shut", {"left lid": closed}),
        ("Eyes, degrees away from straight ahead in the head", {"left eye": degrees_away(take, arkit.LEFT_EYE)}),
        (
            "Head, degrees away from straight ahead",
            {"seed 0": degrees_away(take, arkit.HEAD), "seed 1": degrees_away(other, arkit.HEAD)},
        ),
    )
    return stacked([line_chart(title, take.times, lines, (WIDTH, 180)) for title, lines in rows])


def blink(take: talker.FaceAnimation) -> Image.Image:
    """A blink, frame by frame."""
    closed = take.channel("eyeBlinkLeft")
    first = int(np.argmax(closed > 0.8))
    shut = first + int(np.argmax(closed[first : first + 15]))
    film = Film(take, portrait_of(None), WIDTH // len(BLINK_FRAMES))
    frames = [min(max(shut + step, 0), take.frame_count - 1) for step in BLINK_FRAMES]
    labels = [f"{step * 1000 / FPS:+.0f} ms" for step in BLINK_FRAMES]
    return Image.fromarray(sheet([film.frame(frame) for frame in frames], labels, len(frames)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=FOLDER / "images", help="where the picture goes")
    arguments = parser.parse_args()
    talk = read_audio(FOLDER / "speech" / "scene_1.opus")
    quiet = np.zeros(round(SILENCE * talk.sample_rate), np.float32)
    audio = Audio(np.concatenate([talk.samples, quiet]), talk.sample_rate)
    take = talker.animate(audio, fps=FPS)
    path = arguments.folder / "life.webp"
    # Another seed needs no network: the take is edited.
    stacked([charts(take, talker.edit(take, {"seed": 1})), blink(take)]).save(path, quality=80, method=6)
    blinks = int(np.sum(np.diff((take.channel("eyeBlinkLeft") > 0.5).astype(int)) == 1))
    print(f"{path}: {blinks} blinks in {take.duration:.0f} s, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
