"""A minute of silence, which should look alive and calm, and a minute of shouting, which should look like work.

    python examples/06_minute.py                            # examples/images/silence.webp and shouting.webp
    python examples/06_minute.py --shouting emodb/*W?.wav   # with real anger, as in the pictures: EmoDB's
    python examples/06_minute.py --takes takes              # both as films, too

Each picture: a moment every five seconds, a blink frame by frame, and charts of lids, head and lips.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import talker
from talker.audio import NETWORK_RATE, Audio, read_audio
from talker.render.film import Film
from talker.render.line_chart import line_chart, stacked
from talker.render.portrait import portrait_of
from talker.render.stills import sheet
from talker.rigs import arkit

FOLDER = Path(__file__).parent
VOICES = [FOLDER / "speech" / name for name in ("angry_man.opus", "scene_3.opus")]
SECONDS, FPS = 60.0, 60.0
WIDTH, COLUMNS = 960, 6
EVERY = 5.0  # Seconds from one moment to the next.
BLINK_FRAMES = (-7, -4, -2, 0, 4, 9)  # Around the instant in which the lids are shut.


def shouted(paths: list[Path]) -> Audio:
    """A minute of recordings one after the other, from the first again after the last."""
    samples = np.concatenate([read_audio(path).resample(NETWORK_RATE).samples for path in paths])
    return Audio(np.resize(samples, round(SECONDS * NETWORK_RATE)), NETWORK_RATE)


def picture(take: talker.FaceAnimation) -> Image.Image:
    """Moments, a blink, charts."""
    film = Film(take, portrait_of(None), WIDTH // COLUMNS)
    moments = np.arange(0, take.frame_count, round(EVERY * take.fps)).tolist()
    lids = take.channel("eyeBlinkLeft")
    shut = int(np.argmax(lids[: -max(BLINK_FRAMES)]))
    frames = [*moments, *(max(shut + step, 0) for step in BLINK_FRAMES)]
    labels = [f"{frame / take.fps:.1f} s" for frame in moments] + [
        f"{1000 * step / FPS:+.0f} ms" for step in BLINK_FRAMES
    ]
    faces = Image.fromarray(sheet([film.frame(frame) for frame in frames], labels, COLUMNS))
    away = np.degrees(np.abs(take.curves[:, arkit.HEAD]))
    rows = (
        ("Lids: 0 open, 1 shut", {"left lid": lids}),
        ("Head, degrees away from straight", dict(zip(("yaw", "pitch", "roll"), away.T, strict=True))),
        ("How far the lips are apart, in units of jawOpen", {"lips": arkit.lip_aperture(take.curves)}),
    )
    charts = [
        line_chart(title, take.times[::4], {n: v[::4] for n, v in lines.items()}, (WIDTH, 150)) for title, lines in rows
    ]
    return stacked([faces, *charts])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shouting", type=Path, nargs="+", default=VOICES, help="recordings of anger")
    parser.add_argument("--takes", type=Path, help="folder for films of both")
    parser.add_argument("--folder", type=Path, default=FOLDER / "images", help="where the pictures go")
    arguments = parser.parse_args()
    sounds = {
        "silence": (Audio(np.zeros(round(SECONDS * NETWORK_RATE)), NETWORK_RATE), "neutral"),
        "shouting": (shouted(arguments.shouting), "angry"),
    }
    for name, (audio, emotion) in sounds.items():
        take = talker.animate(audio, emotion=emotion, fps=FPS)
        if arguments.takes:
            take.save(arguments.takes / f"{name}.mp4")
        path = arguments.folder / f"{name}.webp"
        picture(take).save(path, quality=80, method=6)
        print(f"{path}: {take.duration:.0f} s, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
