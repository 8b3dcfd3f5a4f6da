"""Where the files shipped with talker lie: rig tables, the default head, the default weights."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def rigs_dir() -> Path:
    """The folder `rigs/`, in a checkout and in an installed wheel alike."""
    return _data_dir("rigs")


def checkpoints_dir() -> Path:
    """The folder `checkpoints/`, in a checkout and in an installed wheel alike."""
    return _data_dir("checkpoints")


def _data_dir(name: str) -> Path:
    installed = _PACKAGE / "_data" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name
