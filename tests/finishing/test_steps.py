"""Every finishing step: on unless told otherwise, off at 0, as strong as told, cheap, and true to its channels."""

import time
from dataclasses import fields, replace
from functools import lru_cache

import numpy as np
import pytest

from talker.animation import FaceAnimation
from talker.audio import NETWORK_RATE, Audio, read_audio
from talker.emotion import EMOTIONS
from talker.finishing import FinishingOptions, finish
from talker.finishing.blinks import LIDS
from talker.finishing.closure import LIPS
from talker.finishing.contrast import PARTING
from talker.finishing.gaze import EYES
from talker.finishing.head import BREATH, HEAD
from talker.finishing.kept import KEPT
from talker.finishing.silence import MOUTH
from talker.finishing.speed import SLOWED
from talker.finishing.tongue import TONGUE
from talker.phones import PHONES
from talker.resources import checkpoints_dir
from talker.rigs import arkit

FPS = 60.0
OWNED = {
    "blinks": LIDS,
    "gaze": EYES,
    "head": HEAD,
    "breath": BREATH,
    "tongue": TONGUE,
    "contrast": PARTING,
    "silence": MOUTH,
    "closure": (*LIPS, *KEPT),
    "speed": SLOWED,
}
OFF = dict.fromkeys(OWNED, 0.0)


@lru_cache(maxsize=2)
def heard(seconds: float) -> dict:
    """All that finishing is given of a sad face that speaks: its curves are noise, its sound is a voice."""
    audio = read_audio(checkpoints_dir().parent / "examples" / "hello.wav").resample(NETWORK_RATE)
    audio = Audio(np.resize(audio.samples, round(seconds * NETWORK_RATE)), NETWORK_RATE)
    random = np.random.default_rng(0)
    frames = round(seconds * FPS)
    times = np.arange(frames)[:, None] / FPS
    waves = np.sin(times * random.uniform(5, 40, arkit.CHANNEL_COUNT) + random.uniform(0, 6, arkit.CHANNEL_COUNT))
    speech = (0.4 * np.maximum(waves, 0)).astype(np.float32)
    speech[:, arkit.SHAPE_COUNT :] = 0
    speech[:, arkit.INDEX["mouthClose"]] *= speech[:, arkit.INDEX["jawOpen"]]
    felt = np.clip(speech + 0.2 * waves[::-1], 0, 1).astype(np.float32)
    felt[:, arkit.SHAPE_COUNT :] = 0
    strengths = np.zeros((frames, len(EMOTIONS)))
    strengths[:, EMOTIONS.index("sad")] = 1
    phones = random.dirichlet(np.full(len(PHONES), 0.03), round(seconds * 50)).astype(np.float32)
    return {"take": FaceAnimation(felt, FPS, audio), "strengths": strengths, "phones": phones, "speech": speech}


def finished(options: FinishingOptions, seconds: float = 9.5) -> np.ndarray:
    return finish(options=options, **heard(seconds)).curves


def test_the_table_names_every_step():
    assert set(OWNED) == {field.name for field in fields(FinishingOptions) if isinstance(field.default, float)}


@pytest.mark.parametrize("step", OWNED)
def test_a_step_is_on_by_default_and_can_be_switched_off(step):
    assert getattr(FinishingOptions(), step) == 1.0
    assert not np.array_equal(finished(FinishingOptions()), finished(replace(FinishingOptions(), **{step: 0.0})))


@pytest.mark.parametrize("step", OWNED)
def test_a_step_alone_moves_its_own_channels_as_strongly_as_told(step):
    before = finished(FinishingOptions(**OFF))
    assert np.array_equal(before, heard(9.5)["take"].curves)
    whole, half = (finished(FinishingOptions(**(OFF | {step: amount}))) for amount in (1.0, 0.5))
    moved = set(np.flatnonzero((whole != before).any(axis=0)))
    assert moved and moved <= set(OWNED[step]), [arkit.CHANNELS[i] for i in moved - set(OWNED[step])]
    assert not np.array_equal(half, before) and not np.array_equal(half, whole)


@pytest.mark.slow
@pytest.mark.parametrize("step", OWNED)
def test_a_step_costs_less_than_a_millisecond_per_second(step):
    def processor_seconds(options: FinishingOptions) -> float:
        begin = time.process_time()
        finished(options, 60.0)
        return time.process_time() - begin

    # The least of several, and of this process alone: what else the machine does hardly counts.
    without, with_it = (
        min(processor_seconds(FinishingOptions(**(OFF | {step: amount}))) for _ in range(5)) for amount in (0.0, 1.0)
    )
    assert (with_it - without) / 60.0 < 1e-3
