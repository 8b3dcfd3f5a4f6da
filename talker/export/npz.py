"""talker's own file: a numpy archive that keeps everything and never holds a pickle.

Arrays: `format` ("talker 1"), `channels` (61 names), `curves` float32 (T, 61), `fps`, `meta` (JSON text) and, when
there is sound, `audio` float32 (N,) and `sample_rate`; the layers that `talker edit` works on as `layer_...`.
"""

import json
from pathlib import Path

import numpy as np

from talker.animation import FaceAnimation, plain_meta
from talker.audio import Audio
from talker.errors import TalkerError
from talker.export.registry import ExportOptions
from talker.files import read_arrays
from talker.rigs import arkit

MAGIC = "talker 1"
_LAYER = "layer_"


def write(animation: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Write the animation without loss."""
    arrays = {
        "format": np.array(MAGIC),
        "channels": np.array(arkit.CHANNELS),
        "curves": animation.curves,
        "fps": np.array(animation.fps),
        "meta": np.array(json.dumps(plain_meta(animation.meta), ensure_ascii=False)),
    }
    if animation.audio is not None:
        arrays |= {"audio": animation.audio.samples, "sample_rate": np.array(animation.audio.sample_rate)}
    arrays |= {f"{_LAYER}{name}": values for name, values in animation.layers.items()}
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def recognises(head: bytes) -> bool:
    """Whether the archive lists talker's own arrays."""
    return b"channels.npy" in head or b"format.npy" in head


def read(path: Path, options: ExportOptions) -> FaceAnimation:
    """Read what `write` wrote; channels are matched by name."""
    arrays = read_arrays(path, required=("channels", "curves", "fps"))
    names = [str(name) for name in arrays["channels"].ravel()]
    curves = arrays["curves"]
    if curves.ndim != 2 or curves.shape[1] != len(names):
        raise TalkerError(f"{path}: curves have shape {curves.shape} but {len(names)} channels are named")
    missing = [name for name in arkit.CHANNELS if name not in names]
    if missing:
        raise TalkerError(f"{path}: the channel {missing[0]} is missing ({len(missing)} in all)")
    try:
        audio = Audio(arrays["audio"], int(arrays["sample_rate"])) if "audio" in arrays else None
        meta = json.loads(str(arrays["meta"])) if "meta" in arrays else {}
        ordered = curves[:, [names.index(name) for name in arkit.CHANNELS]]
        layers = {name.removeprefix(_LAYER): values for name, values in arrays.items() if name.startswith(_LAYER)}
        return FaceAnimation(ordered, float(arrays["fps"]), audio, meta, layers)
    except TalkerError as error:
        raise TalkerError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise TalkerError(f"{path}: damaged talker file ({error}); write it again") from error
