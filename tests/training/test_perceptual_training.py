"""`talker train perceptual`: losses through drawn faces, and the stage itself."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from little_talking import TALKER, write_hearing, write_shards

from talker.emotion import EMOTIONS, emotion_pose
from talker.errors import TalkerError
from talker.inference import load_model
from talker.models.checkpoint import load_speech, save_checkpoint
from talker.models.emotion_net import EmotionNet, EmotionNetConfig
from talker.models.lip_reader import LipReader, LipReaderConfig
from talker.models.readers import Readers, save_readers
from talker.models.talker import Talker
from talker.rigs import arkit
from talker.training import course, perceptual
from talker.training.course import Lessons
from talker.training.loop import LoopOptions
from talker.training.perceptual import Onlookers, train_perceptual

JAW = arkit.INDEX["jawOpen"]


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("readers")
    lips = LipReader(LipReaderConfig(channels=(4, 8), width=16, dilations=(1,)))
    save_readers(folder, Readers(lips, EmotionNet(EmotionNetConfig(channels=(4, 8), width=16, dilations=(1,)))))
    return folder


def moving(amount: float, frames: int = 16) -> torch.Tensor:
    curves = torch.zeros(1, frames, arkit.SHAPE_COUNT)
    curves[..., JAW] = amount * torch.linspace(0, 6, frames).sin().abs()
    return curves


def test_the_same_face_has_no_loss_and_the_gradient_leads_towards_it(readers: Path) -> None:
    onlookers = Onlookers.of_default_head(readers)
    wanted = moving(0.5)
    assert float(onlookers.lip_reading_loss(wanted, wanted)) == pytest.approx(0.0, abs=1e-5)
    assert float(onlookers.emotion_loss(wanted, wanted)) == pytest.approx(0.0, abs=1e-5)
    predicted = moving(0.35).requires_grad_()
    onlookers.lip_reading_loss(predicted, wanted).backward()
    assert predicted.grad is not None
    assert ((predicted.grad * (wanted - predicted.detach())).sum()) < 0


def test_descending_both_losses_brings_a_face_nearer(readers: Path) -> None:
    onlookers = Onlookers.of_default_head(readers)
    donor = moving(0.3) + torch.from_numpy(emotion_pose("surprised").copy())
    curves = moving(0.1).requires_grad_()
    optimiser = torch.optim.Adam([curves], lr=0.02)
    losses = []
    for _ in range(12):
        loss = onlookers.lip_reading_loss(curves, moving(0.3)) + onlookers.emotion_loss(curves, donor)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


@pytest.fixture
def start(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    speech = load_speech(write_hearing(tmp_path / "hearing"))
    save_checkpoint(tmp_path / "start", speech, Talker(TALKER))
    return tmp_path / "start"


@pytest.mark.train
@pytest.mark.slow
def test_the_stage_learns_and_its_checkpoint_speaks(
    start: Path, readers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(course, "BATCH", 4)
    monkeypatch.setattr(course, "CROP_SECONDS", 2.0)
    monkeypatch.setattr(perceptual, "SEEN_CLIPS", 2)
    monkeypatch.setattr(perceptual, "SEEN_SECONDS", 0.6)
    lessons, mine = Lessons([write_shards(tmp_path / "shards")]), tmp_path / "mine"
    losses = train_perceptual(lessons, mine, LoopOptions(60, 5e-3, average=0.9), start, readers, say=lambda _: None)
    assert np.mean(losses[-10:]) < 0.75 * np.mean(losses[:10])
    with (mine / "history.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert float(row["looks lips"]) >= 0 and float(row["looks emotion"]) >= 0
    samples = 0.1 * np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    assert load_model(mine).curves(samples).shape == (50, arkit.CHANNEL_COUNT)


def test_readers_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(TalkerError, match="no model at"):
        Onlookers.of_default_head(tmp_path / "nowhere")


def test_every_emotion_can_be_a_donor(readers: Path) -> None:
    onlookers = Onlookers.of_default_head(readers)
    poses = torch.from_numpy(np.stack([emotion_pose(label) for label in EMOTIONS]))[:, None].repeat(1, 8, 1)
    assert torch.isfinite(onlookers.emotion_loss(poses, poses.flip(0)))
