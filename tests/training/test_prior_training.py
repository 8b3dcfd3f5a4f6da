"""`talker train prior` on shards of made-up talking, and talkers that speak through it."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from little_talking import FPS, JAW, OPENINGS, TALKER, make_batches_little, utterance, write_hearing, write_shards
from two_processes import run_in_two

from talker import cli
from talker.errors import TalkerError
from talker.inference import load_model
from talker.models.checkpoint import load_checkpoint, load_prior, save_prior
from talker.models.motion_prior import MotionPrior, MotionPriorConfig
from talker.rigs import arkit
from talker.rigs.head_mesh import HeadMesh
from talker.training import prior as stage
from talker.training.course import Lessons
from talker.training.curve_loss import vertex_factor
from talker.training.loop import LoopOptions
from talker.training.prior import train_prior
from talker.training.talker import train_talker
from talker.training.validation import validate_prior

PRIOR = MotionPriorConfig(width=32, latent=16, heads=2, dilations=(1,))


@pytest.fixture
def lessons(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lessons:
    make_batches_little(monkeypatch)
    return Lessons([write_shards(tmp_path / "shards")])


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.train
@pytest.mark.slow
def test_a_prior_learns_faces_and_a_talker_speaks_through_it(lessons, tmp_path):
    folder, mine = tmp_path / "prior", tmp_path / "mine"
    losses = train_prior(lessons, folder, LoopOptions(150, 5e-3, average=0.9), PRIOR, say=lambda _: None)
    assert np.mean(losses[-30:]) < 0.85 * np.mean(losses[:10])
    (row,) = rows_of(folder / "history.csv")
    kinds = ("closure-error little", "curve-error little", "gap-error little")
    assert row.keys() == {"step", "training loss", *kinds}
    assert 0 < float(row["closure-error little"]) < 20 and float(row["gap-error little"]) < 50
    lost = {row["channel"]: float(row["error"]) for row in rows_of(folder / "channels.csv")}
    assert list(lost) == list(arkit.SHAPES) and 0 < lost["jawOpen"] < 0.2

    hearing = write_hearing(tmp_path / "hearing")
    losses = train_talker(lessons, mine, LoopOptions(160, 5e-3, average=0.9), hearing, TALKER, folder)
    assert np.mean(losses[-30:]) < 0.85 * np.mean(losses[:10])
    prior, talker = load_prior(folder)[0], load_checkpoint(mine)[1]
    torch.testing.assert_close(talker.decoder.spread.weight, prior.decoder.spread.weight, rtol=0, atol=1e-3)
    audio, curves = utterance(np.random.default_rng(9), OPENINGS["bold"])
    spoken = load_model(mine).curves(audio.samples)[:: 50 // FPS]
    assert np.corrcoef(spoken[:, JAW], curves[:, JAW])[0, 1] > 0.7


@pytest.mark.train
@pytest.mark.slow
def test_a_resumed_run_continues(lessons, tmp_path):
    once = train_prior(lessons, tmp_path / "a", LoopOptions(2), PRIOR)
    before = load_prior(tmp_path / "a")[0]
    assert len(train_prior(lessons, tmp_path / "a", LoopOptions(3), PRIOR, resume=True)) == 1
    assert [row["step"] for row in rows_of(tmp_path / "a" / "history.csv")] == ["2", "3"]
    after = load_prior(tmp_path / "a")[0]
    torch.testing.assert_close(after.decoder.mean, before.decoder.mean)  # Measured once, for the weights count on it.
    assert train_prior(lessons, tmp_path / "b", LoopOptions(2), PRIOR) == pytest.approx(once)


WORKER = """
import sys
from pathlib import Path
import pytest, torch
sys.path.insert(0, sys.argv[1])
from little_talking import make_batches_little
from talker.training import processes, prior as stage
from talker.training.course import Lessons
from talker.training.loop import LoopOptions, TrainingLoop

folder = Path(sys.argv[2])

class Kept(TrainingLoop):
    def run(self, *functions):
        losses = super().run(*functions)
        torch.save((losses, self.modules.state_dict()), folder / f"kept{processes.number()}.pt")
        return losses

with processes.together(), pytest.MonkeyPatch.context() as patch:
    make_batches_little(patch)
    patch.setattr(stage, "TrainingLoop", Kept)
    stage.train_prior(Lessons([folder / "shards"]), folder / "out", LoopOptions(3))
"""


@pytest.mark.train
@pytest.mark.slow
def test_two_processes_train_one_prior(lessons, tmp_path):
    printed = run_in_two(WORKER, tmp_path)
    (losses, first), (other_losses, second) = (torch.load(tmp_path / f"kept{rank}.pt") for rank in (0, 1))
    assert losses != other_losses  # Each saw crops of its own,
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())  # and both learnt from all.
    assert printed.count("step 3:") == 1


def test_the_way_of_vertices_is_that_of_the_head(default_head: HeadMesh):
    error = torch.randn(3, arkit.SHAPE_COUNT, generator=torch.Generator().manual_seed(0))
    moved = 1000 * torch.einsum("bc,cvx->bvx", error, default_head.deltas[:, default_head.parts["skin"]])
    expected = moved.square().sum(-1).mean(-1)
    torch.testing.assert_close((error @ vertex_factor(default_head)).square().sum(-1), expected, rtol=1e-4, atol=0)


def test_what_is_lost_is_told_in_eye_distances():
    clip = {"curves": torch.zeros(50, 61), "weight": torch.ones(50), "length": 16_000, "set": "little"}
    clip["curves"][25:, JAW] = 0.5
    prior = MotionPrior(PRIOR).eval()
    prior.decoder.mean[JAW] = 0.1  # Untrained, it shows the same face at all times.
    figures, by_shape = validate_prior(prior, [clip])
    assert list(figures) == ["closure-error little", "curve-error little", "gap-error little"]
    assert by_shape[JAW] == pytest.approx(np.sqrt((0.1**2 + 0.4**2) / 2), rel=1e-3) and by_shape.sum() == by_shape[JAW]
    assert figures["closure-error little"] / figures["gap-error little"] == pytest.approx(
        0.1 / np.sqrt((0.1**2 + 0.4**2) / 2), rel=1e-3
    )


def test_a_prior_of_another_space_is_refused(lessons, tmp_path):
    save_prior(tmp_path / "flame", MotionPrior(MotionPriorConfig(channels=112, width=16, heads=2)), "flame")
    hearing = write_hearing(tmp_path / "hearing")
    with pytest.raises(TalkerError, match="this motion prior speaks flame, not arkit; train one on the same data"):
        train_talker(lessons, tmp_path / "mine", LoopOptions(1), hearing, TALKER, tmp_path / "flame")


def test_the_command_trains(tmp_path, monkeypatch):
    remembered: list = []
    monkeypatch.setattr(stage, "train_prior", lambda *given, **options: remembered.append((given, options)))
    arguments = ["train", "prior", "--shards", str(tmp_path), "-o", str(tmp_path / "out"), "--steps", "7"]
    assert cli.main([*arguments, "--weights", "little=2", "--shippable", "--resume"]) == 0
    ((given, options),) = remembered
    assert given == (
        Lessons((tmp_path,), {"little": 2.0}, shippable=True, moods=0.5, heard=False),
        tmp_path / "out",
        LoopOptions(7),
    )
    assert options["resume"]
