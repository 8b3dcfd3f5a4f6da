"""From layers to a take: whatever is asked for, curves stay a face, and the direction is remembered."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from talker.animation import FaceAnimation
from talker.audio import Audio
from talker.direction.direct import Direction, direct
from talker.direction.mood import Personality, follow
from talker.direction.performance import LAYER_FPS, Performance, performed_again
from talker.direction.regions import Region, Regions
from talker.emotion import EMOTIONS
from talker.errors import TalkerError
from talker.finishing import FinishingOptions
from talker.rigs import arkit

RATE = 16_000


def neutral_speech(seconds, seed=0):
    frames = max(1, int(np.ceil(seconds * LAYER_FPS)))
    random = np.random.default_rng(seed)
    times = np.arange(frames)[:, None] / LAYER_FPS
    waves = np.sin(times * random.uniform(2, 30, arkit.CHANNEL_COUNT) + random.uniform(0, 6, arkit.CHANNEL_COUNT))
    speech = (0.3 * np.maximum(waves, 0)).astype(np.float32)
    speech[:, arkit.SHAPE_COUNT :] = 0
    strengths = np.eye(1, len(EMOTIONS), dtype=np.float32).repeat(frames, 0)
    return Performance(speech, speech, strengths, np.full(frames, 0.5, np.float32))


def played(direction, seconds=3.0, fps=60.0):
    performance = performed_again(neutral_speech(seconds), direction.emotion, direction.intensity, direction.seed)
    sound = np.random.default_rng(1).normal(0, 0.1, max(1, int(seconds * RATE)))
    return direct(performance, direction, direction, Audio(sound, RATE), fps, {"source": "línea.wav"})


keys = st.lists(
    st.tuples(st.sampled_from(EMOTIONS), st.floats(0, 1), st.floats(0, 4).map(lambda t: round(t, 2))),
    min_size=1,
    max_size=5,
    unique_by=lambda key: key[2],
).map(lambda some: " ".join(f"{label}:{share}@{time}" for label, share, time in sorted(some, key=lambda key: key[2])))
regions = st.builds(
    Regions,
    mouth=st.builds(Region, st.floats(0, 3), st.sampled_from([0.0, 0.1, 1.0])),
    brows=st.builds(Region, st.floats(0, 3), st.sampled_from([0.0, 0.3])),
    articulation=st.floats(0, 3),
    asymmetry=st.floats(-1, 1),
    head_smooth=st.sampled_from([0.0, 0.5]),
)
directions = st.builds(
    Direction,
    emotion=keys,
    intensity=st.floats(0, 2),
    action_units=st.sampled_from(["", "AU12L=0.6@1.0-2.0", "AU45=1@0.5 AU51=1"]),
    regions=regions,
    finishing=st.builds(FinishingOptions, blinks=st.floats(0, 3), head=st.floats(0, 3), gaze=st.floats(0, 3)),
    shift=st.floats(-1, 1),
    seed=st.integers(-(2**40), 2**70),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(directions, st.sampled_from([0.01, 0.1, 1.3, 6.0]), st.sampled_from([1, 12.5, 24, 29.97, 50, 60, 120]))
def test_any_direction_gives_a_face(direction, seconds, fps):
    take = played(direction, seconds, fps)  # FaceAnimation refuses what is not finite or out of range.
    assert take.frame_count == max(1, int(np.ceil(seconds * fps - 1e-6)))
    assert Direction.from_json(take.meta["direction"]) == direction
    again = played(direction, seconds, fps)
    assert take.curves.tobytes() == again.curves.tobytes() and take.meta == again.meta


def test_the_emotion_is_seen_where_the_timeline_has_it():
    take = played(Direction("neutral@0 happy@2 angry@4"), 6.0)
    smile, frown = take.channel("cheekSquintLeft"), take.channel("browDownLeft")
    before, happy, angry = (slice(round(a * 60), round(b * 60)) for a, b in ((0.5, 1.9), (2.6, 3.9), (4.6, 5.9)))
    assert smile[happy].mean() > smile[before].mean() + 0.2 and smile[happy].mean() > smile[angry].mean() + 0.1
    assert frown[angry].mean() > frown[before].mean() + 0.3 and frown[angry].mean() > frown[happy].mean() + 0.3


def test_cuts_are_seconds_of_the_take_wherever_the_face_is_shifted_to():
    for shift in (-0.7, 0.0, 0.7):
        for seed in range(5):
            lids, unblinking = (
                played(Direction(finishing=options, shift=shift, seed=seed)).channel("eyeBlinkLeft")
                for options in (FinishingOptions(blinks=3, cuts=(1.5,)), FinishingOptions(blinks=0))
            )
            np.testing.assert_array_equal(lids[90:95], unblinking[90:95])


def test_a_constant_emotion_is_one_key_and_a_change_is_a_few(tmp_path):
    assert len(played(Direction("happy:0.5")).meta["emotion"]) == 2
    take = played(Direction("neutral@0 happy@1"))
    assert 3 <= len(take.meta["emotion"]) <= 12
    take.save(tmp_path / "take.npz")
    assert FaceAnimation.load(tmp_path / "take.npz").meta == take.meta


def test_a_take_that_was_animated_without_emotion_has_none_to_strengthen():
    performance = neutral_speech(1)
    with pytest.raises(TalkerError, match="at intensity 0: there is no emotion in it"):
        direct(performance, Direction("sad"), Direction("sad", 0.0), Audio(np.zeros(RATE), RATE), 60, {})


HEARD = np.zeros((500, 8))
HEARD[:, 0], HEARD[250:, 0], HEARD[250:, 6] = 1, 0.5, 0.5


def test_a_mood_follows_the_voice_as_fast_and_as_far_as_the_personality_lets_it():
    moods = {
        (seconds, reach): follow(HEARD, 50, Personality(seconds, reach))[:, 6]
        for seconds in (0.0, 0.5, 2.0)
        for reach in (0.0, 1.0, 1.5)
    }
    assert moods[0.5, 1.0][:250].max() == 0
    assert moods[0.0, 1.0][250] == 0.5 and moods[0.5, 1.0][-1] == pytest.approx(0.5, abs=1e-3)
    assert moods[0.5, 1.0][275] == pytest.approx(0.5 * (1 - np.exp(-1)), abs=0.01)
    assert moods[2.0, 1.0][275] < moods[0.5, 1.0][275]
    assert moods[0.0, 1.5][-1] == pytest.approx(0.75) and not moods[2.0, 0.0].any()


def test_a_mood_rests_where_the_personality_says_and_depends_on_the_past_only():
    personality = Personality(rest="happy:0.2")
    mood = follow(HEARD, 50, personality)
    assert mood[:250, 1] == pytest.approx(0.2) and np.allclose(mood.sum(axis=1), 1)
    np.testing.assert_array_equal(follow(HEARD[:260], 50, personality), mood[:260])
    for wrong in ({"seconds": -1}, {"reach": float("nan")}, {"rest": "grumpy"}):
        with pytest.raises(TalkerError):
            Personality(**wrong)
