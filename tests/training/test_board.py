"""TensorBoard's files of a training run."""

import sys

import pytest
import torch
from little_talking import HEARING, TALKER

from talker.models.checkpoint import save_checkpoint
from talker.models.speech import Speech
from talker.models.speech_encoder import SpeechEncoder
from talker.models.talker import Talker
from talker.training.board import FOLDER, Board


def test_figures_and_faces_are_logged(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    torch.manual_seed(0)
    save_checkpoint(tmp_path, Speech(SpeechEncoder.from_config(HEARING)), Talker(TALKER))
    board = Board(tmp_path)
    board.add(5, {"training loss": 0.5, "gap grid_s1": 0.9})
    board.add_face(5, tmp_path)
    events = EventAccumulator(str(tmp_path / FOLDER))
    events.Reload()
    assert events.Tags()["scalars"] == ["training/loss", "gap/grid_s1"]
    assert events.Scalars("gap/grid_s1")[0].value == pytest.approx(0.9)
    assert events.Tags()["images"] == ["face/neutral", "face/happy"]
    assert events.Images("face/happy")[0].width == 4 * 192


def test_without_the_package_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    board = Board(tmp_path)
    board.add(1, {"training loss": 1.0})
    board.add_face(1, tmp_path)
    assert not list(tmp_path.iterdir())
