"""Direct a scene of two minutes with three emotional turns, and look at it.

    python examples/04_scene.py                             # examples/images/scene.webp
    python examples/04_scene.py --take scene.html           # the take as well, in any format talker writes
    python examples/04_scene.py --emotion auto              # the emotion in the voice instead of the director's

A woman reads a letter from her brother: joy, then grief, then anger, and what comes after.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import talker
from talker.audio import Audio, read_audio
from talker.render.film import Film
from talker.render.portrait import portrait_of
from talker.render.stills import sheet
from talker.rigs import arkit

FOLDER = Path(__file__).parent
MOMENTS, COLUMNS = 20, 5

# What each recording is played as, in seconds from its start.
ACTS = {
    "scene_1.opus": "surprised:0.4+happy:0.2@0 happy:0.5@4~1 happy:0.9@13~0.5",
    "scene_2.opus": "sad:0.3@0~1.5 sad:0.8@4~2 sad:0.6+fear:0.3@15~2 sad@24~2",
    "scene_3.opus": "angry:0.4@0~1 angry:0.9@5~0.2 contempt:0.3+angry:0.5@15~1 angry:0.3@25~2",
    "scene_4.opus": "neutral@0~3 sad:0.3+happy:0.2@9~2 happy:0.6@20~3",
}


def scene() -> tuple[Audio, talker.EmotionTimeline]:
    """The recordings one after the other, and the emotions at the times at which they fall."""
    samples, keys, start = [], [], 0.0
    for name, emotions in ACTS.items():
        audio = read_audio(FOLDER / "speech" / name)
        for key in talker.EmotionTimeline.parse(emotions).keys:
            keys.append(talker.EmotionKey(start + key.time, key.mixture, key.ramp, key.easing))
        samples.append(audio.samples)
        start += audio.duration
    return Audio(np.concatenate(samples), audio.sample_rate), talker.EmotionTimeline(tuple(keys))


def vowels(take: talker.FaceAnimation, count: int) -> list[int]:
    """The frame in which the mouth is widest open in each of `count` equal parts."""
    opening = arkit.lip_aperture(take.curves)
    return [int(part[0] + np.argmax(opening[part])) for part in np.array_split(np.arange(take.frame_count), count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--take", type=Path, help="write the take, too")
    parser.add_argument("--emotion", help="instead of the direction in this script")
    parser.add_argument("--folder", type=Path, default=FOLDER / "images", help="where the picture goes")
    arguments = parser.parse_args()
    audio, timeline = scene()
    take = talker.animate(audio, emotion=arguments.emotion or timeline, seed=1)
    if arguments.take:
        take.save(arguments.take)
        print(f"{arguments.take}: {take}")
    frames = vowels(take, MOMENTS)
    film = Film(take, portrait_of(None), 200)
    labels = [f"{frame / take.fps:.0f} s" for frame in frames]
    path = arguments.folder / "scene.webp"
    Image.fromarray(sheet([film.frame(frame) for frame in frames], labels, COLUMNS)).save(path, quality=80, method=6)
    print(f"{path}: {len(frames)} moments of {take.duration:.0f} s, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
