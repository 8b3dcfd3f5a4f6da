"""`FaceAnimation`: what it refuses and how, and what its operations keep."""

import dataclasses
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from talker.animation import MAX_FRAMES, FaceAnimation, channel_index, plain_meta
from talker.audio import Audio
from talker.errors import TalkerError
from talker.rigs import arkit

RATES = (24, 25, 29.97, 30, 50, 59.94, 60)
LIPS = list(arkit.LIP_CLOSING_CHANNELS)
JAW = arkit.INDEX["jawOpen"]


def take(frames: int = 30, fps: float = 30.0, seed: int = 0, **rest: Any) -> FaceAnimation:
    random = np.random.default_rng(seed).uniform(0, 1, (frames, arkit.CHANNEL_COUNT)).astype(np.float32)
    random[:, arkit.SHAPE_COUNT :] -= 0.5
    return FaceAnimation(random, fps, **rest)


def mouth(*jaw_open: float, fps: float = 60) -> FaceAnimation:
    return FaceAnimation.from_channels({"jawOpen": jaw_open}, fps)


def curves_with(name: str, frame: int, value: float) -> np.ndarray:
    curves = np.zeros((10, arkit.CHANNEL_COUNT), np.float32)
    curves[frame, arkit.INDEX[name]] = value
    return curves


@st.composite
def animations(draw: st.DrawFn) -> FaceAnimation:
    """Takes with smooth and abrupt parts; the jaw often shuts."""
    frames = draw(st.integers(1, 40))
    curves = np.zeros((frames, arkit.CHANNEL_COUNT), np.float32)
    used = draw(st.lists(st.sampled_from(arkit.SHAPES), max_size=3, unique=True))
    for name in {"jawOpen", *used}:
        values = st.sampled_from([0.0, 0.0, 0.05, 0.11, 0.3, 1.0]) | st.floats(0, 1, width=32)
        curves[:, arkit.INDEX[name]] = draw(arrays(np.float32, frames, elements=values))
    curves[:, arkit.INDEX["headYaw"]] = draw(arrays(np.float32, frames, elements=st.floats(-1, 1, width=32)))
    return FaceAnimation(curves, draw(st.sampled_from(RATES)))


# Validation.


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: FaceAnimation(curves_with("jawOpen", 7, np.nan), 30),
            "channel jawOpen is nan in frame 7 (1 values are not finite numbers)",
        ),
        (
            lambda: FaceAnimation(curves_with("headYaw", 3, -np.inf), 30),
            "channel headYaw is -inf in frame 3 (1 values are not finite numbers)",
        ),
        (
            lambda: FaceAnimation(curves_with("mouthSmileLeft", 9, 1.2), 30),
            "channel mouthSmileLeft is 1.2 in frame 9, outside 0..1 (1 values in all)",
        ),
        (
            lambda: FaceAnimation(curves_with("tongueOut", 0, -0.5), 30),
            "channel tongueOut is -0.5 in frame 0, outside 0..1 (1 values in all)",
        ),
        (
            lambda: FaceAnimation(curves_with("leftEyePitch", 2, 90), 30),
            "channel leftEyePitch is 90 in frame 2, outside -3.142..3.142 (1 values in all)",
        ),
        (
            lambda: FaceAnimation(np.full((4, 61), 2.0), 30),
            "channel eyeBlinkLeft is 2 in frame 0, outside 0..1 (208 values in all)",
        ),
        (lambda: FaceAnimation(np.zeros((5, 52)), 30), "curves must have shape (frames, 61), not (5, 52)"),
        (lambda: FaceAnimation(np.zeros(61), 30), "curves must have shape (frames, 61), not (61,)"),
        (lambda: FaceAnimation(np.zeros((0, 61)), 30), f"an animation has 1 to {MAX_FRAMES} frames, not 0"),
        (lambda: FaceAnimation(np.zeros((1, 61)), 0), "0 frames per second is outside 1..1000"),
        (lambda: FaceAnimation(np.zeros((1, 61)), -30), "-30 frames per second is outside 1..1000"),
        (lambda: FaceAnimation(np.zeros((1, 61)), float("nan")), "nan frames per second is outside 1..1000"),
        (
            lambda: take(audio="speech.wav"),
            "audio must be an Audio (`talker.audio.read_audio` reads one), not str",
        ),
        (
            lambda: FaceAnimation.from_channels({"jawOpne": 1}, 30),
            "no such channel 'jawOpne'; did you mean 'jawOpen'?; `talker rigs show arkit` lists all 61",
        ),
        (lambda: channel_index("x"), "no such channel 'x'; `talker rigs show arkit` lists all 61"),
        (
            lambda: FaceAnimation.from_channels({"jawOpen": [0, 1, 0], "mouthClose": [0, 1]}, 30),
            "channel mouthClose has 2 frames where the longest has 3",
        ),
        (lambda: take().slice(5.0, 6.0), "cannot slice 5..6 s out of 1.000 s: no frame lies inside"),
        (lambda: take().slice(-0.5), "cannot slice -0.5..1 s out of 1.000 s: no frame lies inside"),
        (lambda: take().slice(0.5, 0.5), "cannot slice 0.5..0.5 s out of 1.000 s: no frame lies inside"),
        (lambda: take().slice(float("nan")), "cannot slice nan..1 s out of 1.000 s: no frame lies inside"),
        (lambda: take().resample(0), "cannot resample to 0 frames per second: the range is 1..1000"),
        (
            lambda: FaceAnimation(np.zeros((2000, 61)), 1).resample(1000),
            f"2000 s at 1000 frames per second is more than {MAX_FRAMES} frames",
        ),
        (lambda: take().blend(take(), 1.5), "blend weights must lie in 0..1"),
        (lambda: take().blend(take(), np.full(30, np.nan)), "blend weights must lie in 0..1"),
        (lambda: take().blend(take(), np.zeros(7)), "blend weights must be one number or 30 of them, not (7,)"),
        (lambda: take(meta={"emotion": "happy"}), "the emotion track must be a list of keys, not str"),
        (
            lambda: take(meta={"emotion": [{"at": 0}]}),
            'emotion key 0 must be {"time": seconds, "weights": {label: 0..1}}',
        ),
        (
            lambda: take(meta={"emotion": [{"time": 2, "weights": {}}, {"time": 1, "weights": {}}]}),
            "emotion key 1 at 1 s comes after one at 2 s; sort them",
        ),
        (
            lambda: take(meta={"emotion": [{"time": 0, "weights": {"sad": 7}}]}),
            "emotion key 0: the weight of sad must lie in 0..1",
        ),
        (
            lambda: plain_meta({"x": float("nan")}),
            "meta data must be JSON-able: Out of range float values are not JSON compliant",
        ),
    ],
)
def test_what_is_refused_and_how(make: Callable[[], object], message: str) -> None:
    with pytest.raises(TalkerError) as caught:
        make()
    assert str(caught.value).split(": nan")[0] == message


def test_rounding_noise_is_clipped_silently() -> None:
    animation = FaceAnimation(curves_with("jawOpen", 0, 1.000001), 30)
    assert animation.channel("jawOpen")[0] == 1
    assert FaceAnimation(curves_with("jawOpen", 0, -1e-6), 30).curves.min() == 0


def test_curves_cannot_be_changed_afterwards() -> None:
    source = np.zeros((3, 61), np.float32)
    meta = {"source": "x"}
    animation = FaceAnimation(source, 30, meta=meta)
    source[:] = 1
    meta["source"] = "y"
    assert animation.curves.max() == 0
    assert animation.meta["source"] == "x"
    for change in (
        lambda: animation.curves.__setitem__(0, 1),
        lambda: animation.shapes.__setitem__(0, 1),
        lambda: animation.channel("jawOpen").__setitem__(0, 1),
    ):
        with pytest.raises(ValueError, match="read-only"):
            change()
    with pytest.raises(TypeError):
        animation.meta["source"] = "z"  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        animation.fps = 25  # type: ignore[misc]


def test_facts_and_views() -> None:
    animation = take(45, 30)
    assert (animation.frame_count, animation.duration) == (45, 1.5)
    np.testing.assert_allclose(animation.times, np.arange(45) / 30)
    assert animation.curves.dtype == np.float32
    assert animation.shapes.shape == (45, 52)
    assert np.shares_memory(animation.channel("headRoll"), animation.curves)
    assert repr(animation) == "FaceAnimation(45 frames at 30 fps = 1.50 s, no sound)"
    assert "sound 0.50 s at 16000 Hz" in repr(take(audio=Audio(np.zeros(8000), 16000)))


def test_numbers_and_tracks_mix_in_from_channels() -> None:
    animation = FaceAnimation.from_channels({"jawOpen": [0, 0.5, 1], "headYaw": 0.25}, 24)
    np.testing.assert_allclose(animation.channel("jawOpen"), [0, 0.5, 1])
    np.testing.assert_allclose(animation.channel("headYaw"), 0.25)
    assert np.count_nonzero(animation.curves) == 5


# Resampling.


@settings(max_examples=60, deadline=None)
@given(animations(), st.sampled_from([2, 3, 4, 5]))
def test_integer_ratios_are_exact(animation: FaceAnimation, factor: int) -> None:
    finer = animation.resample(animation.fps * factor)
    np.testing.assert_array_equal(finer.curves[::factor], animation.curves)
    np.testing.assert_array_equal(finer.resample(animation.fps).curves, animation.curves)
    coarser = animation.resample(animation.fps / factor)
    np.testing.assert_array_equal(coarser.curves, animation.curves[::factor])


@settings(max_examples=120, deadline=None)
@given(animations(), st.sampled_from(RATES))
def test_resampling_never_overshoots(animation: FaceAnimation, fps: float) -> None:
    result = animation.resample(fps)
    assert (result.curves >= animation.curves.min(axis=0) - 1e-6).all()
    assert (result.curves <= animation.curves.max(axis=0) + 1e-6).all()
    assert abs(result.duration - animation.duration) < 1 / fps + 1e-6
    # Nor does it leave the neighbourhood: each frame lies between frames no further off than one step of either rate.
    reach = 1 / fps + 1 / animation.fps
    for time, row in zip(result.times, result.curves, strict=True):
        near = animation.curves[np.abs(animation.times - time) <= reach + 1e-6]
        near = near if len(near) else animation.curves[-1:]
        assert (row >= near.min(axis=0) - 1e-6).all() and (row <= near.max(axis=0) + 1e-6).all()


@settings(max_examples=200, deadline=None)
@given(animations(), st.sampled_from(RATES))
def test_every_closing_of_the_lips_survives(animation: FaceAnimation, fps: float) -> None:
    ratio = max(fps, animation.fps) / min(fps, animation.fps)
    assume(fps > animation.fps or abs(ratio - round(ratio)) > 1e-6)
    result = animation.resample(fps)
    aperture, after = arkit.lip_aperture(animation.curves), arkit.lip_aperture(result.curves)
    for frame in range(animation.frame_count):
        before = aperture[frame - 1] if frame else np.inf
        following = aperture[frame + 1] if frame + 1 < animation.frame_count else np.inf
        reach = round(0.15 * animation.fps)
        opens = aperture[max(0, frame - reach) : frame + reach + 1].max() - aperture[frame] >= 0.05
        if aperture[frame] <= min(before, following) and aperture[frame] < 0.12 and opens:
            place = animation.times[frame] * fps
            near = after[max(0, round(place - 0.51)) : round(place + 0.51) + 1]
            near = near if len(near) else after[-1:]
            assert near.min() <= aperture[frame] + 0.01 + 1e-6


@pytest.mark.parametrize("fps", [30, 20, 15])
def test_a_closing_as_long_as_the_new_frames_survives_division(fps: int) -> None:
    closed = 60 // fps
    for start in range(5, 5 + closed):
        jaw = np.full(40, 0.5)
        jaw[start : start + closed] = 0
        assert mouth(*jaw).resample(fps).channel("jawOpen").min() == 0


def test_a_closing_shorter_than_the_new_frames_keeps_the_shared_instants_when_dividing() -> None:
    jaw = np.full(40, 0.5)
    jaw[[10, 21]] = 0
    halved = mouth(*jaw).resample(30).channel("jawOpen")
    np.testing.assert_array_equal(halved, jaw[::2])  # The closure in frame 21 is lost, that in frame 10 is not.


def linear(animation: FaceAnimation, fps: float) -> np.ndarray:
    """The curves at another rate by plain interpolation."""
    times = animation.resample(fps).times
    return np.stack([np.interp(times, animation.times, curve) for curve in animation.curves.T], axis=1)


@pytest.mark.parametrize("fps", [25, 48, 50])
def test_a_shut_mouth_at_rest_is_interpolated_and_nothing_else(fps: float) -> None:
    random = np.random.default_rng(4)
    noise = random.uniform(0, 0.03, (300, arkit.CHANNEL_COUNT)).astype(np.float32)
    noise[:, arkit.INDEX["mouthSmileLeft"]] += np.linspace(0, 0.9, 300)
    animation = FaceAnimation(noise, 60)
    np.testing.assert_allclose(animation.resample(fps).curves, linear(animation, fps), atol=1e-6)


@pytest.mark.parametrize("fps", [25, 48, 50])
def test_a_closing_that_interpolation_keeps_is_left_alone(fps: float) -> None:
    jaw = np.interp(np.arange(120), [0, 40, 50, 70, 80, 119], [0.5, 0.5, 0, 0, 0.5, 0.5])
    animation = mouth(*jaw)
    kept = animation.resample(fps).channel("jawOpen")
    assert kept.min() == 0
    np.testing.assert_allclose(kept, linear(animation, fps)[:, JAW], atol=0.05)  # At most its edges, by one frame.


def test_two_closings_that_meet_leave_the_tighter_one() -> None:
    animation = mouth(0.5, 0.5, 0.0, 0.5, 0.1, 0.5, 0.5, 0.5, fps=60)
    assert animation.resample(14).channel("jawOpen").min() == 0
    assert animation.resample(17).channel("jawOpen").min() == 0


def test_a_closing_takes_the_lips_along_but_not_the_smile() -> None:
    animation = take(50, 25)
    jaw = np.full(50, 0.6, np.float32)
    jaw[21] = 0
    curves = animation.curves.copy()
    curves[:, JAW], curves[:, arkit.INDEX["mouthClose"]] = jaw, 0
    closing = FaceAnimation(curves, 25)
    result, moved = closing.resample(60), round(21 * 60 / 25)
    np.testing.assert_array_equal(result.curves[moved, LIPS], curves[21, LIPS])
    rest = np.setdiff1d(np.arange(arkit.CHANNEL_COUNT), LIPS)
    assert {"mouthSmileLeft", "mouthStretchRight", "cheekPuff", "tongueOut"} <= {arkit.CHANNELS[i] for i in rest}
    np.testing.assert_allclose(result.curves[:, rest], linear(closing, 60)[:, rest], atol=1e-5)


def test_resampling_keeps_sound_and_meta() -> None:
    animation = take(audio=Audio(np.zeros(16000), 16000), meta={"source": "x"})
    result = animation.resample(48)
    assert result.audio is animation.audio
    assert dict(result.meta) == {"source": "x"}
    assert animation.resample(animation.fps) is animation


# Cutting and joining.


@settings(max_examples=60, deadline=None)
@given(animations(), st.data())
def test_slices_put_together_are_the_take(animation: FaceAnimation, data: st.DataObject) -> None:
    assume(animation.frame_count > 1)
    cut = data.draw(st.integers(1, animation.frame_count - 1)) / animation.fps
    joined = animation.slice(0, cut).concat(animation.slice(cut))
    np.testing.assert_array_equal(joined.curves, animation.curves)


def test_slice_takes_sound_and_emotion_along() -> None:
    sound = np.arange(16000, dtype=np.float32) / 16000
    emotion = [{"time": 0.0, "weights": {"happy": 0.0}}, {"time": 1.0, "weights": {"happy": 1.0, "sad": 0.5}}]
    part = take(60, 60, audio=Audio(sound, 16000), meta={"emotion": emotion}).slice(0.25, 0.75)
    assert (part.frame_count, part.duration) == (30, 0.5)
    assert part.audio is not None
    np.testing.assert_array_equal(part.audio.samples, sound[4000:12000])
    first, second = part.meta["emotion"]
    assert first == {"time": 0.0, "weights": {"happy": 0.25, "sad": pytest.approx(0.125)}}
    assert second["time"] == 0.75


def test_concat_resamples_moves_emotion_and_keeps_sound_in_step() -> None:
    emotion = [{"time": 0.5, "weights": {"angry": 1.0}}]
    first = take(30, 30, audio=Audio(np.full(16000, 0.5), 16000), meta={"emotion": emotion})
    silent = take(50, 25, seed=1)
    loud = take(60, 60, seed=2, audio=Audio(np.full(48000, -0.25), 48000), meta={"emotion": emotion})
    joined = first.concat(silent, loud)
    assert (joined.fps, joined.frame_count) == (30, 30 + 60 + 30)
    assert [key["time"] for key in joined.meta["emotion"]] == [0.5, 3.5]
    assert joined.audio is not None
    assert joined.audio.sample_rate == 16000
    assert len(joined.audio.samples) == 4 * 16000
    at = joined.audio.samples[[8000, 32000, 56000]]
    np.testing.assert_allclose(at, [0.5, 0, -0.25], atol=1e-3)


def test_joining_many_takes_does_not_drift() -> None:
    part = take(7, 29.97, audio=Audio(np.ones(3737), 16000))
    joined = part.concat(*[part] * 200)
    assert joined.audio is not None
    assert abs(joined.audio.duration - joined.duration) < 1e-4


def test_blend() -> None:
    one, other = take(10, seed=1), take(10, seed=2)
    np.testing.assert_array_equal(one.blend(other, 0).curves, one.curves)
    np.testing.assert_array_equal(one.blend(other, 1).curves, other.curves)
    np.testing.assert_allclose(one.blend(other, 0.5).curves, (one.curves + other.curves) / 2, atol=1e-6)
    ramp = np.linspace(0, 1, 10, dtype=np.float32)
    mixed = one.blend(other, ramp).curves
    np.testing.assert_allclose(mixed[3], one.curves[3] * (1 - ramp[3]) + other.curves[3] * ramp[3], atol=1e-6)


def test_blend_brings_the_other_take_to_this_ones_rate_and_length() -> None:
    short = take(5, 60, seed=3)
    mixed = take(20, 30).blend(short, 1)
    assert (mixed.frame_count, mixed.fps) == (20, 30)
    np.testing.assert_array_equal(mixed.curves[-1], short.resample(30).curves[-1])
    assert take(5, 30).blend(take(50, 30), 1).frame_count == 5


@settings(max_examples=30, deadline=None)
@given(animations())
def test_mirroring_twice_changes_nothing(animation: FaceAnimation) -> None:
    np.testing.assert_array_equal(animation.mirrored().mirrored().curves, animation.curves)


def test_mirroring_swaps_sides_and_turns_the_other_way() -> None:
    mirrored = FaceAnimation.from_channels(
        {"mouthSmileLeft": 0.8, "jawRight": 0.3, "headYaw": 0.2, "headPitch": 0.1, "leftEyeYaw": -0.4, "jawOpen": 0.5},
        30,
    ).mirrored()
    expected = {
        "mouthSmileRight": 0.8,
        "jawLeft": 0.3,
        "headYaw": -0.2,
        "headPitch": 0.1,
        "rightEyeYaw": 0.4,
        "jawOpen": 0.5,
    }
    for name in arkit.CHANNELS:
        assert mirrored.channel(name)[0] == pytest.approx(expected.get(name, 0.0)), name


# Files.


def test_npz_keeps_everything(tmp_path: Path) -> None:
    emotion = [{"time": 0.25, "weights": {"happy": 0.75}}]
    sound = Audio(np.random.default_rng(0).uniform(-1, 1, 999).astype(np.float32), 44100)
    animation = take(11, 29.97, audio=sound, meta={"source": "Ünïcode 顔", "emotion": emotion, "take": 3})
    path = tmp_path / "Gesicht 顔 😀.npz"
    animation.save(path)
    back = FaceAnimation.load(path)
    np.testing.assert_array_equal(back.curves, animation.curves)
    assert back.fps == animation.fps
    assert dict(back.meta) == dict(animation.meta)
    assert back.audio is not None
    np.testing.assert_array_equal(back.audio.samples, sound.samples)
    assert back.audio.sample_rate == 44100


def test_npz_without_sound(tmp_path: Path) -> None:
    take().save(tmp_path / "take.npz")
    assert FaceAnimation.load(str(tmp_path / "take.npz")).audio is None


def test_the_same_take_gives_the_same_bytes(tmp_path: Path) -> None:
    take().save(tmp_path / "a.npz")
    take().save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_takes_travel_between_processes() -> None:
    animation = take(audio=Audio(np.ones(10), 8000), meta={"source": "x"})
    back = pickle.loads(pickle.dumps(animation))
    np.testing.assert_array_equal(back.curves, animation.curves)
    assert dict(back.meta) == {"source": "x"}
    with pytest.raises(ValueError, match="read-only"):
        back.curves[0] = 1
