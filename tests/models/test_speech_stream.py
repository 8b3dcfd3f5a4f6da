import numpy as np
import pytest
import torch

from talker.errors import TalkerError
from talker.models.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from talker.models.speech_stream import SpeechStream

TINY = SpeechEncoderConfig(layers=2, width=32, heads=2, feed_forward=64, attention_reach=6)


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return SpeechEncoder.from_config(TINY).eval()


def noise(count, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, count).astype(np.float32)


def heard(stream, sound, sizes):
    """Everything that comes back when the sound arrives in bits of these sizes, over and over."""
    parts, begin, turn = [], 0, 0
    while begin < len(sound):
        parts.append(stream.push(sound[begin : begin + sizes[turn % len(sizes)]]))
        begin += sizes[turn % len(sizes)]
        turn += 1
    return np.concatenate([*parts, stream.flush()])


@pytest.mark.parametrize(("look_ahead_ms", "block_ms"), [(200, 100), (100, 100), (60, 20), (500, 40)])
def test_each_block_is_the_offline_result_for_the_sound_heard_so_far(encoder, look_ahead_ms, block_ms):
    sound = noise(31_111)
    found = heard(SpeechStream(encoder, look_ahead_ms, block_ms), sound, [1_600])
    assert found.shape == (98, TINY.width)
    block = block_ms // 20
    for first in range(0, 98, block):
        so_far = sound[: first * 320 + look_ahead_ms * 16]
        expected = encoder.features(so_far)[first : first + block]
        np.testing.assert_allclose(found[first : first + block][: len(expected)], expected, atol=2e-5)


def test_the_sizes_of_the_bits_change_nothing(encoder):
    sound = noise(40_000)
    expected = heard(SpeechStream(encoder), sound, [40_000])
    for sizes in ([1, 7, 320, 4_000], [5_000], [0, 333]):
        np.testing.assert_array_equal(heard(SpeechStream(encoder), sound, sizes), expected)


def test_with_enough_look_ahead_it_is_the_offline_network(encoder):
    sound = noise(48_000)
    look_ahead = (encoder.reach + 5) * 20
    np.testing.assert_allclose(
        heard(SpeechStream(encoder, look_ahead), sound, [999]), encoder.features(sound), atol=2e-5
    )


def test_frames_come_when_they_were_promised(encoder):
    stream = SpeechStream(encoder, look_ahead_ms=200, block_ms=100)
    assert len(stream.push(noise(3_199))) == 0
    assert len(stream.push(noise(1))) == 5  # 200 ms after the first of them
    assert len(stream.push(noise(1_600))) == 5


def test_a_stream_starts_anew_after_its_end(encoder):
    stream = SpeechStream(encoder)
    first = heard(stream, noise(9_000), [1_000])
    np.testing.assert_array_equal(heard(stream, noise(9_000), [1_000]), first)
    assert stream.flush().shape == (0, TINY.width)


def test_what_is_kept_stays_small(encoder):
    stream = SpeechStream(encoder)
    for _ in range(100):
        stream.push(noise(1_600))
    assert len(stream._heard) < 60 * 320  # What the first state needs around frames that are not settled.
    assert all(state.shape[1] < encoder.reach + 20 for state in stream._past._states)


@pytest.mark.parametrize("arguments", [{"block_ms": 30}, {"block_ms": 0}, {"look_ahead_ms": 50}])
def test_impossible_times_are_refused(encoder, arguments):
    with pytest.raises(TalkerError, match="must be"):
        SpeechStream(encoder, **arguments)
    with pytest.raises(TalkerError, match="nan"):
        SpeechStream(encoder).push(np.array([np.nan], np.float32))
