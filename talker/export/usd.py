"""OpenUSD (`.usd`, `.usdc`, `.usda`, `.usdz`) through UsdSkel: blend shapes, a skeleton, one animation.

Needs the extra `usd`. What a file holds is told in `talker.export.usd_stage`; read is any file that animates blend
shapes with ARKit's names.
"""

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from talker.animation import FaceAnimation
from talker.errors import TalkerError
from talker.export.registry import ExportOptions

if TYPE_CHECKING:
    from talker.export.usd_worker import UsdWorker

CUSTOM_DATA = "talker"
"""Where the layer holds what USD has no place for."""

_EXTENSIONS = (".usd", ".usda", ".usdc", ".usdz")


def write(animation: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Write text for `.usda`, a package for `.usdz`, else binary."""
    _require_usd()
    from talker.export.usd_stage import save_stage
    from talker.rigs.user_mesh import load_head

    save_stage(animation, load_head(options.head), path)


def read(path: Path, options: ExportOptions) -> FaceAnimation:
    """Read the performance in a USD file."""
    _require_usd()
    if path.suffix.lower() not in _EXTENSIONS:
        raise TalkerError(f"{path}: USD goes by the extension; rename the file to end in {', '.join(_EXTENSIONS)}")
    return _worker().read(path, options)


@lru_cache(maxsize=1)
def _worker() -> "UsdWorker":
    from talker.export.usd_worker import UsdWorker

    return UsdWorker()


def _require_usd() -> None:
    if importlib.util.find_spec("pxr") is None:
        raise TalkerError("USD needs the extra 'usd': pip install 'talker[usd]'")
