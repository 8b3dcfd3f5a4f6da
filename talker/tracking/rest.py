"""When a face is likely to be at rest."""

import numpy as np

from talker.audio import NETWORK_RATE, Audio

_SILENCE_DB = -35.0  # Below the clip's loud parts: nothing is heard.


def silent_frames(audio: Audio | None, fps: float, count: int) -> np.ndarray:
    """(count,) bool: video frames in which the sound is far below the clip's loud parts; none without sound."""
    if audio is None or not len(audio.samples):
        return np.zeros(count, bool)
    samples = audio.resample(NETWORK_RATE).samples
    edges = np.rint(np.arange(count + 1) / fps * NETWORK_RATE).astype(int)
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    power = np.diff(energy[np.minimum(edges, len(samples))])
    return power < np.percentile(power, 95) * 10 ** (_SILENCE_DB / 10)
