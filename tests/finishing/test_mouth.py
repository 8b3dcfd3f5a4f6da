"""Lips that meet, a mouth that rests, a tongue that comes along."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talker.animation import FaceAnimation
from talker.audio import Audio
from talker.emotion import EMOTIONS
from talker.errors import TalkerError
from talker.finishing import FinishingOptions, finish
from talker.finishing.closure import LIPS, close_lips, gap_row
from talker.finishing.contrast import PARTING, add_contrast
from talker.finishing.cues import hear
from talker.finishing.silence import MOUTH, rest_in_silence
from talker.finishing.tongue import TONGUE, move_tongue
from talker.phones import PHONES, SILENCE
from talker.rigs import arkit

RATE = 16_000
JAW = arkit.INDEX["jawOpen"]


def talking(seconds: float, fps: float, least: float = 0.06) -> np.ndarray:
    """A jaw that opens and nearly closes five times a second."""
    curves = np.zeros((round(seconds * fps), arkit.CHANNEL_COUNT), np.float32)
    curves[:, JAW] = least + 0.3 * np.sin(np.pi * 2.5 * np.arange(len(curves)) / fps) ** 2
    return curves


def gap(curves: np.ndarray) -> np.ndarray:
    return curves[:, : arkit.SHAPE_COUNT] @ gap_row()


def phones_of(said: list[tuple[str, float, float]], seconds: float) -> np.ndarray:
    out = np.zeros((round(seconds * 50), len(PHONES)), np.float32)
    out[:, PHONES.index(SILENCE)] = 1
    for phone, start, end in said:
        out[round(start * 50) : round(end * 50)] = 0
        out[round(start * 50) : round(end * 50), PHONES.index(phone)] = 1
    return out


def voice(seconds: float, said: list[tuple[float, float]], noise: float = 1e-4) -> Audio:
    times = np.arange(round(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * 130 * k * times) / k for k in range(1, 20))
    on = sum(((times >= start) & (times < end)).astype(float) for start, end in said)
    return Audio(0.1 * buzz * on + np.random.default_rng(0).normal(0, noise, len(times)), RATE)


def neutral(frames: int) -> np.ndarray:
    out = np.zeros((frames, len(EMOTIONS)))
    out[:, 0] = 1
    return out


@pytest.mark.parametrize("fps", [24.0, 29.97, 50.0, 60.0, 120.0])
def test_lips_that_come_near_meet_at_the_same_instant(fps):
    curves = talking(4, fps)
    before, after = gap(curves), gap(close_lips(curves, fps))
    inner = slice(round(0.3 * fps), round(3.7 * fps))
    lows = [
        i
        for i in range(inner.start, inner.stop)
        if before[i] == before[i - round(0.12 * fps) : i + round(0.12 * fps)].min()
    ]
    assert len(lows) >= 8
    # At 24 frames a second some dips fall between two frames and stay above where lips are meant to meet.
    met = [i for i in lows if before[i] <= 0.035]
    assert met
    assert np.abs(after[met]).max() < 1e-3
    for i in met:
        around = after[i - round(0.12 * fps) : i + round(0.12 * fps)]
        assert after[i] == around.min()
    far = np.min(np.abs(np.arange(len(before))[:, None] - np.array(lows)), axis=1) > 0.07 * fps
    assert np.array_equal(
        after[far & (np.arange(len(before)) > 0.3 * fps)], before[far & (np.arange(len(before)) > 0.3 * fps)]
    )


def test_shallow_dips_close_only_where_a_bilabial_is_heard():
    curves = talking(4, 50, least=0.2)
    assert np.array_equal(close_lips(curves, 50), curves)
    heard = phones_of([("a", 1.0, 1.58), ("m", 1.58, 1.62), ("a", 1.62, 2.4)], 4)
    after = gap(close_lips(curves, 50, heard))
    assert -0.01 < after[80] <= 0  # 1.6 s is where the jaw is highest; lips press a little on each other.
    assert after[100] == gap(curves)[100]


def test_the_lower_lip_touches_the_teeth_for_f():
    curves = talking(4, 50, least=0.2)
    done = close_lips(curves, 50, phones_of([("a", 1.0, 1.55), ("f", 1.55, 1.65), ("a", 1.65, 2.4)], 4))
    assert 0 < gap(done)[80] < 0.02
    assert done[80, arkit.INDEX["mouthRollLower"]] > 0.15


def test_a_resting_mouth_has_nothing_to_close():
    curves = np.full((200, arkit.CHANNEL_COUNT), 0.03, np.float32)
    assert np.array_equal(close_lips(curves, 50), curves)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 1000),
    st.sampled_from([1.0, 24.0, 29.97, 60.0, 120.0]),
    st.integers(1, 300),
    st.booleans(),
    st.floats(0, 3),
)
def test_any_curves_stay_in_range_and_only_owned_channels_move(seed, fps, frames, with_phones, amount):
    random = np.random.default_rng(seed)
    smooth = np.cumsum(random.normal(0, 0.05, (frames, arkit.CHANNEL_COUNT)), axis=0) + random.random(
        arkit.CHANNEL_COUNT
    )
    curves = np.clip(smooth, 0, 1).astype(np.float32)
    phones = random.dirichlet(np.full(len(PHONES), 0.05), 5 + frames // 2).astype(np.float32) if with_phones else None
    cues = hear(voice(frames / fps, [(0.2, 1.0)]), frames / fps) if frames / fps < 10 else hear(None, frames / fps)
    steps = (
        (LIPS, close_lips(curves, fps, phones, amount)),
        (MOUTH, rest_in_silence(curves, fps, cues, neutral(frames), phones, amount)),
        (TONGUE, move_tongue(curves, fps, phones, amount)),
    )
    for owned, done in steps:
        assert np.isfinite(done).all()
        assert done.min() >= -1e-6 and done.max() <= 1 + 1e-6
        assert set(np.flatnonzero((done != curves).any(axis=0))) <= set(owned)


def test_silence_closes_the_mouth_without_making_it_late():
    fps, seconds = 50.0, 6
    curves = talking(seconds, fps, least=0.1)
    curves[:, arkit.INDEX["mouthSmileLeft"]] = 0.4
    said = [(1.0, 2.5), (4.0, 4.6)]
    done = rest_in_silence(curves, fps, hear(voice(seconds, said), seconds), neutral(len(curves)))
    for start, end in said:
        free = slice(round((start - 0.1) * fps), round((end + 0.1) * fps))
        assert np.array_equal(done[free], curves[free])
    for quiet in (slice(0, 30), slice(150, 180), slice(250, 300)):
        assert np.abs(done[quiet, JAW]).max() < 1e-6
    assert np.allclose(done[:, arkit.INDEX["mouthSmileLeft"]], 0.4)


def test_a_surprised_mouth_may_hang_open_in_silence():
    curves = np.zeros((200, arkit.CHANNEL_COUNT), np.float32)
    curves[:, JAW] = 0.9
    surprised = np.zeros((200, len(EMOTIONS)))
    surprised[:, EMOTIONS.index("surprised")] = 1
    jaw = rest_in_silence(curves, 50, hear(voice(4, []), 4), surprised)[:, JAW]
    assert 0.05 < jaw[50] < 0.9


def test_noise_is_left_to_the_phones():
    curves = talking(4, 50, least=0.1)
    cues = hear(voice(4, [], noise=0.1), 4)
    assert np.array_equal(rest_in_silence(curves, 50, cues, neutral(200)), curves)  # It may be a whisper.
    assert not rest_in_silence(curves, 50, cues, neutral(200), phones_of([], 4))[:, JAW].any()


def test_a_face_without_sound_keeps_its_mouth():
    take = FaceAnimation(talking(2, 60), 60)
    done = finish(take, options=FinishingOptions(breath=0, contrast=0, closure=0))
    assert np.array_equal(done.channel("jawOpen"), take.channel("jawOpen"))


def test_the_tongue_comes_for_th_and_stays_in_a_shut_mouth():
    heard = phones_of([("θ", 1.0, 1.1), ("a", 1.1, 2.0)], 4)
    wide = np.zeros((200, arkit.CHANNEL_COUNT), np.float32)
    wide[:, JAW] = 0.3
    tongue = move_tongue(wide, 50, heard)[:, TONGUE[0]]
    assert 0.2 < tongue[52] <= 0.45
    assert tongue[:40].max() == tongue[65:].max() == 0
    assert not move_tongue(wide * 0, 50, heard).any()
    assert np.array_equal(move_tongue(wide, 50, None), wide)


def test_phones_of_the_wrong_shape_are_refused():
    with pytest.raises(TalkerError, match=r"phones must have shape \(frames, \d+\), not \(3, 2\)"):
        finish(FaceAnimation(talking(1, 30), 30), phones=np.zeros((3, 2), np.float32))


def test_contrast_opens_more_and_shuts_more():
    curves = np.zeros((200, 61), np.float32)
    jaw = np.linspace(0.0, 0.6, 200)
    curves[:, arkit.INDEX["jawOpen"]] = jaw
    before, after = (np.maximum(c[:, :52] @ gap_row(), 0.0) for c in (curves, add_contrast(curves)))
    assert (np.diff(after) >= -1e-6).all()  # Whoever opens more still opens more.
    assert after[before < 0.012].max() < 0.002 and after[0] == 0
    assert (after[before > 0.06] > before[before > 0.06]).all() and (after - before).max() < 0.04
    assert np.array_equal(add_contrast(curves, 0.0), curves)


def test_contrast_owns_what_parts_the_lips():
    random_take = np.random.default_rng(0).random((100, 61), np.float32)
    done = add_contrast(random_take)
    others = [i for i in range(61) if i not in PARTING]
    assert np.array_equal(done[:, others], random_take[:, others])
    assert (done[:, PARTING] != random_take[:, PARTING]).any()
    assert done[:, PARTING].min() >= 0 and done[:, PARTING].max() <= 1


def test_music_that_sounds_like_a_voice_moves_no_mouth():
    audio = voice(6, [(0, 6)])  # Held for six seconds: pitched and loud.
    curves, heard = talking(6, 50), hear(audio, 6)
    assert heard.speaking.mean() > 0.9
    music = phones_of([], 6)
    assert gap(rest_in_silence(curves, 50, heard, neutral(300), music))[25:-25].max() < 0.01
    word = phones_of([("a", 2.0, 2.4)], 6)
    spoken = gap(rest_in_silence(curves, 50, heard, neutral(300), word))
    np.testing.assert_allclose(spoken[100:120], gap(curves)[100:120], atol=1e-6)
    assert spoken[200:275].max() < 0.01
