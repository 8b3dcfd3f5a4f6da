"""What must hold of every performance: any strength, seed, rate and length."""

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talker.animation import FaceAnimation
from talker.audio import Audio
from talker.emotion import EMOTIONS
from talker.errors import TalkerError
from talker.finishing import FinishingOptions, finish, parse_look_at
from talker.finishing.blinks import CUT_FRAMES, LIDS, blink, plan_blinks
from talker.finishing.cues import LOOK_AHEAD, Cues, hear
from talker.finishing.gaze import EYES, look, plan_gaze
from talker.finishing.head import BREATH, HEAD, breathe, move_head
from talker.finishing.speed import human_speed
from talker.rigs import arkit

RATE = 16_000
CAMERA = parse_look_at("camera")


@lru_cache(maxsize=20)
def babble(seconds: float, seed: int = 0) -> Audio:
    """Sound with the rhythm of speech: a buzz in syllables, phrases and pauses."""
    random = np.random.default_rng(seed)
    times = np.arange(round(seconds * RATE)) / RATE
    pitch = 120 * (1 + 0.2 * np.sin(2 * np.pi * 0.7 * times + random.random()))
    phase = np.cumsum(pitch) / RATE
    buzz = sum(np.sin(2 * np.pi * k * phase) / k for k in range(1, 20))
    syllables = np.clip(np.sin(2 * np.pi * 2.1 * times) + 0.3, 0, 1) * (0.4 + 0.6 * np.sin(np.pi * 0.45 * times) ** 2)
    phrases = np.sin(2 * np.pi * times / 4.3 + random.random()) > -0.4
    return Audio(0.1 * buzz * syllables * phrases + random.normal(0, 1e-4, len(times)), RATE)


def silent(frames: int, fps: float, audio: Audio | None = None) -> FaceAnimation:
    return FaceAnimation(np.zeros((frames, arkit.CHANNEL_COUNT), np.float32), fps, audio)


def pure(emotion: str, frames: int) -> np.ndarray:
    strengths = np.zeros((frames, len(EMOTIONS)), np.float32)
    strengths[:, EMOTIONS.index(emotion)] = 1
    return strengths


@st.composite
def moods(draw, frames: int) -> np.ndarray:
    """Emotions that change in steps and ramps, over the frames."""
    random = np.random.default_rng(draw(st.integers(0, 999)))
    keys = random.dirichlet(np.full(len(EMOTIONS), 0.3), draw(st.integers(1, 5)))
    steps = np.linspace(0, len(keys) - 1, frames)
    return keys[np.rint(steps).astype(int)]


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_any_performance_is_finite_continuous_in_range_and_repeatable(data):
    fps = data.draw(st.sampled_from([1, 12.5, 24, 25, 29.97, 30, 50, 60, 120]))
    seconds = data.draw(st.sampled_from([0.1, 0.35, 1.0, 7.3, 20.0]))
    frames = max(1, round(seconds * fps))
    sound = data.draw(st.sampled_from(["none", "babble", "short"]))
    audio = {"none": None, "babble": babble(seconds), "short": babble(seconds / 2)}[sound]
    amounts = {name: data.draw(st.sampled_from([0.0, 0.5, 1.0, 3.0])) for name in ("blinks", "gaze", "head", "breath")}
    options = FinishingOptions(
        **amounts,
        look_at=data.draw(st.sampled_from(["camera", "left@0.5 camera@2 down@3", "0.5,-0.3,0.6"])),
        blink_rates=data.draw(st.sampled_from(["conversation", "emoface"])),
        cuts=data.draw(st.sampled_from([(), (2.0, 5.0)])),
    )
    seed = data.draw(st.integers(-(2**40), 2**70))
    take, mood = silent(frames, fps, audio), data.draw(moods(frames))
    done = finish(take, mood, options, seed)  # FaceAnimation itself refuses what is not finite or out of range.
    assert done.curves.tobytes() == finish(take, mood, options, seed).curves.tobytes()
    assert done.audio is take.audio
    if frames > 1 and max(amounts.values()) <= 1:
        speed = np.abs(np.diff(done.curves, axis=0)).max(axis=0) * fps
        assert (speed <= human_speed()).all(), [
            (name, s, limit) for name, s, limit in zip(arkit.CHANNELS, speed, human_speed(), strict=True) if s > limit
        ]


def test_each_step_moves_only_its_own_channels():
    fps, frames = 30.0, 900
    random = np.random.default_rng(1)
    curves = (random.random((frames, arkit.CHANNEL_COUNT)) * 0.3).astype(np.float32)
    cues, mood = hear(babble(30), 30), pure("fear", frames)
    gaze = plan_gaze(cues, mood, fps, CAMERA, 1.0, 0)
    steps = {
        "blinks": (LIDS, blink(curves, fps, cues, mood, gaze)),
        "gaze": (EYES, look(curves, fps, gaze, 1.0, 0)),
        "head": (HEAD, move_head(curves, fps, cues, mood, gaze, 1.0, 0)),
        "breath": (BREATH, breathe(curves, fps, cues, 1.0, 0)),
    }
    for name, (owned, done) in steps.items():
        changed = np.flatnonzero((done != curves).any(axis=0))
        assert len(changed), name
        assert set(changed) <= set(owned), (name, [arkit.CHANNELS[i] for i in set(changed) - set(owned)])


def test_all_off_is_the_take_itself():
    take = silent(100, 30, babble(100 / 30))
    off = FinishingOptions(blinks=0, gaze=0, head=0, breath=0, tongue=0, contrast=0, silence=0, closure=0, speed=0)
    assert np.array_equal(finish(take, options=off).curves, take.curves)


@pytest.mark.parametrize("fps", [25.0, 60.0])
def test_a_longer_take_begins_like_a_shorter_one(fps):
    audio, mood = babble(40), pure("sad", round(40 * fps))
    whole = finish(silent(round(40 * fps), fps, audio), mood, seed=5)
    frames = round(10 * fps)
    part = finish(silent(frames, fps, audio.slice(0, 10)), mood[:frames], seed=5)
    same = round((10 - 2 * LOOK_AHEAD) * fps)
    np.testing.assert_allclose(part.curves[:same], whole.curves[:same], atol=1e-5)


def test_rates_tell_the_same_story():
    audio = babble(20)
    at = {fps: finish(silent(20 * fps, fps, audio), seed=3) for fps in (30, 60)}
    apart = np.abs(at[60].curves[::2] - at[30].curves)
    # Blinks meet a frame and filters step differently, but events are the same.
    assert np.percentile(apart, 99) < 0.05


@pytest.mark.parametrize("cuts", [(), (3.0, 8.0, 8.5, 21.0)])
def test_no_blink_in_the_first_frames_of_a_cut(cuts):
    fps, frames = 24.0, 24 * 60
    options = FinishingOptions(cuts=cuts, blinks=3.0)
    for seed in range(20):
        lids = finish(silent(frames, fps), options=options, seed=seed).channel("eyeBlinkLeft")
        for cut in (0.0, *cuts):
            first = int(np.ceil(cut * fps))
            assert not lids[first : first + CUT_FRAMES].any()


@pytest.mark.parametrize("fps", [24.0, 29.97, 60.0, 120.0])
def test_lids_shut_whole_and_never_through_each_other(fps):
    frames = round(120 * fps)
    curves = np.zeros((frames, arkit.CHANNEL_COUNT), np.float32)
    curves[:, [arkit.INDEX["eyeSquintLeft"], arkit.INDEX["eyeLookDownLeft"]]] = (0.4, 0.6)
    cues, mood = hear(None, 120), pure("neutral", frames)
    done = blink(curves, fps, cues, mood, seed=2)
    plan = plan_blinks(curves, fps, cues, mood, None, 1.0, "conversation", (), 2)
    assert (plan[:, 3] == 1).any()
    closing = done[:, arkit.INDEX["eyeBlinkRight"]]
    assert closing.max() == pytest.approx(1.0)
    # Squinting and looking down have closed a part already; lid gaps of the default head.
    left = done[:, arkit.INDEX["eyeBlinkLeft"]] + 0.35 * 0.4 + 0.52 * 0.6
    assert left.max() == pytest.approx(1.0, abs=1e-5)


def test_nobody_blinks_while_startled():
    fps, frames = 30.0, 30 * 60
    curves = np.zeros((frames, arkit.CHANNEL_COUNT), np.float32)
    wide = [arkit.INDEX["eyeWideLeft"], arkit.INDEX["eyeWideRight"]]
    for start in range(300, frames, 300):
        curves[start : start + 60, wide] = 0.8
    for seed in range(10):
        lids = blink(curves, fps, hear(None, 60), pure("neutral", frames), seed=seed)[:, arkit.INDEX["eyeBlinkLeft"]]
        for start in range(300, frames, 300):
            assert lids[start + 12 : start + 59].max() == 0  # What began before may still be opening.


def test_blinks_like_the_ends_of_phrases():
    ends = np.arange(3.0, 600.0, 4.0)
    phrases = np.stack([ends - 2.5, ends], axis=1)
    quiet = hear(None, 600)
    cues = Cues(True, quiet.speaking, quiet.speaking, quiet.effort, phrases, np.zeros((0, 2)))
    plan = plan_blinks(
        np.zeros((6000, arkit.CHANNEL_COUNT), np.float32),
        10.0,
        cues,
        pure("neutral", 6000),
        None,
        1.0,
        "conversation",
        (),
        0,
    )
    near = np.abs(plan[:, :1] - ends).min(axis=1) < 0.1
    assert near.mean() > 0.2  # By chance 5 %.


def test_eyes_stay_on_the_camera_while_the_head_turns():
    fps, frames = 60.0, 600
    curves = np.zeros((frames, arkit.CHANNEL_COUNT), np.float32)
    curves[:, arkit.INDEX["headYaw"]] = 0.15 * np.sin(np.arange(frames) / 40)
    gaze = plan_gaze(hear(None, 10), pure("neutral", frames), fps, CAMERA, 0.0, 0)
    done = look(curves, fps, gaze, 0.0, 0)
    mean = done[:, [arkit.LEFT_EYE.start, arkit.RIGHT_EYE.start]].mean(axis=1)
    assert np.abs(mean + curves[:, arkit.INDEX["headYaw"]]).max() < 0.01
    assert done[:, arkit.LEFT_EYE.start].mean() > done[:, arkit.RIGHT_EYE.start].mean()  # Near things cross the eyes.


def test_angles_and_lids_of_the_eyes_agree():
    done = finish(silent(1200, 60, babble(20)), seed=4).curves
    again = arkit.eye_angles_from_looks(done)
    for eye in (arkit.LEFT_EYE, arkit.RIGHT_EYE):
        np.testing.assert_allclose(again[:, eye][:, :2], done[:, eye][:, :2], atol=1e-5)


def test_looking_left_turns_eyes_and_head_to_the_subjects_left():
    done = finish(silent(360, 60), options=FinishingOptions(look_at="left@2 camera@4"), seed=1)
    direction = done.channel("headYaw") + done.channel("leftEyePitch") * 0 + done.channel("rightEyeYaw")
    assert direction[60:110].mean() > -0.15
    assert direction[150:235].mean() < -0.3
    assert direction[290:].mean() > -0.15
    assert done.channel("headYaw")[180:235].mean() < -0.08


def test_the_sad_head_hangs_and_the_contemptuous_one_rises():
    pitch = {
        mood: finish(silent(1800, 30), pure(mood, 1800)).channel("headPitch").mean()
        for mood in ("neutral", "sad", "contempt")
    }
    assert pitch["contempt"] < pitch["neutral"] - 0.03 < pitch["sad"] - 0.1


def test_talking_moves_the_head_more_than_silence():
    talking, quiet = (
        finish(silent(1800, 30, audio), seed=2).curves[:, arkit.HEAD].std(axis=0).sum() for audio in (babble(60), None)
    )
    assert talking > 1.3 * quiet > 0


def test_options_and_strengths_are_checked():
    take = silent(10, 30)
    with pytest.raises(TalkerError, match=r"strength of head must lie in 0\.\.3, not -1"):
        FinishingOptions(head=-1)
    with pytest.raises(TalkerError, match="cannot look at 'moon'"):
        FinishingOptions(look_at="moon")
    with pytest.raises(TalkerError, match=r"shape \(10, 8\), not \(9, 8\)"):
        finish(take, pure("neutral", 9))


@pytest.mark.slow
def test_an_hour_is_finished_in_linear_time_and_begins_like_a_minute():
    fps, minute = 30.0, babble(60)
    hour = finish(silent(3600 * 30, fps, Audio(np.tile(minute.samples, 60), RATE)), seed=1)
    part = finish(silent(60 * 30, fps, minute), seed=1)
    same = round((60 - 2 * LOOK_AHEAD) * fps)
    np.testing.assert_allclose(part.curves[:same], hour.curves[:same], atol=1e-5)
    assert (np.abs(np.diff(hour.curves, axis=0)).max(axis=0) * fps <= human_speed()).all()
    lids = hour.channel("eyeBlinkLeft")
    blinks = np.flatnonzero((lids[1:] > 0.3) & (lids[:-1] <= 0.3))
    assert 12 < len(blinks) / 60 < 28
    assert np.diff(blinks).max() < 40 * fps  # Nobody stares for the rest of the hour.
