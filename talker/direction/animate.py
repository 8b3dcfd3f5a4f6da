"""`talker.animate`: from speech and direction to a take."""

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from talker.animation import MAX_FRAMES, FaceAnimation
from talker.audio import Audio, read_audio
from talker.direction.mood import Personality
from talker.direction.performance import AUTO, LAYER_FPS, Performance, perform_speech
from talker.direction.timeline import EmotionLike, EmotionTimeline, emotion_track
from talker.errors import TalkerError
from talker.rigs import arkit

if TYPE_CHECKING:
    from talker.inference import Model


def animate(
    source: Path | str | Audio | np.ndarray,
    sample_rate: int | None = None,
    *,
    emotion: EmotionLike = "neutral",
    intensity: float = 1.0,
    personality: Personality | None = None,
    fps: float = 60.0,
    model: "Model | str | Path" = "default",
    device: str = "auto",
) -> FaceAnimation:
    """Animate a face from speech.

    Args:
        source: A sound or video file, an `Audio`, or samples (N,) or (N, channels): floats in [-1, 1] or integers.
        sample_rate: Of the samples, in Hz; files know their own.
        emotion: A label ("angry"), a mixture ("happy:0.6+sad:0.2"), keys over time ("neutral@0 happy:0.4@1.2"), a
            JSON or CSV file of them, strengths by label, an `EmotionTimeline`, or "auto": what the voice says.
        intensity: Strength of all emotions, 0..1.
        personality: How the mood follows the voice under "auto".
        fps: Frames per second of the result.
        model: A loaded model (load it once for many files), "default", or a folder written by `talker train`.
        device: "cpu", "cuda" or "auto", for a model that is not loaded yet.

    Returns:
        The take, with the sound attached.
    """
    audio, meta = _audio_of(source, sample_rate)
    if len(audio.samples) == 0:
        raise TalkerError(f"{meta.get('source', 'the sound')} is empty: there is nothing to animate")
    if audio.duration * max(fps, LAYER_FPS) > MAX_FRAMES:
        raise TalkerError(f"{audio.duration / 3600:.1f} hours at {fps:g} fps is too long for one take: cut the sound")
    if not 0 <= intensity <= 1:
        raise TalkerError(f"an intensity of {intensity:g} is outside 0..1")
    if emotion != AUTO:
        emotion = EmotionTimeline.of(emotion)  # A misspelt emotion should not wait for the networks.
    from talker.inference import Model, load_model

    if not isinstance(model, Model):
        model = load_model(model, device)
    performance = perform_speech(audio, model, emotion, intensity, personality)
    return _take(performance, audio, fps, meta)


def _take(performance: Performance, audio: Audio, fps: float, meta: dict[str, Any]) -> FaceAnimation:
    curves = arkit.eye_angles_from_looks(performance.emotional)
    meta = {**meta, "emotion": emotion_track(performance.strengths, LAYER_FPS)}
    take = FaceAnimation(curves, LAYER_FPS, audio, meta, performance.layers()).resample(fps)
    frames = max(1, math.ceil(audio.duration * fps - 1e-6))  # The last 50th of a second may outlast the sound.
    return replace(take, curves=take.curves[:frames])


def _audio_of(source: Path | str | Audio | np.ndarray, sample_rate: int | None) -> tuple[Audio, dict[str, str]]:
    if isinstance(source, str | Path):
        return read_audio(source), {"source": Path(source).name}
    if isinstance(source, Audio):
        return source, {}
    if sample_rate is None:
        raise TalkerError("animate(samples) needs their rate: animate(samples, sample_rate=16000)")
    samples = np.asarray(source)
    if np.issubdtype(samples.dtype, np.signedinteger):
        samples = samples / -float(np.iinfo(samples.dtype).min)
    return Audio(samples, sample_rate), {}
