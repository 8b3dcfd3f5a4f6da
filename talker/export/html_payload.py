"""What the HTML preview carries: heads, curves and waveforms as small integers in one compressed block.

The page's `data.js` undoes what is done here. Everything is rounded to steps far below what can be seen (the vertices
that the page computes stay within 0.05 mm of `HeadMesh.vertices`), and whatever runs smoothly in time or over the
mesh is stored as differences, which compress well.
"""

import base64
import zlib
from typing import Any

import numpy as np

from talker.animation import FaceAnimation
from talker.audio import Audio
from talker.rigs import arkit
from talker.rigs.head_mesh import PARTS, HeadMesh
from talker.rigs.head_paint import millimetre, paint_head

SHAPE_STEPS = 8191
"""Steps from weight 0 to 1: half a step moves the jaw by 0.002 mm."""

ANGLE_STEPS = 32767
"""Steps from 0 to pi: half a step turns the tip of the nose by 0.01 mm."""

PEAKS_PER_SECOND = 200
_DELTA_STEPS = 32767
_POSITION_STEPS = 65535


class Block:
    """Arrays one after the other; the page finds them by name through `directory`."""

    def __init__(self) -> None:
        self.directory: dict[str, dict[str, Any]] = {}
        self._chunks: list[bytes] = []
        self._size = 0

    def add(self, name: str, values: np.ndarray) -> str:
        """Append an array, aligned to four bytes; returns its name."""
        data = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
        self.directory[name] = {"type": values.dtype.name, "offset": self._size, "length": int(values.size)}
        self._chunks += [data, bytes(-len(data) % 4)]
        self._size += len(data) + len(self._chunks[-1])
        return name

    def base64(self) -> str:
        """The arrays, compressed (zlib) and fit to stand in a text file."""
        return base64.b64encode(zlib.compress(b"".join(self._chunks), 9)).decode("ascii")


def pack_head(head: HeadMesh, block: Block) -> dict[str, Any]:
    """Add the head's arrays to `block`; returns the numbers that go with them."""
    neutral = head.neutral.cpu().numpy()
    origin, extent = neutral.min(axis=0), float(np.ptp(neutral, axis=0).max()) or 1.0
    block.add("neutral", np.rint((neutral - origin) / extent * _POSITION_STEPS).astype(np.uint16))
    scales = _pack_deltas(head.deltas.cpu().numpy(), block)
    block.add("faces", _differences(_faces_by_part(head).ravel().astype(np.int64), np.uint32))
    block.add("headWeight", np.rint(head.head_weight.cpu().numpy() * _POSITION_STEPS).astype(np.uint16))
    block.add("part", head.part_of_vertex.cpu().numpy().astype(np.uint8))
    paint = paint_head(head)
    block.add("paint", paint.layers)
    return {
        "vertexCount": head.vertex_count,
        "parts": list(PARTS),
        "origin": _numbers(origin),
        "step": extent / _POSITION_STEPS,
        "deltaSteps": _numbers(scales / _DELTA_STEPS),
        "eyeCentres": [_numbers(centre) for centre in head.eye_centres.cpu().numpy()],
        "irisRadius": float(head.iris_radius),
        "pivot": _numbers(head.head_pivot.cpu().numpy()),
        "frame": paint.frame,
        "millimetre": millimetre(head),
    }


def pack_curves(animation: FaceAnimation, name: str, block: Block) -> str:
    """Add (61, T) curves: steps, differences in time, low bytes before high bytes."""
    steps = np.where(np.arange(arkit.CHANNEL_COUNT) < arkit.SHAPE_COUNT, SHAPE_STEPS, ANGLE_STEPS / np.pi)
    values = np.rint(animation.curves.T * steps[:, None].astype(np.float32)).astype(np.int16)
    changes = np.diff(values, axis=1, prepend=np.int16(0))  # May wrap around, and does so again when summed.
    folded = ((changes.astype(np.int32) << 1) ^ (changes >> 15)).astype(np.uint16)  # Small changes, small numbers.
    return block.add(name, np.concatenate([folded & 255, folded >> 8]).astype(np.uint8))


def pack_peaks(audio: Audio, name: str, block: Block) -> str:
    """Add the sound's largest magnitude in each 1/200 s, 0..255 of the loudest."""
    per_peak = audio.sample_rate / PEAKS_PER_SECOND
    starts = np.rint(np.arange(np.ceil(len(audio.samples) / per_peak)) * per_peak).astype(int)
    peaks = np.maximum(np.maximum.reduceat(audio.samples, starts), -np.minimum.reduceat(audio.samples, starts))
    return block.add(name, np.rint(peaks / max(float(peaks.max()), 1e-4) * 255).astype(np.uint8))


def _pack_deltas(deltas: np.ndarray, block: Block) -> np.ndarray:
    """Add the shapes' moving vertices; returns each shape's largest movement in metres, (52,)."""
    scales = np.maximum(np.abs(deltas).max(axis=(1, 2)), 1e-9)
    steps = np.rint(deltas / scales[:, None, None] * _DELTA_STEPS).astype(np.int16)
    shape, vertex = np.nonzero(steps.any(axis=2))
    block.add("deltaCounts", np.bincount(shape, minlength=len(deltas)).astype(np.uint32))
    block.add("deltaVertices", _differences(vertex, np.uint32))
    block.add("deltaValues", steps[shape, vertex].T)
    return scales


def _faces_by_part(head: HeadMesh) -> np.ndarray:
    """(F, 3) faces, part after part: the page draws ranges of them."""
    faces = head.faces.cpu().numpy()
    return faces[np.argsort(head.part_of_vertex.cpu().numpy()[faces[:, 0]], kind="stable")]


def _differences(values: np.ndarray, dtype: type) -> np.ndarray:
    """First differences, folded so that small ones of either sign are small: 0, -1, 1, -2 -> 0, 1, 2, 3."""
    changes = np.diff(values, prepend=0)
    return ((changes << 1) ^ (changes >> 63)).astype(dtype)


def _numbers(values: np.ndarray) -> list[float]:
    return [float(value) for value in values]
