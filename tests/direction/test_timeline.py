"""Emotion timelines: what can be written, what every frame gets from it, and what a mistake is told."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from talker.direction.mixture import NEUTRAL, mixture_of, mixture_of_affect, mixture_text, parse_mixture
from talker.direction.timeline import EASINGS, QUICKEST_RAMP, EmotionKey, EmotionTimeline, emotion_track
from talker.direction.timeline_file import read_timeline
from talker.emotion import EMOTIONS
from talker.errors import TalkerError


def share(strengths, label):
    return strengths[..., EMOTIONS.index(label)]


def shares(**weights):
    return pytest.approx([weights.get(label, 0.0) for label in EMOTIONS], abs=1e-6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("angry", {"angry": 1}),
        ("angry:0.8", {"neutral": 0.2, "angry": 0.8}),
        ("Happy:0.6 + sad:.2", {"neutral": 0.2, "happy": 0.6, "sad": 0.2}),
        ("happy+sad", {"happy": 0.5, "sad": 0.5}),
        ("fear:0.9+sad:0.6", {"fear": 0.6, "sad": 0.4}),
        ("neutral", {"neutral": 1}),
        ("vad(0.76,0.48,0.35)", {"happy": 1}),
        ("vad(0 0)", {"neutral": 1}),
    ],
)
def test_mixtures_as_they_are_written(text, expected):
    assert EmotionTimeline.parse(text).sample(50, 3)[2] == shares(**expected)


def test_affect_leads_to_the_emotion_that_has_it():
    assert np.argmax(mixture_of_affect(-0.5, 0.6, 0.3)) == EMOTIONS.index("angry")
    assert np.argmax(mixture_of_affect(-0.6, 0.6, -0.5)) == EMOTIONS.index("fear")
    assert mixture_of_affect(-0.3, -0.13, -0.16)[0] == pytest.approx(0.5, abs=0.05)  # half of sad is half neutral


def test_a_timeline_turns_at_its_keys_and_stays():
    strengths = EmotionTimeline.parse("neutral@0 happy:0.4@1.2 angry@3.5~1").sample(10, 60)
    assert share(strengths, "neutral")[:13].min() == 1  # the key is where the turn begins
    assert share(strengths, "happy")[15:36] == pytest.approx(0.4)
    assert share(strengths, "angry")[40] == pytest.approx(0.5)
    assert share(strengths, "angry")[45:] == pytest.approx(1)


def test_before_the_first_key_the_face_is_neutral_and_a_first_key_at_0_is_there_at_once():
    assert share(EmotionTimeline.parse("sad@2").sample(10, 20), "neutral").min() == 1
    assert share(EmotionTimeline.parse("sad@0").sample(10, 1), "sad")[0] == 1
    assert share(EmotionTimeline.parse("sad@0~1").sample(10, 1), "sad")[0] == 0


def test_a_turn_that_is_interrupted_goes_on_from_where_it_was():
    sad = share(EmotionTimeline.parse("sad@0~2/linear neutral@1~1/linear").sample(10, 30), "sad")
    assert sad[10] == pytest.approx(0.5) and sad[15] == pytest.approx(0.25) and sad[20:].max() == 0


@pytest.mark.parametrize("easing", EASINGS)
def test_easings_start_and_arrive(easing):
    sad = share(EmotionTimeline.parse(f"sad@1~1/{easing}").sample(100, 300), "sad")
    assert sad[100] == 0 and sad[200] == 1 and (np.diff(sad) >= 0).all()


@pytest.mark.parametrize("written", ["happy@65.5", "happy@1:05.5", " happy @ 1:5.5s ,", "happy@65.5;"])
def test_times_as_people_write_them(written):
    assert EmotionTimeline.parse(written).keys[0].time == 65.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("angery", "no such emotion 'angery'; did you mean 'angry'?; choices: neutral, happy, sad"),
        ("neutral@0 hapy@1", "no such emotion 'hapy'; did you mean 'happy'"),
        ("happy:2", "'2' in the emotion 'happy:2' is no strength; it lies in 0..1, as in happy:0.6"),
        ("happy:nan", "is no strength"),
        ("happy+happy", "names happy twice"),
        ("happy@x", "'x' in 'happy@x' is no time; write seconds, 1.2, or minutes and seconds, 1:02.5"),
        ("happy@-1", "is no time"),
        ("happy@inf", "is no time"),
        ("happy@1~fast", "'fast' in 'happy@1~fast' is no time"),
        ("happy@1/bouncy", "no such easing 'bouncy'; choices: smooth, linear, in, out"),
        ("happy sad@2", "'happy' has no time; write every key as emotion@seconds: neutral@0 happy"),
        ("happy@2 sad@1", "the emotion at 1 s stands after the one at 2 s; write them in order of time"),
        ("happy@1 sad@1", "each time once"),
        ("vad(0.1)", "write valence, arousal and perhaps dominance"),
        ("vad(0.1,9)", "arousal is 9; it lies in -1..1"),
        ("", "the emotion is empty"),
        ("missing.json", "no such file: missing.json"),
    ],
)
def test_a_mistake_says_what_to_write_instead(text, message):
    with pytest.raises(TalkerError) as error:
        EmotionTimeline.of(text)
    assert message in str(error.value) and "\n" not in str(error.value)


busy = settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow], deadline=None)

mixtures = st.lists(st.floats(0, 1), min_size=7, max_size=7).map(
    lambda weights: mixture_of(dict(zip(EMOTIONS[1:], weights, strict=True)))
)
keys = st.builds(
    EmotionKey,
    st.floats(0, 4000, allow_nan=False),
    mixtures,
    st.none() | st.floats(0, 100),
    st.sampled_from(sorted(EASINGS)),
)
timelines = st.lists(keys, min_size=1, max_size=6, unique_by=lambda key: key.time).map(
    lambda some: EmotionTimeline(tuple(sorted(some, key=lambda key: key.time)))
)


@busy
@given(timelines)
def test_a_timeline_reads_back_what_it_writes(timeline):
    assert EmotionTimeline.parse(timeline.text) == timeline


@busy
@given(mixtures)
def test_a_mixture_reads_back_what_it_writes(mixture):
    assert parse_mixture(mixture_text(mixture)) == mixture
    assert sum(mixture) == pytest.approx(1) and min(mixture) >= 0


@busy
@given(timelines, st.floats(1, 240), st.integers(1, 2000))
def test_strengths_are_shares_and_never_jump(timeline, fps, frames):
    strengths = timeline.sample(fps, frames)
    assert strengths.shape == (frames, 8) and strengths.dtype == np.float32
    assert strengths.min() >= 0 and np.allclose(strengths.sum(axis=1), 1, atol=1e-5)
    quickest = 2.0 / QUICKEST_RAMP / fps  # the steepest easing, per frame
    assert np.abs(np.diff(strengths, axis=0)).max(initial=0) <= quickest + 1e-5


@busy
@given(timelines)
def test_what_a_take_remembers_follows_the_strengths(timeline):
    strengths = timeline.sample(50, 500)
    track = emotion_track(strengths, 50)
    times = [key["time"] for key in track]
    for column, label in enumerate(EMOTIONS):
        remembered = np.interp(np.arange(500) / 50, times, [key["weights"].get(label, 0.0) for key in track])
        assert np.abs(remembered - strengths[:, column]).max() < 0.025


JSON = [
    {"time": 0, "emotion": "happy:0.4"},
    {"time": 1.5, "weights": {"sad": 0.5}, "ramp": 0.5},
    {"time": 3, "valence": -0.51, "arousal": 0.59, "dominance": 0.25, "easing": "linear"},
]
CSV = """\ufefftime, ramp, easing, emotion, sad, valence, arousal, dominance
0,,,happy:0.4,,,,
1.5,0.5,,,0.5,,,
3,,linear,,,-0.51,0.59,0.25
"""


@pytest.mark.parametrize("name", ["szene 音.json", "scene.csv", "track.json"])
def test_files_hold_the_same_keys(tmp_path, name):
    data = {"emotion": JSON} if name == "track.json" else JSON
    (tmp_path / name).write_text(json.dumps(data) if name.endswith("json") else CSV, encoding="utf-8")
    timeline = EmotionTimeline.of(str(tmp_path / name))
    assert timeline.text == "happy:0.4@0 sad:0.5@1.5~0.5 angry@3/linear"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "{", "not a JSON file"),
        ("a.json", "[1]", "a timeline is a list of keys"),
        ("a.json", "{}", "a timeline is a list of keys"),
        ("a.json", '[{"time": 0, "emotion": "angery"}]', "a.json, key 1: no such emotion 'angery'"),
        ("a.json", '[{"time": 0, "mood": "sad"}]', "'mood' is nothing an emotion key has"),
        ("a.json", '[{"time": 0}]', "the key has no emotion"),
        ("a.json", '[{"emotion": "sad"}]', "the key has no time"),
        ("a.json", '[{"time": 0, "weights": [1]}]', "weights are written"),
        ("a.json", '[{"time": 0, "weights": {"sad": "much"}}]', "the strength of sad is much"),
        ("a.json", '[{"time": 0, "happy": null}]', "happy is None, which is no number"),
        ("a.json", "[]", "1 to 100000 keys"),
        ("a.csv", "start,emotion\n1,sad\n", "names its columns: time, emotion"),
        ("a.csv", "time,emotion\nsoon,sad\n", "a.csv, line 2: 'soon'"),
        ("a.csv", "time,emotion\n1,sad\n0,sad\n", "stands after"),
        ("a.csv", "", "the file is empty"),
    ],
)
def test_a_damaged_file_is_named_with_the_place(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(TalkerError) as error:
        read_timeline(tmp_path / name)
    assert message in str(error.value) and str(tmp_path) in str(error.value)


def test_anything_that_says_an_emotion_is_one():
    timeline = EmotionTimeline((EmotionKey(0.0, NEUTRAL),))
    assert EmotionTimeline.of(timeline) is timeline
    assert EmotionTimeline.of({"neutral": 1}) == timeline == EmotionTimeline.of("neutral")
    with pytest.raises(TalkerError, match="a text, a mapping"):
        EmotionTimeline.of(3)
