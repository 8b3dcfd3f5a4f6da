"""How much of what was said can be read from the lips, and which emotion can be seen: takes shown to readers."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from talker.animation import FaceAnimation
from talker.evaluation.phones import edit_distance
from talker.models.emotion_net import FACE_FPS
from talker.models.lip_reader import LIP_FPS
from talker.models.readers import Readers
from talker.phones import BILABIAL, LABIODENTAL, PHONES, ROUNDED, SILENCE
from talker.render.crops import Crop, face_crop, mouth_crop
from talker.rigs import arkit

_SHAPES = (
    frozenset({SILENCE}),
    BILABIAL,
    LABIODENTAL,
    ROUNDED | {"w"},
    frozenset({"i", "ɪ", "e", "ɛ", "æ", "j", "ç", "ɲ"}),
    frozenset({"a", "ɑ", "ʌ", "ə", "ɜ", "ɨ"}),
    frozenset({"ʃ", "ʒ", "tʃ", "dʒ", "ɹ"}),
    frozenset({"θ", "ð", "t", "d", "n", "s", "z", "l", "ɾ", "ts"}),
    frozenset({"k", "ɡ", "ŋ", "x", "ʁ", "h", "ʔ"}),
)
MOUTH_SHAPES = np.array([next(i for i, shape in enumerate(_SHAPES) if phone in shape) for phone in PHONES])
"""(49,) the class that each of `PHONES` belongs to for whoever sees nothing but the lips; 0 is silence."""


def read_phones(readers: Readers, take: FaceAnimation) -> list[str]:
    """The phones that a lip reader reads from a take, in order."""
    return readers.lips.phones(pictures_of(take, mouth_crop(), LIP_FPS))


def see_emotion(readers: Readers, take: FaceAnimation) -> tuple[np.ndarray, float]:
    """(8,) how sure the emotion network is of each of `EMOTIONS`, summing to 1, and how strong it looks, 0 to 1."""
    with torch.no_grad():
        seen = readers.emotion(pictures_of(take, face_crop(), FACE_FPS)[None])
    return seen.scores[0].softmax(-1).numpy(), float(seen.intensity[0].sigmoid())


@torch.inference_mode()
def pictures_of(take: FaceAnimation, crop: Crop, fps: float, piece: int = 24) -> Tensor:
    """(T, S, S) the take at another rate, its head held still."""
    curves = torch.from_numpy(np.array(take.resample(fps).curves))
    curves[:, arkit.HEAD] = 0.0
    return torch.cat([crop.halved(part) for part in curves.split(piece)])


def order_errors(read: Sequence[int], said: Sequence[int]) -> tuple[int, int]:
    """Edits between two orders of phone numbers: of the phones, and of their mouth shapes."""
    return edit_distance(read, said), edit_distance(shapes_in_order(read), shapes_in_order(said))


def shapes_in_order(phones: Sequence[int]) -> list[int]:
    """The mouth shapes that phones go through; neighbours of one shape are one."""
    shapes = MOUTH_SHAPES[np.asarray(phones, int)] if len(phones) else np.zeros(0, int)
    return [int(shape) for i, shape in enumerate(shapes) if shape and (i == 0 or shape != shapes[i - 1])]
