"""Cuts: where a film goes on with another picture, be it another scene or a pause of the same speaker taken out."""

import numpy as np

_CELLS = 64  # Along the longer side of the picture.
_LOOKS = 2  # At so many pixels of a cell, each way.

# Between two takes of one GRID speaker before one wall the picture changes by 0.005 to 0.03, three times and more as
# much as around that frame; within a take never by more than 0.0036, and 1.7 times as much.
_CHANGE = 0.005  # Mean over the picture, of full white ...
_RATIO = 2.7  # ... and of the usual change within half a second either way ...
_ALONE = 2.0  # ... and of any change in the next few frames: what moves takes longer than a cut, a flash goes again.
_USUAL_FRAMES, _NEXT_FRAMES = 12, 3
_LOCAL_SHARE = 0.08  # Of the picture: less than a hand before the face is no other scene.
_JUMP = 0.6  # Eye distances between two frames that no head moves.
_EYES_OF_FACE = 0.6  # Eye distances in a face's width.


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """Brightness in [0, 1] of a picture (h, w, 3), in at most 64 x 64 cells."""
    size = max(1, max(pixels.shape[:2]) // _CELLS)
    step = max(1, size // _LOOKS)
    grey = pixels[::step, ::step].astype(np.float32).mean(2) / 255
    look = size // step
    rows, columns = (side // look for side in grey.shape)
    return grey[: rows * look, : columns * look].reshape(rows, look, columns, look).mean((1, 3))


def change_between(one: np.ndarray, other: np.ndarray) -> float:
    """Mean difference of two thumbnails, but for the small part of the picture that changed most."""
    if one.shape != other.shape:
        return 1.0
    change = np.sort(np.abs(one - other).ravel())
    return float(change[: max(1, round(len(change) * (1 - _LOCAL_SHARE)))].mean())


def cut_frames(changes: np.ndarray, landmarks: np.ndarray, found: np.ndarray) -> np.ndarray:
    """(T,) bool, the picture as a whole changed at once, or the face jumped.

    Args:
        changes: (T,) how much each picture differs from the one before.
        landmarks: (T, N, 2 or more) pixels of the face that is followed.
        found: (T,) bool, there was one.
    """
    around = np.lib.stride_tricks.sliding_window_view(
        np.pad(changes, _USUAL_FRAMES, mode="edge"), 2 * _USUAL_FRAMES + 1
    )
    usual = np.median(around, axis=1)
    near = np.lib.stride_tricks.sliding_window_view(np.pad(changes, _NEXT_FRAMES), 2 * _NEXT_FRAMES + 1).copy()
    near[:, _NEXT_FRAMES] = 0
    cuts = (changes > _CHANGE) & (changes > _RATIO * usual) & (changes > _ALONE * near.max(1))
    low, high = landmarks[..., :2].min(1), landmarks[..., :2].max(1)
    centre, width = (low + high) / 2, _EYES_OF_FACE * (high - low)[:, 0]
    step = np.linalg.norm(np.diff(centre, axis=0), axis=1) / np.maximum(width[1:], 1.0)
    cuts[1:] |= (step > _JUMP) & found[1:] & found[:-1]
    return cuts
