"""TensorBoard, where it is installed: figures of a training run, and the face that it has come to."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from talker.animation import FaceAnimation
from talker.audio import NETWORK_RATE, read_audio
from talker.resources import checkpoints_dir

FOLDER = "tensorboard"

_SPOKEN = "hello.wav"  # Of the examples: what every talker is drawn saying.
_PICTURES, _COLUMNS, _SIZE = 8, 4, 192
_ACTED = "happy"


class Board:
    """Event files in `tensorboard/` of a training's folder; without the package, nothing at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def _writer(self) -> Any:
        """Made when something is written first: of several processes only one does."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return None
        return SummaryWriter(str(self._folder / FOLDER))

    def add(self, step: int, row: dict[str, float]) -> None:
        """Figures called "KIND NAME": a chart for each."""
        if self._writer is None:
            return
        for name, value in row.items():
            kind, _, of = name.rpartition(" ")
            self._writer.add_scalar(f"{kind}/{of}", value, step)
        self._writer.flush()

    def add_face(self, step: int, talker: Path) -> None:
        """What the talker in a folder does with an example, as it was said and happily."""
        from talker.inference import load_model

        sound = checkpoints_dir().parent / "examples" / _SPOKEN
        if self._writer is None or not sound.is_file():
            return
        model = load_model(talker)
        if model.talker.space.to_curves is None:
            return  # FLAME cannot be drawn without somebody's own model of it.
        samples = read_audio(sound).resample(NETWORK_RATE).samples
        for name, strengths in (("neutral", None), (_ACTED, _felt(_ACTED, -(-len(samples) // 320)))):
            sheet = _sheet(model.curves(samples, strengths))
            self._writer.add_image(f"face/{name}", sheet, step, dataformats="HWC")
        self._writer.flush()


def _felt(label: str, frames: int) -> np.ndarray:
    from talker.emotion import EMOTIONS

    strengths = np.zeros((frames, len(EMOTIONS)), np.float32)
    strengths[:, EMOTIONS.index(label)] = 1
    return strengths


def _sheet(curves: np.ndarray) -> np.ndarray:
    """(H, W, 3) some moments of a take, evenly spread."""
    from talker.render.film import Film
    from talker.render.portrait import portrait_of
    from talker.render.stills import sheet

    take = FaceAnimation(curves, 50.0)
    film = Film(take, portrait_of(None), _SIZE)
    frames = np.linspace(0, take.frame_count - 1, _PICTURES + 2).astype(int)[1:-1]
    return sheet([film.frame(int(i)) for i in frames], [f"{i / take.fps:.2f} s" for i in frames], _COLUMNS)
