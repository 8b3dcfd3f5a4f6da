"""Editing takes: everything can be changed, changed back, and is refused when it makes no sense."""

import numpy as np
import pytest

import talker
from talker.animation import FaceAnimation
from talker.audio import Audio
from talker.direction.direct import Direction, direct
from talker.direction.edit import changed, edit, parse_changes
from talker.direction.performance import Performance, performed_again, scaled
from talker.direction.timeline import EmotionTimeline
from talker.emotion import EMOTIONS
from talker.errors import TalkerError
from talker.rigs import arkit

SECONDS, RATE = 6.0, 16_000


def take_of(direction, fps=60.0, seconds=SECONDS, **meta):
    """A take as `animate` makes it, from curves that talk without a network."""
    frames = int(np.ceil(seconds * 50))
    random = np.random.default_rng(4)
    times = np.arange(frames)[:, None] / 50
    speech = np.zeros((frames, arkit.CHANNEL_COUNT), np.float32)
    for name in ("jawOpen", "mouthFunnel", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft"):
        speech[:, arkit.INDEX[name]] = 0.3 * np.maximum(np.sin(times[:, 0] * random.uniform(5, 20)), 0)
    strengths = np.eye(8, dtype=np.float32)[np.zeros(frames, int)]
    neutral = Performance(speech, speech, strengths, np.full(frames, 0.4, np.float32))
    performance = performed_again(neutral, direction.emotion, direction.intensity, direction.seed)
    tone = 0.2 * np.sin(np.arange(int(seconds * RATE)) / 20) * (np.sin(np.arange(int(seconds * RATE)) / 6000) > 0)
    return direct(performance, direction, direction, Audio(tone, RATE), fps, {"source": "línea 音.wav", **meta})


@pytest.fixture(scope="module")
def take():
    return take_of(Direction("angry"))


def channels_moved(one, other):
    return {arkit.CHANNELS[i] for i in np.flatnonzero((one.curves != other.curves).any(axis=0))}


def saved(take, path):
    take.save(path)
    return path.read_bytes()


def test_an_edit_of_nothing_gives_the_same_bytes(take, tmp_path):
    original = saved(take, tmp_path / "a.npz")
    assert saved(edit(FaceAnimation.load(tmp_path / "a.npz"), {}), tmp_path / "b.npz") == original


CHANGES = [
    ({"emotion.strength": "0.5"}, {"intensity": 1.0}),
    ({"blinks": "off"}, {"blinks": "on"}),
    ({"gaze": 0, "head": "no"}, {"gaze": 1, "head": "yes"}),
    ({"mouth": 1.4, "brows.smooth": 0.2}, {"mouth": 1, "brows.smooth": 0}),
    (
        {"articulation": 0.6, "asymmetry": 0.3, "head.smooth": 0.3},
        {"articulation": 1, "asymmetry": 0, "head.smooth": 0},
    ),
    ({"au": "AU12L=0.6@1.0-2.0"}, {"action_units": ""}),
    ({"emotion": "sad@0 happy@2"}, {"emotion": "angry"}),
    ({"timing.shift": -0.1}, {"shift": 0}),
    ({"seed": 7}, {"seed": 0}),
    ({"look_at": "left@2 camera@4"}, {"look_at": "camera"}),
]


@pytest.mark.parametrize(("there", "back"), CHANGES)
def test_every_edit_changes_the_face_and_can_be_undone(take, tmp_path, there, back):
    edited = edit(take, there)
    assert channels_moved(edited, take)
    edited.save(tmp_path / "edited.npz")
    restored = edit(FaceAnimation.load(tmp_path / "edited.npz"), back)
    assert saved(restored, tmp_path / "restored.npz") == saved(take, tmp_path / "take.npz")


def test_edits_add_up_in_any_order(take):
    one = edit(edit(take, {"blinks": 0}), {"mouth": 1.2})
    other = edit(edit(take, {"mouth": 1.2}), {"blinks": 0})
    np.testing.assert_array_equal(one.curves, other.curves)
    assert one.meta == edit(take, {"mouth": 1.2, "blinks": 0}).meta


def test_half_the_emotion_is_half_way_to_neutral():
    still = {"blinks": 0, "gaze": 0, "head": 0, "breath": 0}
    angry, neutral = take_of(Direction("angry"), 50), take_of(Direction("neutral"), 50)
    whole, half, none = (edit(angry, {**still, "intensity": amount}) for amount in (1, 0.5, 0))
    # Finishing shuts the lips on its own terms; every other part is half way.
    upper = [i for i, name in enumerate(arkit.CHANNELS) if arkit.region(name) not in ("mouth", "jaw")]
    np.testing.assert_allclose(half.curves[:, upper], (whole.curves + none.curves)[:, upper] / 2, atol=1e-6)
    np.testing.assert_allclose(none.curves, edit(neutral, still).curves, atol=1e-6)
    assert half.meta["emotion"][0]["weights"] == {"neutral": 0.5, "angry": 0.5}


def test_blinks_off_leaves_the_mouth_alone(take):
    assert all(arkit.region(name) in ("eyes", "brows") for name in channels_moved(edit(take, {"blinks": 0}), take))


def test_a_shift_moves_the_whole_face_and_not_the_sound(take):
    later = edit(take, {"shift": 0.5})
    np.testing.assert_array_equal(later.curves[30:], take.curves[:-30])
    np.testing.assert_array_equal(later.audio.samples, take.audio.samples)


def test_another_rate_keeps_the_performance(take):
    slow = edit(take, {}, fps=30)
    assert slow.fps == 30 and slow.frame_count == take.frame_count / 2
    jaw = arkit.INDEX["jawOpen"]
    assert np.corrcoef(slow.curves[:, jaw], take.curves[::2, jaw])[0, 1] > 0.97


def test_settings_are_remembered_and_read_back(take):
    edited = edit(take, {"mouth": 1.2, "emotion": "sad:0.5@1~1 happy@3", "cuts": "1.5 3"})
    direction = Direction.from_json(edited.meta["direction"])
    assert direction.regions.mouth.strength == 1.2 and direction.finishing.cuts == (1.5, 3.0)
    assert direction.emotion == "sad:0.5@1~1 happy@3"
    assert Direction.from_json(direction.to_json()) == direction


@pytest.mark.parametrize("seconds", [0.02, 0.1, 90])
def test_takes_of_any_length_are_edited(seconds):
    take = take_of(Direction("happy@0 fear@1"), 24, seconds)
    assert edit(take, {"brows.smooth": 0.3, "au": "AU4=1@0.5-1"}).frame_count == take.frame_count


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"blink": 1}, "no such setting 'blink'; did you mean 'blinks'?; choices: action_units"),
        ({"blinks": "some"}, "blinks=some: 'some' is no number, on or off"),
        ({"blinks": "nan"}, "blinks must lie in 0..3"),
        ({"seed": "1.5"}, "'1.5' is no whole number"),
        ({"emotion": "angery"}, "did you mean 'angry'"),
        ({"emotion": "auto"}, "only `talker animate` can hear the emotion in the voice"),
        ({"intensity": 3}, "an intensity of 3 is outside 0..2"),
        ({"mouth": -1}, "the strength of a region is -1; it lies in 0..3"),
        ({"au": "AU99=1"}, "no action unit AU99"),
        ({"look_at": "behind"}, "cannot look at 'behind'"),
        ({"blink_rates": "often"}, "blink_rates=often: choose conversation or emoface"),
    ],
)
def test_a_mistake_says_what_to_write_instead(take, change, message):
    with pytest.raises(TalkerError) as error:
        edit(take, change)
    assert message in str(error.value)


def test_only_takes_with_layers_and_sound_can_be_edited(take):
    with pytest.raises(TalkerError, match=r"no layer 'speech': only an \.npz by `talker animate`"):
        edit(take.mirrored(), {})
    silent = FaceAnimation(take.curves, take.fps, None, take.meta, take.layers)
    with pytest.raises(TalkerError, match="lost its sound"):
        edit(silent, {})
    broken = FaceAnimation(take.curves, take.fps, take.audio, take.meta, {**take.layers, "effort": np.zeros(3)})
    with pytest.raises(TalkerError, match="the layer effort of the take is damaged"):
        edit(broken, {})


def test_damaged_directions_are_an_error(take):
    for meta in ({"direction": 3}, {"direction": {"regions": 1}}, {"direction": {"intensity": "much"}}):
        broken = FaceAnimation(take.curves, take.fps, take.audio, meta, take.layers)
        with pytest.raises(TalkerError, match="damaged"):
            edit(broken, {})


def test_texts_of_changes():
    assert parse_changes(("blinks=off", " mouth = 1.2 ", "au=AU12=1")) == {
        "blinks": "off",
        "mouth": "1.2",
        "au": "AU12=1",
    }
    with pytest.raises(TalkerError, match="'blinks' sets nothing; write name=value"):
        parse_changes(("blinks",))


def test_a_setting_takes_values_as_well_as_texts():
    timeline = EmotionTimeline.parse("sad@1")
    assert changed(Direction(), "emotion", timeline).emotion == "sad@1"
    assert changed(Direction(), "emotion", {"sad": 0.5}).emotion == "sad:0.5"
    assert changed(Direction(), "blinks", True).finishing.blinks == 1.0
    assert changed(Direction(), "seed", 5).seed == 5


def test_scaled_strengths_are_shares():
    strengths = EmotionTimeline.parse("happy:0.6+sad:0.2").sample(50, 2)
    assert scaled(strengths, 0.5)[0, :3] == pytest.approx([0.6, 0.3, 0.1])
    assert scaled(strengths, 2.0)[0, :3] == pytest.approx([0, 0.75, 0.25])
    assert scaled(strengths, 0.0)[0, EMOTIONS.index("neutral")] == 1


def test_edit_is_public():
    assert talker.edit is edit
