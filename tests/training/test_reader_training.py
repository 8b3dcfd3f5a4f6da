"""`talker train readers` on made-up faces, and what it draws for them."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from little_talking import HEARING, write_shards

from talker import cli
from talker.animation import FaceAnimation
from talker.emotion import EMOTIONS
from talker.evaluation.lip_reading import read_phones, see_emotion
from talker.models.readers import load_readers
from talker.models.speech import Speech
from talker.models.speech_encoder import SpeechEncoder
from talker.phones import PHONES, index
from talker.render.crops import mouth_crop
from talker.rigs import arkit
from talker.training import readers as stage
from talker.training.loop import LoopOptions
from talker.training.reader_pictures import Shots, batch_of, through_other_cameras
from talker.training.reader_scenes import FOR_TRAINING, PLAIN, PLAYED, face_scenes, lip_scenes, performed_scenes
from talker.training.reader_takes import FaceTake, filmed_takes, held_still
from talker.training.readers import ReaderData, train_readers
from talker.training.speech_corpus import UNKNOWN

JAW = arkit.INDEX["jawOpen"]


def take(random: np.random.Generator, emotion: str | None = "neutral", frames: int = 100) -> FaceTake:
    """Lips that are shut for "m" and open for "a", in turn; smiling when happy."""
    curves = np.zeros((frames, arkit.CHANNEL_COUNT), np.float32)
    opened = np.sin(np.arange(frames) / random.uniform(4.0, 6.0) + random.uniform(0, 6)) > 0
    curves[:, JAW] = 0.5 * opened
    if emotion == "happy":
        curves[:, [arkit.INDEX["mouthSmileLeft"], arkit.INDEX["mouthSmileRight"]]] = 0.8
    return FaceTake("little", "somebody", curves, np.where(opened, index("a"), index("m")), emotion)


def takes(seed: int) -> list[FaceTake]:
    random = np.random.default_rng(seed)
    return [take(random, emotion) for emotion in ("neutral", "neutral", "happy")]


class LittleData(ReaderData):
    def takes(self, split: str) -> list[FaceTake]:
        return takes(0 if split == "train" else 1)


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> LittleData:
    for name, value in (("LIP_BATCH", 2), ("LIP_FRAMES", 16), ("FACE_BATCH", 4), ("FACE_FRAMES", 5)):
        monkeypatch.setattr(stage, name, value)
    monkeypatch.setattr(stage, "PLAYED_CLIPS", 16)
    return LittleData([])


def test_every_emotion_is_played_and_acted_takes_keep_their_name() -> None:
    scenes = list(face_scenes(takes(0), 16, FOR_TRAINING))
    played = [scene for scene in scenes if scene.set == PLAYED]
    assert sorted(scene.emotion for scene in played) == sorted(2 * list(range(8)))
    assert all((scene.intensity > 0) == (scene.emotion > 0) for scene in played)
    assert {scene.emotion for scene in scenes if scene.set == "little"} == {EMOTIONS.index("happy")}


def test_performances_at_a_third_lie_between_neutral_and_full() -> None:
    full, third = (list(performed_scenes(takes(0) * 4, share)) for share in (1.0, 1 / 3))
    away = [np.abs(scene.curves - third[0].curves * 0).mean() for scene in (third[1], full[1])]
    assert third[1].emotion == full[1].emotion == 1 and away[0] < away[1]


def test_filmed_takes_come_with_the_phones_that_are_heard(tmp_path: Path) -> None:
    shards = [write_shards(tmp_path / "shards")]
    speech = Speech(SpeechEncoder.from_config(HEARING), PHONES).eval()
    filmed = list(filmed_takes(shards, "train", speech, None, True, limit=3))
    assert len(filmed) == 3
    for one in filmed:
        assert one.curves.shape == (150, arkit.CHANNEL_COUNT) and one.phones.shape == (150,)
        assert one.curves[:, JAW].max() > 0.3 and (one.phones != UNKNOWN).all()


def test_a_closure_keeps_its_phone_when_frames_are_dropped() -> None:
    (scene,) = lip_scenes([take(np.random.default_rng(0))], PLAIN)
    shut = scene.phones == index("m")
    assert scene.curves[shut, JAW].mean() < 0.15 < 0.35 < scene.curves[~shut, JAW].mean()


def test_pictures_are_drawn_once_and_drawn_again_for_other_scenes(tmp_path: Path) -> None:
    scenes = list(lip_scenes(takes(0)[:1], PLAIN))
    shots = Shots.drawn(scenes, mouth_crop(), tmp_path / "some", PLAIN)
    assert shots.pictures.shape == (50, 48, 48) and len(shots) == 1
    changed = (tmp_path / "some.npy").stat().st_mtime_ns
    again = Shots.drawn(scenes, mouth_crop(), tmp_path / "some", PLAIN)
    assert (tmp_path / "some.npy").stat().st_mtime_ns == changed
    assert np.array_equal(again.pictures, shots.pictures)
    other = Shots.drawn(lip_scenes(takes(1)[:1], PLAIN), mouth_crop(), tmp_path / "some", PLAIN)
    assert not np.array_equal(other.pictures, again.pictures)


def test_batches_are_padded_and_unknown_beyond_the_end(tmp_path: Path) -> None:
    shots = Shots.drawn(lip_scenes(takes(0)[:1], PLAIN), mouth_crop(), tmp_path / "some", PLAIN)
    pictures, phones, lengths = batch_of([shots.sequence(0), shots.sequence(0, 10, 20)])
    assert pictures.shape == (2, 50, 48, 48) and lengths.tolist() == [50, 20]
    assert (phones[1, 20:] == UNKNOWN).all() and pictures.min() >= 0 and pictures.max() <= 1


def test_other_cameras_depend_on_the_generator_alone() -> None:
    clips = torch.rand(3, 4, 48, 48, generator=torch.Generator().manual_seed(0))
    one, two = (through_other_cameras(clips, np.random.default_rng(5)) for _ in range(2))
    assert torch.equal(one, two) and not torch.allclose(one, clips, atol=0.05)


def test_the_head_is_held_still() -> None:
    turned = np.full((4, arkit.CHANNEL_COUNT), 0.2, np.float32)
    still = held_still(turned)
    assert (still[:, arkit.HEAD] == 0).all() and (still[:, JAW] == turned[:, JAW]).all()


@pytest.mark.train
@pytest.mark.slow
def test_readers_learn_to_see_smiles_and_shut_lips(little: LittleData, tmp_path: Path) -> None:
    said: list[str] = []
    options = LoopOptions(120, 3e-3, average=0.9)
    losses = train_readers(little, tmp_path / "mine", options, cache=tmp_path / "cache", say=said.append)
    assert np.mean(losses[-10:]) < 0.75 * np.mean(losses[:10])
    with (tmp_path / "mine" / "history.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert float(row["frame error little"]) < 0.35
    readers = load_readers(tmp_path / "mine")
    shown = FaceAnimation(take(np.random.default_rng(3)).curves, 50.0)
    assert set(read_phones(readers, shown)) <= {"m", "a"}
    assert see_emotion(readers, shown)[0].sum() == pytest.approx(1.0, abs=1e-4)


@pytest.mark.train
@pytest.mark.slow
def test_resuming_repeats_an_undisturbed_run(little: LittleData, tmp_path: Path) -> None:
    whole = train_readers(little, tmp_path / "whole", LoopOptions(6), cache=tmp_path / "cache", say=lambda _: None)
    broken = LoopOptions(6, checkpoint_seconds=0.0)
    with pytest.raises(KeyboardInterrupt):
        train_readers(little, tmp_path / "part", broken, cache=tmp_path / "cache", say=_interrupt_after(3))
    rest = train_readers(
        little, tmp_path / "part", LoopOptions(6), cache=tmp_path / "cache", resume=True, say=lambda _: None
    )
    assert rest == pytest.approx(whole[-len(rest) :], rel=1e-3)


def _interrupt_after(checkpoints: int):  # type: ignore[no-untyped-def]
    told: list[str] = []

    def say(text: str) -> None:
        told.append(text)
        if sum(line.startswith("step") for line in told) == checkpoints:
            raise KeyboardInterrupt

    return say


def test_the_command_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "readers", "--shards", str(tmp_path), "-o", str(tmp_path / "out")]) == 2
    assert "manifest.jsonl" in capsys.readouterr().err
