"""`talker.animate`: from speech and direction to a take."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from talker.animation import MAX_FRAMES, FaceAnimation
from talker.audio import Audio, read_audio
from talker.direction.direct import Direction, direct
from talker.direction.mood import Personality
from talker.direction.performance import AUTO, LAYER_FPS, perform_speech
from talker.direction.regions import Regions
from talker.direction.timeline import EmotionLike, EmotionTimeline
from talker.errors import TalkerError
from talker.finishing import FinishingOptions

if TYPE_CHECKING:
    from talker.inference import Model


def animate(
    source: Path | str | Audio | np.ndarray,
    sample_rate: int | None = None,
    *,
    emotion: EmotionLike = "neutral",
    intensity: float = 1.0,
    personality: Personality | None = None,
    blinks: bool | float = True,
    gaze: bool | float = True,
    head: bool | float = True,
    look_at: str = "camera",
    finishing: FinishingOptions | None = None,
    regions: Regions | None = None,
    action_units: str = "",
    shift: float = 0.0,
    seed: int = 0,
    style: str | None = None,
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
        intensity: Strength of all emotions: 0 none, 1 as `emotion` says, up to 2.
        personality: How the mood follows the voice under "auto".
        blinks: Whether the eyes blink, or how often against the usual.
        gaze: Whether the eyes leave what they look at, or how much.
        head: Whether the head moves, or how much.
        look_at: "camera", "X,Y,Z" in metres or "left@2 camera@4".
        finishing: Everything about the three lines above and more, instead of them.
        regions: Strength and smoothness of mouth, brows, eyes, cheeks; articulation; asymmetry.
        action_units: Overrides such as "AU12=0.6@1.0-2.0".
        shift: Seconds by which the face comes later than the sound; negative is earlier.
        seed: The same sound, direction and seed give the same bytes; another seed, another performance.
        style: Speaker whose manner to take on, of those that the model has learnt.
        fps: Frames per second of the result.
        model: A loaded model (load it once for many files), "default", or a folder written by `talker train`.
        device: "cpu", "cuda" or "auto", for a model that is not loaded yet.

    Returns:
        The take, with the sound attached. `talker.edit` can change all of this afterwards.
    """
    direction = Direction(
        emotion if emotion == AUTO else EmotionTimeline.of(emotion).text,
        float(intensity),
        action_units,
        regions or Regions(),
        finishing or FinishingOptions(blinks=float(blinks), gaze=float(gaze), head=float(head), look_at=look_at),
        float(shift),
        seed,
    )
    return animate_as(
        source, direction, sample_rate, personality=personality, style=style, fps=fps, model=model, device=device
    )


def animate_as(
    source: Path | str | Audio | np.ndarray,
    direction: Direction,
    sample_rate: int | None = None,
    *,
    personality: Personality | None = None,
    style: str | None = None,
    fps: float = 60.0,
    model: "Model | str | Path" = "default",
    device: str = "auto",
) -> FaceAnimation:
    """`animate` with the direction in one piece."""
    audio, meta = _audio_of(source, sample_rate)
    if len(audio.samples) == 0:
        raise TalkerError(f"{meta.get('source', 'the sound')} is empty: there is nothing to animate")
    if audio.duration * max(fps, LAYER_FPS) > MAX_FRAMES:
        raise TalkerError(f"{audio.duration / 3600:.1f} hours at {fps:g} fps is too long for one take: cut the sound")
    from talker.inference import Model, load_model

    if not isinstance(model, Model):
        model = load_model(model, device)
    performance = perform_speech(
        audio, model, direction.emotion, direction.intensity, personality, direction.seed, style
    )
    return direct(performance, direction, direction, audio, fps, meta)


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
