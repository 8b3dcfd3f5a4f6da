"""Takes in Live Link Face's format for tests: written, and spoilt on purpose."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from talker.animation import FaceAnimation
from talker.export import livelink
from talker.export.registry import DEFAULT_OPTIONS, ExportOptions
from talker.rigs import arkit

SAMPLE = Path(__file__).parents[1] / "data/livelink_iphone_30fps.csv"
TAKES = Path(__file__).parents[3] / "shared/data/livelink_takes"
TAKE_NAMES = ("S07-001", "S88-001", "alex_rom_3", "alex_rom_4", "apfel", "facial")
DEGREES = ExportOptions(angle_unit="degrees")


def take(frames: int = 90, fps: float = 60.0) -> FaceAnimation:
    """Every channel differs from every other, left from right above all."""
    random = np.random.default_rng(7)
    curves = random.uniform(0, 1, (frames, arkit.CHANNEL_COUNT)).astype(np.float32)
    curves[:, arkit.SHAPE_COUNT :] -= 0.5
    return FaceAnimation(curves, fps)


def written(animation: FaceAnimation, path: Path, options: ExportOptions = DEFAULT_OPTIONS) -> list[str]:
    livelink.write(animation, path, options)
    return path.read_text().splitlines()


def rewritten(tmp_path: Path, change: Callable[[list[str]], None], animation: FaceAnimation | None = None) -> Path:
    """A written take whose lines `change` has edited in place."""
    path = tmp_path / "take.csv"
    lines = written(take() if animation is None else animation, path)
    change(lines)
    path.write_text("\n".join(lines) + "\n")
    return path


def cell(lines: list[str], line: int, column: str, value: str) -> None:
    """Overwrite one cell; `line` counts from 1 with the header."""
    cells = lines[line - 1].split(",")
    cells[lines[0].split(",").index(column)] = value
    lines[line - 1] = ",".join(cells)
