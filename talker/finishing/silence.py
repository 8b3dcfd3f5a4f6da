"""Silence gate: where nobody speaks, the mouth rests, as the mood holds it."""

import numpy as np

from talker.emotion import EMOTIONS, emotion_pose
from talker.finishing.cues import CUE_FPS, Cues
from talker.phones import PHONES, SILENCE
from talker.rigs import arkit

LOOK_AHEAD = 0.5
"""Seconds: the mouth is free this long before speech, so that the gate never makes it late."""

MOUTH: tuple[int, ...] = tuple(
    i
    for i, name in enumerate(arkit.CHANNELS)
    if name.startswith(("jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthLowerDown", "mouthUpperUp"))
    or name.startswith(("mouthShrugUpper", "tongueOut"))
)
"""The channels that this step owns: what opens and rounds the mouth. Smiles and frowns are not speech."""

_BEFORE, _AFTER = 0.22, 0.22  # Seconds around speech in which the mouth is free: it opens early and closes late.
_FADE = 0.14  # Seconds from free to rest.
_SILENT = 0.9  # Probability of silence from which on a sound is none of a mouth;
_SILENT_FOR_LONG = 0.9  # its mean over so many seconds, from which on what sounds like a voice is music.
_LONG = 0.3


def rest_in_silence(
    curves: np.ndarray,
    fps: float,
    cues: Cues,
    strengths: np.ndarray,
    phones: np.ndarray | None = None,
    amount: float = 1.0,
) -> np.ndarray:
    """(T, 61) with a mouth that rests in silence. Owns `MOUTH`, only ever lowers it; looks `LOOK_AHEAD` ahead.

    Args:
        curves: Of the face.
        fps: Frames per second.
        cues: Of its sound; a face without sound is left as it is.
        strengths: (T, 8) emotions: a surprised mouth may hang open.
        phones: (N, phones) probabilities of `talker.phones.PHONES` at 50 Hz, a second opinion on what is silence.
        amount: How much of what is too much is taken away, 0..1; what is above is 1.
    """
    out = np.array(curves, np.float32)
    if not cues.heard:
        return out
    freedom = cues.at(_freedom(cues, phones), np.arange(len(curves)) / fps)
    taken = min(amount, 1.0) * (1.0 - freedom)
    poses = np.stack([emotion_pose(emotion) for emotion in EMOTIONS])
    jaw, close = arkit.INDEX["jawOpen"], arkit.INDEX["mouthClose"]
    was_open = out[:, jaw].copy()
    for channel in set(MOUTH) - {close}:
        held = np.minimum(out[:, channel], strengths @ poses[:, channel])
        out[:, channel] -= taken * (out[:, channel] - held)
    # What closes an open jaw goes with it.
    out[:, close] *= np.where(was_open > 1e-6, out[:, jaw] / np.maximum(was_open, 1e-6), 1.0 - taken)
    return out


def _freedom(cues: Cues, phones: np.ndarray | None) -> np.ndarray:
    """(N,) 1 in and around speech, 0 well away from it."""
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    active = cues.sounding
    if phones is not None:
        # Told by phones, a bang or music without words is silence too.
        known = np.full(len(active), phones[-1, PHONES.index(SILENCE)])
        known[: len(phones)] = phones[: len(active), PHONES.index(SILENCE)]
        size = round(_LONG * CUE_FPS)
        around = uniform_filter1d(known.astype(float), size, mode="nearest")
        active = (cues.speaking & (around < _SILENT_FOR_LONG)) | (active & (known < _SILENT))
    before, after, fade = (round(seconds * CUE_FPS) for seconds in (_BEFORE, _AFTER, _FADE))
    window = np.hanning(fade + 3)[1:-1]
    # As much wider as the fade is long on either side, so that it is all outside what must be free.
    size = before + after + fade + 1
    free = maximum_filter1d(active.astype(float), size, origin=(after - before) // 2, mode="constant")
    return np.clip(np.convolve(np.pad(free, fade // 2, "edge"), window / window.sum(), "valid")[: len(active)], 0, 1)
