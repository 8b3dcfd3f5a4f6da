import json

import numpy as np
import pytest
import torch
from little_speech import write_speech
from little_talking import JAW, write_shards

from talker.datasets.stream import ShardStream, StreamOptions
from talker.models.speech_encoder import HOP_SAMPLES, frame_count
from talker.training import taught
from talker.training.taught import Ears, Faces, Teach


def loudness(sound: np.ndarray) -> torch.Tensor:
    """(T, 4): what a teacher hears here, with noise beside it."""
    frames = frame_count(len(sound))
    hops = np.pad(sound, (0, frames * HOP_SAMPLES - len(sound))).reshape(frames, HOP_SAMPLES)
    noise = np.random.default_rng(frames).normal(size=(frames, 3))
    return torch.from_numpy(np.concatenate([np.abs(hops).mean(1, keepdims=True), noise], 1)).float()


class FakeEars(Ears):
    def listen(self, sounds):
        return [[loudness(sound) for sound in sounds] for _ in taught.LAYERS]


@pytest.fixture
def teach(tmp_path, monkeypatch):
    monkeypatch.setattr(taught, "LAYERS", taught.LAYERS[:1])
    monkeypatch.setattr(taught, "BATCH", 8)
    monkeypatch.setattr(Ears, "load", classmethod(lambda cls, packages: FakeEars({})))
    data, synthesised = write_speech(tmp_path)
    shards = write_shards(tmp_path / "filmed")
    return Teach((shards,), data, tmp_path, tmp_path / "taught", synthesised, steps=40, seeds=2)


def test_speech_gets_the_faces_that_were_learnt(teach):
    teach.run()
    clips = list(ShardStream([teach.output], StreamOptions(seconds=2.0, shippable=True), rank=0, world_size=1))
    assert len(clips) == 10 and {clip["set"] for clip in clips} == {"taught"}  # 2 recorded, 8 synthesised to train on.
    said = np.concatenate([clip["curves"][:, JAW].numpy() for clip in clips])
    loud = np.concatenate([loudness(clip["samples"].numpy())[:100, 0].numpy() for clip in clips])
    assert np.corrcoef(said, loud)[0, 1] > 0.6
    assert all((clip["weight"][:90] == 1).all() and not clip["mouth_weight"].any() for clip in clips)
    rows = [json.loads(line) for line in (teach.output / "manifest.jsonl").read_text().splitlines()]
    assert {row["speaker"] for row in rows} == {"speechocean762", "synthesised"}


def test_a_shard_that_is_there_is_kept(teach):
    teach.run()
    shard = teach.output / "train-000000.tar"
    before = shard.stat().st_mtime_ns, shard.read_bytes()
    teach.run()
    assert (shard.stat().st_mtime_ns, shard.read_bytes()) == before


def test_a_face_is_the_mean_of_all_talkers():
    torch.manual_seed(0)
    talkers = [taught.Talker(taught.TalkerConfig(4, prior=None)).eval() for _ in range(2)]
    for talker, opening in zip(talkers, (0.2, 0.6), strict=True):
        talker.output.bias.data[JAW] = opening
    face = Faces(((0, talkers[0]), (1, talkers[1]))).mean([torch.zeros(5, 4), torch.zeros(5, 4)])
    torch.testing.assert_close(face[:, JAW], torch.full((5,), 0.4))
    assert face.shape == (5, 52) and face.sum() == face[:, JAW].sum()
