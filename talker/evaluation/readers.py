"""How well readers of faces read people that they never saw."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from talker.evaluation.lip_reading import MOUTH_SHAPES, order_errors, shapes_in_order
from talker.evaluation.phones import collapsed
from talker.models.emotion_net import EmotionNet
from talker.models.lip_reader import LipReader
from talker.models.readers import load_readers
from talker.phones import PHONES
from talker.training.reader_pictures import Shots
from talker.training.speech_corpus import UNKNOWN

_PER_SET = 40  # Clips of each set that lips are read in.


def judge(folder: Path, lips: Shots, acted: Shots, performed: Shots, slight: Shots) -> dict[str, float]:
    """Figures of the readers in a folder, by name: errors of lips by set, accuracy and strength of emotions."""
    readers = load_readers(folder)
    return (
        lip_figures(readers.lips, lips)
        | emotion_figures(readers.emotion, acted, "acted")
        | emotion_figures(readers.emotion, performed, "performed")
        | emotion_figures(readers.emotion, slight, "slight")
    )


@torch.inference_mode()
def lip_figures(reader: LipReader, shots: Shots) -> dict[str, float]:
    """By set: edits per phone, edits per mouth shape, and the share of frames whose shape is seen wrongly."""
    edits: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(6))
    used: dict[str, int] = defaultdict(int)
    for number, name in enumerate(shots.sets):
        pictures, phones = shots.sequence(number)
        known = (phones != UNKNOWN).numpy()
        if used[name] == _PER_SET or not known.any():
            continue
        used[name] += 1
        scores, order = reader(pictures[None].float() / 255.0)
        read = [phone for phone in order[0].argmax(-1).unique_consecutive().tolist() if phone < len(PHONES)]
        said = collapsed(phones[known].tolist())
        seen, true = MOUTH_SHAPES[scores[0].argmax(-1).numpy()], MOUTH_SHAPES[np.maximum(phones.numpy(), 0)]
        of_phones, of_shapes = order_errors(read, said)
        wrong = int((seen != true)[known].sum())
        edits[name] += (of_phones, len(said), of_shapes, len(shapes_in_order(said)), wrong, known.sum())
    figures = {}
    for name, (phone, phones_said, shape, shapes_said, wrong, frames) in sorted(edits.items()):
        figures[f"phone error {name}"] = phone / max(phones_said, 1)
        figures[f"shape error {name}"] = shape / max(shapes_said, 1)
        figures[f"frame error {name}"] = wrong / max(frames, 1)
    return figures


@torch.inference_mode()
def emotion_figures(network: EmotionNet, shots: Shots, name: str) -> dict[str, float]:
    """Share of sequences whose emotion is seen, each emotion counting the same, and how strong the others look."""
    right: dict[int, list[bool]] = defaultdict(list)
    intensity = []
    for number, emotion in enumerate(shots.emotion):
        pictures, _ = shots.sequence(number)
        seen = network(pictures[None].float() / 255.0)
        right[int(emotion)].append(int(seen.scores.argmax()) == emotion)
        if emotion:
            intensity.append(float(seen.intensity.sigmoid()))
    if not right:
        return {}
    accuracy = float(np.mean([np.mean(hits) for hits in right.values()]))
    return {f"accuracy {name}": accuracy, f"intensity {name}": float(np.mean(intensity)) if intensity else 0.0}
