"""FLAME and MetaHuman spoken natively: trained on generated takes, animated, written as they are."""

from pathlib import Path

import numpy as np
import pytest
import torch
from little_talking import OPENINGS, TALKER, make_batches_little, utterance, write_hearing

from talker import cli
from talker.animation import FaceAnimation
from talker.audio import write_wav
from talker.errors import TalkerError
from talker.export.native import read_native, write_native
from talker.inference import load_model
from talker.models.checkpoint import load_prior
from talker.models.motion_prior import MotionPriorConfig
from talker.models.motion_space import motion_space
from talker.native_take import NativeTake
from talker.rigs import metahuman
from talker.training.loop import LoopOptions
from talker.training.native import NativeLessons
from talker.training.prior import train_prior
from talker.training.talker import train_talker

FLAME_JAW = motion_space("flame").channels.index("jaw_pose_x")
BOARD_JAW = metahuman.CONTROL_INDEX["CTRL_C_jaw.ty"]


def motion_of(curves: np.ndarray, space: str) -> np.ndarray:
    """The made-up talking, as a user's own pipeline would deliver it."""
    if space == "metahuman":
        return metahuman.arkit_to_board(curves)
    motion = np.zeros((len(curves), motion_space("flame").count), np.float32)
    motion[:, FLAME_JAW] = 0.3 * curves[:, 17]
    motion[:, :3] = np.outer(curves[:, 17], [1.5, -0.8, 0.4])
    return motion


def write_takes(folder: Path, space: str, clips: int = 4) -> Path:
    random = np.random.default_rng(0)
    extension = {"flame": ".npz", "metahuman": ".json"}[space]
    for split, count in (("train", clips), ("validation", 1)):
        for speaker, opening in OPENINGS.items():
            (folder / split / speaker).mkdir(parents=True)
            for number in range(count):
                audio, curves = utterance(random, opening)
                place = folder / split / speaker / f"{number}.wav"
                write_wav(audio, place)
                take = NativeTake(motion_space(space), motion_of(curves, space), 25.0)
                write_native(take, place.with_suffix(extension), f"{space}-{extension[1:]}")
                about = f'{{"emotion": "happy", "level": {number % 3 + 1}, "speaker": "{speaker}"}}'
                place.with_suffix(".about.json").write_text(about)
    return folder


@pytest.mark.train
@pytest.mark.slow
@pytest.mark.parametrize(("space", "jaw"), [("flame", FLAME_JAW), ("metahuman", BOARD_JAW)])
@pytest.mark.parametrize("through", ["straight", "prior"])
def test_a_space_is_learnt_and_animated(space, jaw, through, tmp_path, monkeypatch):
    make_batches_little(monkeypatch)
    lessons, hearing = NativeLessons(write_takes(tmp_path / "takes", space), space, styles=True), tmp_path / "hearing"
    write_hearing(hearing)
    prior, mine = None, tmp_path / "mine"
    if through == "prior":
        prior = tmp_path / "prior"
        sizes = MotionPriorConfig(motion_space(space).count, width=32, latent=16, heads=2, dilations=(1,))
        losses = train_prior(lessons, prior, LoopOptions(100, 5e-3, average=0.9), sizes)
        assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:10])
        assert load_prior(prior)[1] == space
    losses = train_talker(lessons, mine, LoopOptions(100, 5e-3, average=0.9), hearing, TALKER, prior)
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:10])

    model = load_model(mine)
    assert model.talker.space.name == space and model.talker.config.emotion.styles == tuple(sorted(OPENINGS))
    audio, curves = utterance(np.random.default_rng(9), OPENINGS["bold"])
    write_wav(audio, tmp_path / "line.wav")
    name = {"flame": "flame-npz", "metahuman": "metahuman-json"}[space]
    out = tmp_path / f"line.{name.split('-')[1]}"
    animate = ["animate", str(tmp_path / "line.wav"), "--model", str(mine), "--fps", "25"]
    assert cli.main([*animate, "-o", str(out), "--format", name, "--emotion", "happy"]) == 0
    spoken = read_native(out, space).motion
    assert np.corrcoef(spoken[:, jaw], motion_of(curves, space)[:, jaw])[0, 1] > 0.6


@pytest.mark.train
@pytest.mark.slow
def test_a_native_board_becomes_any_other_take(tmp_path, monkeypatch):
    make_batches_little(monkeypatch)
    lessons = NativeLessons(write_takes(tmp_path / "takes", "metahuman", clips=1), "metahuman")
    train_talker(lessons, tmp_path / "mine", LoopOptions(40, 5e-3, average=0.9), write_hearing(tmp_path / "h"), TALKER)
    audio, _ = utterance(np.random.default_rng(9), OPENINGS["bold"])
    write_wav(audio, tmp_path / "line.wav")
    animate = ["animate", str(tmp_path / "line.wav"), "--model", str(tmp_path / "mine"), "-o"]
    assert cli.main([*animate, str(tmp_path / "line.csv")]) == 0
    assert FaceAnimation.load(tmp_path / "line.csv").channel("jawOpen").max() > 0.1


@pytest.fixture
def board() -> np.ndarray:
    random = np.random.default_rng(1)
    spread = metahuman.BOARD_HIGH - metahuman.BOARD_LOW
    return (metahuman.BOARD_LOW + spread * random.random((20, len(spread)))).astype(np.float32)


def test_a_board_is_written_as_it_is(board, tmp_path):
    take = NativeTake(motion_space("metahuman"), board, 50.0)
    write_native(take, tmp_path / "a.json", "metahuman-json")
    again = read_native(tmp_path / "a.json", "metahuman")
    assert again.fps == 50
    np.testing.assert_allclose(again.motion, board, atol=1e-5)
    # The way through ARKit's shapes would lose most of it.
    assert np.abs(metahuman.arkit_to_board(metahuman.board_to_arkit(board)) - board).max() > 0.5
    said = write_native(take, tmp_path / "a.csv", rig="metahuman")
    assert said == "metahuman-csv, 20 frames at 50 fps, as the network spoke it"
    lines = dict(line.split(",", 1) for line in (tmp_path / "a.csv").read_text().splitlines())
    curve = metahuman.CURVES[0].name
    expected = metahuman.board_to_curves(board)[:, 0]
    np.testing.assert_allclose(np.array(lines[curve].split(","), float), expected, atol=1e-5)


def test_flame_is_written_as_it_is_and_needs_a_model_for_more(tmp_path):
    motion = np.random.default_rng(0).normal(0, 0.3, (20, motion_space("flame").count)).astype(np.float32)
    take = NativeTake(motion_space("flame"), motion, 50.0)
    write_native(take.resample(25), tmp_path / "a.npz", "flame-npz")
    again = read_native(tmp_path / "a.npz", "flame")
    assert (again.fps, again.motion.shape) == (25, (10, 112))
    np.testing.assert_allclose(again.motion, motion[::2], atol=1e-6)
    with pytest.raises(TalkerError, match="needs your own FLAME model: give its file with --rig-model"):
        write_native(take, tmp_path / "a.csv")


def test_flame_becomes_curves_with_the_users_model(flame_fit, flame_file, fits_kept, monkeypatch, tmp_path):
    from talker.export.native import as_animation
    from talker.export.registry import ExportOptions

    monkeypatch.setenv("TALKER_CACHE", str(fits_kept))
    wide = np.zeros((1, 52), np.float32)
    wide[0, 17] = 0.6
    expression, jaw = flame_fit.poses(wide)
    motion = np.zeros((5, motion_space("flame").count), np.float32)
    motion[:, : expression.shape[1]] = expression
    motion[:, FLAME_JAW : FLAME_JAW + 3] = jaw
    take = as_animation(NativeTake(motion_space("flame"), motion, 50.0), ExportOptions(rig_model=flame_file))
    assert take.channel("jawOpen").min() > 0.4


def test_takes_that_cannot_be_learnt_from_say_why(tmp_path):
    lessons = NativeLessons(tmp_path, "flame")
    with pytest.raises(TalkerError, match=r"holds no sound with flame motion beside it: NAME\.wav and NAME\.npz"):
        lessons.course(0, torch.device("cpu"))
    folder = write_takes(tmp_path / "takes", "flame", clips=1)
    place = folder / "train" / "bold" / "0.about.json"
    place.write_text('{"emotion": "angery"}')
    with pytest.raises(TalkerError, match="did you mean 'angry'"):
        NativeLessons(folder, "flame").course(0, torch.device("cpu"))
    place.write_text('["angry"]')
    with pytest.raises(TalkerError, match="write"):
        NativeLessons(folder, "flame").course(0, torch.device("cpu"))
    (folder / "train" / "bold" / "0.npz").write_bytes(b"PK broken")
    place.unlink()
    with pytest.raises(TalkerError, match=r"0\.npz"):
        NativeLessons(folder, "flame").course(0, torch.device("cpu"))


def test_the_command_wants_one_source(tmp_path, capsys):
    assert cli.main(["train", "talker", "-o", str(tmp_path)]) == 2
    assert "either --shards, or --takes with a --space" in capsys.readouterr().err
    assert cli.main(["train", "prior", "-o", str(tmp_path), "--takes", str(tmp_path), "--space", "flam"]) == 2
