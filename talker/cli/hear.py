"""What a voice says about its owner: print it, plot it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from talker.cli.output import Flag, OptionalName, OptionalPath, say, say_json, say_table
from talker.errors import TalkerError

if TYPE_CHECKING:
    from talker.models.voice_emotion import HeardEmotion, Reading

_BAR = 24
_ROWS = 12


@dataclass(frozen=True)
class Hear:
    """Hear the emotion in a voice: which it is, how pleasant, how excited, and how hard the voice works.

    For example:
      talker hear line.wav
      talker hear scene.mov --plot scene.png
      talker hear line.wav --json > line.json
      talker hear line.wav --voice other_lines/
    """

    input: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
    """Sound or video file."""
    plot: OptionalPath = None
    """PNG to draw the emotion over time into."""
    json: Flag = False
    """Print everything for machines instead, the track over time included."""
    voice: OptionalPath = None
    """Folder with more speech of the same person in various moods: tells what is their voice and what is emotion."""
    model: Annotated[str, tyro.conf.arg(metavar="DIR")] = "default"
    """Folder with weights made by `talker train voice-emotion`, or one that holds them as `voice_emotion`."""
    encoder: OptionalName = None
    """Speech encoder below them, when it lies elsewhere."""

    def run(self) -> int:
        """Listen and report."""
        from talker.audio import read_audio
        from talker.models.voice_emotion import load_listener

        if self.plot is not None and self.plot.suffix.lower() != ".png":
            raise TalkerError(f"{self.plot}: the plot is a .png file")
        audio = read_audio(self.input)
        if not len(audio.samples):
            raise TalkerError(f"{self.input} is empty: there is nothing to hear in it")
        listener = load_listener(self.model, self.encoder)
        voice = None if self.voice is None else listener.voice_in(self.voice)
        heard = listener.hear(audio, voice)
        if self.json:
            say_json({"file": self.input.name, "seconds": round(audio.duration, 3), **heard.to_json()})
        else:
            _print(heard, self.input.name, audio.duration)
        if self.plot is not None:
            _draw(heard, self.input.name, self.plot)
        return 0


def _print(heard: "HeardEmotion", name: str, seconds: float) -> None:
    from talker.emotion import EMOTIONS

    overall = heard.overall
    say(f"{name}, {seconds:.1f} s")
    ranked = sorted(zip(overall.mixture, EMOTIONS, strict=True), reverse=True)
    say_table(
        [{"emotion": label, "share": f"{share:.2f}", "": "█" * round(_BAR * float(share))} for share, label in ranked]
    )
    say(f"valence {overall.valence:+.2f}   arousal {overall.arousal:+.2f}   vocal effort {overall.effort:.2f}\n")
    say_table(list(_moments(heard.track, seconds)))


def _moments(track: "Reading", seconds: float) -> "list[dict[str, str]]":
    """At most a dozen moments, evenly spread, half a second apart at least."""
    from talker.emotion import EMOTIONS
    from talker.models.voice_emotion import TRACK_FPS

    count = max(1, min(_ROWS, int(seconds / 0.5)))
    rows = []
    for number in range(count):
        time = (number + 0.5) * seconds / count
        slot = min(int(time * TRACK_FPS), len(track.effort) - 1)
        first, second = sorted(zip(track.mixture[slot], EMOTIONS, strict=True), reverse=True)[:2]
        rows.append(
            {
                **{"time": f"{time:.1f} s", "emotion": f"{first[1]} {first[0]:.2f}"},
                **{"then": f"{second[1]} {second[0]:.2f}", "valence": f"{track.valence[slot]:+.2f}"},
                **{"arousal": f"{track.arousal[slot]:+.2f}", "effort": f"{track.effort[slot]:.2f}"},
            }
        )
    return rows


def _draw(heard: "HeardEmotion", name: str, path: Path) -> None:
    from talker.files import atomic_output
    from talker.render.emotion_chart import emotion_chart

    with atomic_output(path) as temporary:
        emotion_chart(heard, name).save(temporary, format="PNG", optimize=True)
