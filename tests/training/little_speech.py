"""A language of three sounds, silence, a buzz and a hiss, and what is needed to learn to hear it."""

import json
from pathlib import Path

import numpy as np
import pytest
from little_whisper import little_encoder, write_package

from talker.audio import NETWORK_RATE
from talker.models.speech_encoder import SpeechEncoderConfig
from talker.phones import SILENCE, TimedPhone
from talker.training import speech, speech_batches, teachers

LITTLE = SpeechEncoderConfig(layers=2, width=32, heads=2, feed_forward=128, attention_reach=6)
SECONDS = 2.0


def utterance(random: np.random.Generator) -> tuple[np.ndarray, list[TimedPhone]]:
    """Two seconds of "s", "a" and silence, each for a fifth of a second or so."""
    spans: list[TimedPhone] = []
    pieces = []
    at = 0.0
    while at < SECONDS:
        phone = str(random.choice([p for p in (SILENCE, "s", "a") if not spans or p != spans[-1][0]]))
        end = round(min(at + random.uniform(0.15, 0.3), SECONDS), 2)
        times = np.arange(round(at * NETWORK_RATE), round(end * NETWORK_RATE)) / NETWORK_RATE
        pieces.append(
            {
                SILENCE: np.zeros(len(times)),
                "s": 0.2 * random.standard_normal(len(times)),
                "a": 0.3 * np.sign(np.sin(2 * np.pi * 150 * times)),
            }[phone]
        )
        spans.append((phone, at, end))
        at = end
    return np.concatenate(pieces).astype(np.float32), spans


def write_speech(folder: Path, train: int = 8, test: int = 2) -> tuple[Path, Path]:
    """A folder of data sets, with one that has transcripts only, and a folder of "synthesised" speech."""
    import soundfile

    random = np.random.default_rng(0)
    data, synthesised = folder / "data", folder / "synth"
    (data / "speechocean762").mkdir(parents=True)
    synthesised.mkdir()
    lines, orders = [], {}
    for number in range(train + test):
        samples, spans = utterance(random)
        line = {"id": f"u{number}", "split": "train" if number < train else "test", "phones": spans}
        soundfile.write(synthesised / f"{line['id']}.flac", samples, NETWORK_RATE)
        lines.append(json.dumps(line))
    for number in range(2):
        samples, spans = utterance(random)
        soundfile.write(data / "speechocean762" / f"t{number}.flac", samples, NETWORK_RATE)
        orders[f"t{number}"] = [phone for phone, *_ in spans if phone != SILENCE]
    (synthesised / "manifest.jsonl").write_text("\n".join(lines) + "\n")
    (synthesised / "speechocean762_phones.json").write_text(json.dumps(orders))
    return data, synthesised


def make_everything_little(patch: pytest.MonkeyPatch, packages: Path) -> None:
    """A teacher with random weights, and batches of two seconds."""
    teacher = write_package(packages, "little", little_encoder(LITTLE.width, 6, seed=1), "ctranslate2")
    patch.setitem(teachers.TEACHERS, speech.TEACHER, teacher)
    patch.setattr(speech, "HEAD_STEPS", 4)
    patch.setattr(speech_batches, "BATCH", 4)
    patch.setattr(speech_batches, "CROP_SECONDS", SECONDS)
