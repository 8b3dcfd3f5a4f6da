"""`talker train talker` on shards of made-up talking, with a speech encoder of random weights."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from little_talking import (
    FPS,
    JAW,
    OPENINGS,
    SECONDS,
    SMILE,
    TALKER,
    make_batches_little,
    utterance,
    write_hearing,
    write_shards,
)
from two_processes import run_in_two

from talker import cli
from talker.datasets.stream import ShardStream, StreamOptions
from talker.direction.animate import animate
from talker.emotion import EMOTIONS
from talker.errors import TalkerError
from talker.inference import load_model
from talker.models.checkpoint import load_checkpoint, save_checkpoint
from talker.models.talker import Talker
from talker.rigs import arkit
from talker.rigs.head_mesh import HeadMesh
from talker.rigs.lips import Lips
from talker.training import talker as stage
from talker.training.course import Lessons
from talker.training.curve_loss import channel_scale, curve_loss, is_spoken
from talker.training.directions import held_strengths
from talker.training.loop import LoopOptions
from talker.training.speakers import Speakers
from talker.training.talker import train_talker
from talker.training.validation import validate


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Lessons, Path]:
    """What to learn, and an encoder."""
    make_batches_little(monkeypatch)
    return Lessons([write_shards(tmp_path / "shards")]), write_hearing(tmp_path / "hearing")


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.train
@pytest.mark.slow
def test_training_learns_and_its_checkpoint_animates(little, tmp_path):
    lessons, hearing = little
    said: list[str] = []
    mine = tmp_path / "mine"
    losses = train_talker(lessons, mine, LoopOptions(150, 5e-3, average=0.9), hearing, TALKER, say=said.append)
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])
    (row,) = rows_of(mine)
    assert row.keys() == {"step", "training loss", "emotional-gap little", "gap little", "width little"}
    assert float(row["gap little"]) > 0.7 and said[-1].startswith("step 150: training loss ")

    audio, curves = utterance(np.random.default_rng(9), OPENINGS["bold"])
    take = animate(audio, model=mine, fps=FPS)
    assert take.frame_count == SECONDS * FPS
    assert np.corrcoef(take.channel("jawOpen"), curves[:, JAW])[0, 1] > 0.7
    assert take.channel("mouthSmileLeft").max() < 0.1  # What they show throughout is mood, not speech.
    # The same words in another mood: the face shows it, the lips say what they said.
    model = load_model(mine)
    happy = held_strengths(torch.tensor([EMOTIONS.index("happy")]), torch.ones(1), 50 * SECONDS)[0].numpy()
    plain, smiling = model.curves(audio.samples), model.curves(audio.samples, happy)
    assert smiling[:, SMILE].mean() > plain[:, SMILE].mean() + 0.1
    assert np.corrcoef(plain[:, JAW], smiling[:, JAW])[0, 1] > 0.8
    heard = (mine / "speech" / "model.safetensors").stat().st_size
    assert heard < 0.6 * (hearing / "model.safetensors").stat().st_size  # The encoder goes along, in half precision.


def test_without_exchange_a_clip_is_learnt_in_the_mood_that_it_was_acted_in(little):
    lessons, _ = little
    with_moods = {
        exchange: next(replace(lessons, exchange=exchange).course(0, torch.device("cpu")).batches(0))
        for exchange in (True, False)
    }
    assert not with_moods[True]["motion"][..., SMILE].max() > 1e-3
    assert not with_moods[True]["strengths"][..., 1:].any()
    seen = with_moods[False]["weight"] > 0
    assert with_moods[False]["motion"][seen][:, SMILE].max() > 0.2
    assert (with_moods[False]["strengths"][..., EMOTIONS.index("happy")] == 1).all()


@pytest.mark.train
@pytest.mark.slow
def test_a_resumed_run_continues(little, tmp_path):
    lessons, hearing = little
    once = train_talker(lessons, tmp_path, LoopOptions(2), hearing, TALKER)
    before = load_checkpoint(tmp_path)[1]
    again = train_talker(lessons, tmp_path, LoopOptions(3), hearing, TALKER, resume=True)
    assert len(once) == 2 and len(again) == 1
    assert [row["step"] for row in rows_of(tmp_path)] == ["2", "3"]
    after = load_checkpoint(tmp_path)[1]
    # Later crops must not change what the features are standardised by: the weights are used to it.
    torch.testing.assert_close(after.feature_mean, before.feature_mean, rtol=1e-3, atol=1e-3)
    assert before.feature_scale.std() > 0
    fresh = train_talker(lessons, tmp_path, LoopOptions(2), hearing, TALKER)
    assert fresh == pytest.approx(once) and len(rows_of(tmp_path)) == 1


WORKER = """
import sys
from pathlib import Path
import pytest, torch
sys.path.insert(0, sys.argv[1])
from little_talking import TALKER, make_batches_little
from talker.training import processes, talker as stage
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
    stage.train_talker(stage.Lessons([folder / "shards"]), folder / "out", LoopOptions(3), folder / "hearing", TALKER)
"""


@pytest.mark.train
@pytest.mark.slow
def test_two_processes_train_one_talker(little, tmp_path):
    printed = run_in_two(WORKER, tmp_path)
    (losses, first), (other_losses, second) = (torch.load(tmp_path / f"kept{rank}.pt") for rank in (0, 1))
    assert losses != other_losses  # Each heard crops of its own,
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())  # and both learnt from all.
    assert len(rows_of(tmp_path / "out")) == 1 and printed.count("step 3:") == 1


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    return write_shards(tmp_path_factory.mktemp("talking") / "shards")


def test_everybody_opens_the_mouth_alike(shards):
    speakers = Speakers.measure([shards], "train", shippable=True)
    assert speakers.sets == ["little"]
    timid, bold = (speakers.opening["little", name] for name in OPENINGS)
    assert timid == pytest.approx(2.0 * bold, rel=0.05)  # One opens the mouth half as far.
    stream = ShardStream([shards], StreamOptions(seconds=2.0, held=0))
    batch = torch.utils.data.default_collate(list(stream))
    shapes = speakers.targets(batch)
    widest = [
        shapes[[i for i, name in enumerate(batch["speaker"]) if name == speaker], :, JAW].max() for speaker in OPENINGS
    ]
    assert widest[0] == pytest.approx(float(widest[1]), rel=0.05)
    gap = Lips.of_default_head().gap(shapes.new_zeros(52).index_fill(0, torch.tensor(JAW), float(widest[1])))
    assert 0.14 < gap < 0.2
    assert batch["curves"][..., SMILE].max() > 0.2 and shapes[..., SMILE].max() < 1e-3


def test_a_smile_that_comes_and_goes_is_kept(shards):
    speakers = Speakers.measure([shards], "train", shippable=False)
    curves = torch.zeros(1, 100, arkit.CHANNEL_COUNT)
    curves[0, :, SMILE] = 0.2
    curves[0, 50:80, SMILE] = 0.6
    curves[0, 80:, SMILE] = 0.0  # Not seen: says nothing about the mood.
    weight = torch.ones(1, 100)
    weight[0, 80:] = 0
    batch = {"curves": curves, "weight": weight, "set": ["little"], "speaker": ["bold"]}
    smile = speakers.targets(batch)[0, :, SMILE].mean(1)
    assert smile[:50].abs().max() < 1e-6 and smile[50:80].min() == pytest.approx(0.5)
    assert speakers.targets(batch | {"weight": 0 * weight}).isfinite().all()


def test_half_a_smile_is_one_of_both_sides(shards):
    speakers = Speakers.measure([shards], "train", shippable=True)
    curves = torch.zeros(1, 100, arkit.CHANNEL_COUNT)
    curves[0, 50:, SMILE[0]] = 0.6
    before = curves.clone()
    batch = {"curves": curves, "weight": torch.ones(1, 100), "set": ["little"], "speaker": ["timid"]}
    smile = speakers.targets(batch)[0, 50:][:, SMILE]
    torch.testing.assert_close(smile, torch.full((50, 2), 0.3))
    assert torch.equal(curves, before)


def test_a_mouth_that_was_never_measured_is_left_as_wide_as_it_is(tmp_path):
    folder = write_shards(tmp_path / "unmeasured", clips=1, measured=False)
    speakers = Speakers.measure([folder], "train", shippable=True)
    assert set(speakers.opening.values()) == {1.0}
    assert validate_with(tmp_path, folder) == {}


def test_without_clips_that_may_be_used_there_is_nothing_to_learn(tmp_path):
    folder = write_shards(tmp_path / "forbidden", clips=1, may_ship=False)
    assert Speakers.measure([folder], "train", shippable=False).sets == ["little"]
    with pytest.raises(TalkerError, match="no train clip with curves that may be used; make some: talker prepare"):
        Speakers.measure([folder], "train", shippable=True)


def test_lips_are_those_of_the_head(default_head: HeadMesh):
    """The matrix against the vertices that move: gap, width and chin of a face with several shapes at once."""
    weights = torch.zeros(arkit.SHAPE_COUNT)
    for name, value in {"jawOpen": 0.4, "mouthPucker": 0.3, "mouthLowerDownLeft": 0.5, "mouthClose": 0.1}.items():
        weights[arkit.INDEX[name]] = value
    vertices = default_head.neutral + torch.einsum("c,cvx->vx", weights, default_head.deltas)

    def measured(points: torch.Tensor) -> torch.Tensor:
        gap = sum(points[upper, 1] - points[lower, 1] for upper, lower in ((13, 14), (82, 87), (312, 317))) / 3
        return torch.stack([gap, (points[61, 0] - points[291, 0]).abs(), -points[152, 1]])

    rest, moved = (measured(default_head.landmarks_of(mesh).double()) for mesh in (default_head.neutral, vertices))
    eyes = default_head.landmarks_of(default_head.neutral).double()
    expected = (moved - rest) / (eyes[33] - eyes[263]).norm()
    lips = Lips.of_default_head()
    torch.testing.assert_close(lips.measures(weights).double(), expected, atol=1e-5, rtol=0)
    assert expected[0] > 0.02 and expected[1] < -0.02 and expected[2] > 0.02
    assert lips.gap(weights) == lips.measures(weights)[0]


def shapes(**weights: float) -> torch.Tensor:
    """(1, 4, 52): four frames alike."""
    out = torch.zeros(1, 4, arkit.SHAPE_COUNT)
    for name, weight in weights.items():
        out[..., arkit.INDEX[name]] = weight
    return out


def test_the_loss_counts_what_matters():
    scale, lips, all_seen = channel_scale(np.full(arkit.SHAPE_COUNT, 0.1)), Lips.of_default_head(), torch.ones(1, 4)
    wanted = shapes(jawOpen=0.5, mouthPucker=0.2)

    def loss(predicted: torch.Tensor, wanted: torch.Tensor = wanted, weight: torch.Tensor = all_seen) -> float:
        return float(curve_loss(predicted, wanted, weight, scale, lips))

    assert loss(wanted) == 0 < loss(shapes())
    assert scale[arkit.INDEX["jawOpen"]] > scale[arkit.INDEX["browInnerUp"]] > 0
    spoken = is_spoken()
    assert spoken[JAW] and not spoken[[arkit.INDEX[n] for n in ("eyeBlinkLeft", "tongueOut", "jawLeft")]].any()
    # Lips that should touch and do not are worse than lips that are open by as much too far.
    ajar, open_wide = shapes(jawOpen=0.1), shapes(jawOpen=0.6, mouthPucker=0.2)
    assert loss(ajar, shapes()) > 1.5 * loss(open_wide)
    # The same error is worse when it trembles.
    trembling = wanted.clone()
    trembling[0, ::2, JAW] += 0.1
    trembling[0, 1::2, JAW] -= 0.1
    assert loss(trembling) > 1.1 * loss(shapes(jawOpen=0.6, mouthPucker=0.2))
    # Frames that were not seen, whatever they hold, count for nothing.
    half_seen = torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    hidden = wanted.clone()
    hidden[0, 2:] = 1.0
    assert loss(hidden, weight=half_seen) == 0
    assert loss(shapes(), weight=0 * half_seen) == 0
    # An emotion may open lips that speak, but not those that shut.
    astonished = shapes(jawOpen=0.2, browInnerUp=0.5)
    said_shut, said_open = (curve_loss(astonished, astonished, all_seen, scale, lips, s) for s in (shapes(), wanted))
    assert said_shut > 1 > 0.01 > said_open


def validate_with(folder: Path, shards: Path) -> dict[str, float]:
    """The figures of a talker whose jaw is as wide open as its first feature says."""
    hearing = write_hearing(folder / "hearing")
    speech = stage.load_speech(hearing)
    talker = Talker(replace(TALKER, feature_dropout=0.0))
    torch.manual_seed(0)
    torch.nn.init.normal_(talker.output.weight, std=0.05)
    save_checkpoint(folder / "mine", speech, talker)
    return validate(folder / "mine", ShardStream([shards], StreamOptions("validation", seconds=60.0, held=0), rank=0))


def test_validation_tells_of_every_set_how_the_lips_follow(shards, tmp_path):
    figures = validate_with(tmp_path, shards)
    assert list(figures) == ["emotional-gap little", "gap little", "width little"]
    assert all(-1 <= value <= 1 for value in figures.values())


def test_the_command_trains_and_says_what_is_missing(little, tmp_path, capsys, monkeypatch):
    ((folder,), hearing) = little[0].shards, little[1]
    arguments = ["train", "talker", "--shards", str(tmp_path), "-o", str(tmp_path / "out")]
    assert cli.main([*arguments, "--encoder", str(hearing)]) == 2
    assert "holds no manifest.jsonl; is it a folder that `talker prepare` has finished?" in capsys.readouterr().err
    arguments[3] = str(folder)
    assert cli.main([*arguments, "--encoder", str(tmp_path / "nothing")]) == 2
    assert "no speech encoder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()

    def remember(*given, **options):
        remembered.append((given, options))

    remembered: list = []
    monkeypatch.setattr(stage, "train_talker", remember)
    more = ["--steps", "7", "--learning-rate", "0.01", "--seed", "3", "--bfloat16", "--shippable", "--resume"]
    more += ["--weights", "little=0.5", "--no-exchange", "--styles", "--prior", str(tmp_path)]
    assert cli.main([*arguments[:4], str(folder), *arguments[4:], *more]) == 0
    ((given, options),) = remembered
    lessons = Lessons((folder, folder), {"little": 0.5}, shippable=True, exchange=False, styles=True)
    assert given == (lessons, tmp_path / "out", LoopOptions(7, 0.01, 3, bfloat16=True), "default")
    assert options["prior"] == tmp_path and options["resume"]
    assert cli.main([*arguments, "--weights", "little=much"]) == 2
    assert "--weights little=much: write the name of a set and a number" in capsys.readouterr().err
