"""Shards of made-up talking: a buzz, and a mouth that is as wide open as the buzz is loud."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from talker.audio import NETWORK_RATE, Audio
from talker.datasets.report import MANIFEST_FILE
from talker.datasets.samples import Curves, encode_json, encode_sound
from talker.models.checkpoint import save_speech
from talker.models.speech import Speech
from talker.models.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from talker.models.talker import TalkerConfig
from talker.rigs import arkit
from talker.rigs.lips import Lips
from talker.training import course, prior
from talker.training import talker as stage

HEARING = SpeechEncoderConfig(layers=1, width=32, heads=2, feed_forward=64, attention_reach=6)
TALKER = TalkerConfig(feature_width=32, width=32, dilations=(1, 2), dropout=0.0, feature_dropout=0.1)
FPS, SECONDS = 25, 3
OPENINGS = {"timid": 0.4, "bold": 0.8}
"""How far these speakers open the jaw when they are loudest."""

JAW = arkit.INDEX["jawOpen"]
SMILE = [arkit.INDEX["mouthSmileLeft"], arkit.INDEX["mouthSmileRight"]]


def utterance(random: np.random.Generator, opening: float) -> tuple[Audio, np.ndarray]:
    """Sound with syllables and pauses, and the (T, 61) curves that go with it, smiling throughout."""
    frames = np.arange(FPS * SECONDS) / FPS
    loud = np.clip(np.sin(2 * np.pi * (random.uniform(1.2, 2.2) * frames + random.random())), 0, 1)
    times = np.arange(SECONDS * NETWORK_RATE) / NETWORK_RATE
    buzz = np.sign(np.sin(2 * np.pi * random.uniform(100, 200) * times)) * np.interp(times, frames, loud)
    curves = np.zeros((len(frames), arkit.CHANNEL_COUNT), np.float32)
    curves[:, JAW] = opening * loud
    curves[:, SMILE] = 0.25
    return Audio(0.3 * buzz.astype(np.float32), NETWORK_RATE), curves


def write_shards(folder: Path, clips: int = 4, may_ship: bool = True, measured: bool = True) -> Path:
    """A folder as `talker prepare` leaves it: a set "little" with `clips` to learn from per speaker, one held out."""
    random = np.random.default_rng(0)
    folder.mkdir(parents=True)
    rows = []
    for split, count in (("train", clips), ("validation", 1)):
        with tarfile.open(folder / f"{split}-000000.tar", "w") as archive:
            for speaker, opening in OPENINGS.items():
                for take in range(count):
                    audio, curves = utterance(random, opening)
                    key = f"little/{split}-{speaker}-{take}"
                    about = {
                        "set": "little",
                        "speaker": speaker,
                        "may_ship": may_ship,
                        "emotion": "happy",
                        "level": None,
                    }
                    members = {
                        "curves.npz": _stored(curves, measured).encode(),
                        "flac": encode_sound(audio, "flac"),
                        "json": encode_json(about),
                    }
                    for extension, data in members.items():
                        member = tarfile.TarInfo(f"{key}.{extension}")
                        member.size = len(data)
                        archive.addfile(member, io.BytesIO(data))
                    rows.append({"key": key, "shard": f"{split}-000000", **about})
    (folder / MANIFEST_FILE).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def _stored(curves: np.ndarray, measured: bool) -> Curves:
    sure = np.ones(len(curves))
    mouth = Lips.of_default_head().measures(torch.from_numpy(curves[:, : arkit.SHAPE_COUNT])).numpy()
    return Curves(curves, FPS, sure.astype(bool), sure, mouth if measured else np.full_like(mouth, np.nan))


def write_hearing(folder: Path) -> Path:
    """A speech encoder with random weights: it hears how loud it is, if nothing else."""
    torch.manual_seed(0)
    save_speech(folder, Speech(SpeechEncoder.from_config(HEARING)), half=False)
    return folder


def make_batches_little(patch: pytest.MonkeyPatch) -> None:
    """Batches that take milliseconds."""
    patch.setattr(course, "BATCH", 6)
    patch.setattr(course, "CROP_SECONDS", 2.0)
    for module in (stage, prior):
        patch.setattr(module, "_MEASURED_BATCHES", 2)
