"""Whatever is felt, at any rate and for any time: a face in range, whole, and no faster than people."""

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from talker.animation import FaceAnimation
from talker.audio import NETWORK_RATE, Audio, read_audio
from talker.direction.direct import Direction, direct
from talker.direction.performance import LAYER_FPS, Performance, perform_speech, performed_again
from talker.emotion import EMOTIONS
from talker.evaluation.kept_closures import fastest, kept
from talker.finishing import FinishingOptions
from talker.resources import checkpoints_dir

VOICE = checkpoints_dir().parent / "examples" / "speech" / "angry_man.opus"
RATES = (1, 12, 23.976, 24, 25, 29.97, 30, 50, 60, 100, 120, 240)


@lru_cache(maxsize=1)
def spoken() -> tuple[Performance, Audio]:
    """A line without emotion by the real network, and its sound."""
    from talker.inference import load_model

    audio = read_audio(VOICE).resample(NETWORK_RATE)
    return perform_speech(audio, load_model("default")), audio


def lasting(seconds: float) -> tuple[Performance, Audio]:
    """The line, again and again or only its beginning."""
    performance, audio = spoken()
    frames, samples = max(1, int(np.ceil(seconds * LAYER_FPS))), max(1, round(seconds * NETWORK_RATE))
    layers = {name: np.resize(layer, (frames, *layer.shape[1:])) for name, layer in performance.layers().items()}
    return Performance.of_layers(layers), Audio(np.resize(audio.samples, samples), NETWORK_RATE)


def played(direction: Direction, seconds: float, fps: float) -> FaceAnimation:
    performance, audio = lasting(seconds)
    felt = performed_again(performance, direction.emotion, direction.intensity, direction.seed)
    return direct(felt, direction, direction, audio, fps, {})


@st.composite
def timelines(draw) -> str:
    """Mixtures that come at any time, at once or slowly."""
    times = sorted(draw(st.lists(st.integers(0, 900), min_size=1, max_size=6, unique=True)))
    keys = []
    for time in times:
        one, other = (draw(st.sampled_from(EMOTIONS)) for _ in range(2))
        share, ramp = draw(st.floats(0, 1)), draw(st.sampled_from(["", "~0", "~0.05", "~1.5"]))
        mixture = one if one == other else f"{one}:{share:.2f}+{other}:{1 - share:.2f}"
        keys.append(f"{mixture}@{time / 100}{ramp}")
    return " ".join(keys)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    timelines(),
    st.floats(0, 2),
    st.integers(-(2**40), 2**70),
    st.sampled_from(RATES),
    st.sampled_from([0.1, 0.1001, 0.5, 4.0]),
)
def test_any_timeline_gives_a_face_no_faster_than_people(timeline, intensity, seed, fps, seconds):
    take = played(Direction(timeline, intensity, seed=seed), seconds, fps)  # What is not in range is refused.
    assert np.isfinite(take.curves).all()
    share, channel = fastest(take)
    assert share <= 1, (channel, share)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(timelines(), st.integers(0, 99), st.sampled_from([rate for rate in RATES if rate >= 24]))
def test_any_timeline_keeps_the_closures(timeline, seed, fps):
    calm, felt = (played(Direction(emotion, seed=seed), 7.4, fps) for emotion in ("neutral", timeline))
    found = kept(calm, felt)
    assert found.neutral > 3 and (found.moved, found.lost, found.invented) == (0, 0, 0), found


def test_without_its_steps_a_face_is_faster_and_loses_closures():
    """Both guards are needed, or the tests above test nothing."""
    free = FinishingOptions(speed=0, closure=0)
    calm, felt = (played(Direction(emotion, finishing=free), 7.4, 60) for emotion in ("neutral", "happy"))
    assert fastest(felt)[0] > 1.05
    found = kept(calm, felt)
    assert found.moved + found.lost + found.invented > 0


@pytest.mark.slow
@pytest.mark.parametrize("fps", [24, 60])
def test_an_hour_is_a_face_too(fps):
    timeline = " ".join(f"{EMOTIONS[i % 8]}@{i * 37}~{0.1 + i % 3}" for i in range(97))
    take = played(Direction(timeline, seed=3), 3600, fps)
    assert take.frame_count == 3600 * fps
    share, channel = fastest(take)
    assert share <= 1, (channel, share)
