"""How much of what was said can be read from lips: from a talker's, and from those of the people who said it.

    python -m talker.evaluation.lips_read --shards shards --data ../shared/data

Both are drawn on the same head and read by the same reader. Its errors on the tracked faces are what a perfect talker
would reach; who says nothing makes one error per phone.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import tyro

from talker.animation import FaceAnimation
from talker.cli.program import run_program
from talker.datasets.phone_times import SpokenWord, grid_words
from talker.emotion import require_emotion
from talker.evaluation.clips import Clip, clips_of_shards
from talker.evaluation.lip_reading import order_errors, read_phones, shapes_in_order
from talker.evaluation.phones import collapsed
from talker.evaluation.talking import talked
from talker.models.readers import EVALUATION_READERS, Readers, load_readers
from talker.models.speech import Speech
from talker.models.speech_encoder import FEATURE_FPS
from talker.phones import index
from talker.training.reader_takes import phones_said
from talker.training.speech_corpus import UNKNOWN

if TYPE_CHECKING:
    from talker.inference import Model

WHOSE = ("tracked face", "talker")


@dataclass(frozen=True)
class LipsRead:
    """Read a talker's lips, and those of people who say the same."""

    shards: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="DIR")]
    """Folders made by `talker prepare`; the validation split is read."""
    data: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of the set grid_s1: what is said there is then known, and elsewhere heard by the speech encoder."""
    model: Annotated[str, tyro.conf.arg(metavar="NAME")] = "default"
    """Weights to judge: "default", or a folder written by `talker train`."""
    readers: Annotated[str, tyro.conf.arg(metavar="NAME")] = EVALUATION_READERS
    """Who reads."""
    emotion: str = "neutral"
    """What the talker feels meanwhile."""
    clips: int = 20
    """Of each set."""

    def run(self) -> None:
        """Read and print."""
        from talker.inference import load_model
        from talker.models.checkpoint import load_speech

        require_emotion(self.emotion)
        words = {} if self.data is None else grid_words(self.data / "grid_s1")
        clips = _some_of_each_set(clips_of_shards(self.shards, "validation"), self.clips)
        model, readers, speech = load_model(self.model), load_readers(self.readers), load_speech("default")
        print(f"{'':<20}{'errors per':<14}clips" + "".join(f"{whose:>14}" for whose in WHOSE))  # noqa: T201
        for name, some in clips.items():
            for unit, errors in read_set(model, readers, speech, some, words, self.emotion).items():
                print(f"{name:<20}{unit:<14}{len(some):5}" + "".join(f"{e:14.2f}" for e in errors))  # noqa: T201


def read_set(
    model: "Model",
    readers: Readers,
    speech: Speech,
    clips: Sequence[Clip],
    words: dict[str, list[SpokenWord]],
    emotion: str = "neutral",
) -> dict[str, tuple[float, ...]]:
    """Errors per "phone" and per "mouth shape", of `WHOSE`."""
    edits, said = np.zeros((len(WHOSE), 2)), np.zeros(2)
    for clip in clips:
        known = words.get(clip.name.rpartition("/")[2]) if clip.set == "grid_s1" else None
        phones = phones_said(speech, clip.samples, clip.frames, known)
        truth = collapsed(phones[phones != UNKNOWN].tolist())
        said += len(truth), len(shapes_in_order(truth))
        for row, curves in enumerate((clip.curves, talked(model, clip, emotion))):
            read = [index(phone) for phone in read_phones(readers, FaceAnimation(curves, FEATURE_FPS))]
            edits[row] += order_errors(read, truth)
    errors = edits / np.maximum(said, 1.0)
    return {unit: tuple(errors[:, column].tolist()) for column, unit in enumerate(("phone", "mouth shape"))}


def _some_of_each_set(clips: Iterable[Clip], count: int) -> dict[str, list[Clip]]:
    """Evenly spread over each set."""
    of_set: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        of_set[clip.set].append(clip)
    spread = {name: np.linspace(0, len(all_) - 1, min(count, len(all_))).astype(int) for name, all_ in of_set.items()}
    return {name: [of_set[name][number] for number in numbers] for name, numbers in spread.items()}


if __name__ == "__main__":
    sys.exit(run_program(LipsRead))
