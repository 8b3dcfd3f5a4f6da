"""Scene formats hold no sound; they name the file that should lie beside them."""

from pathlib import Path

from talker.audio import Audio, read_audio
from talker.errors import TalkerError


def sound_name(path: Path) -> str:
    """The name for the sound of the scene file `path`."""
    return path.with_suffix(".wav").name


def sound_beside(path: Path, name: object) -> Audio | None:
    """The sound that the scene file `path` names, when it lies beside it and can be read.

    Whatever else lies there under that name is as good as no sound: it does not make the scene unreadable.
    """
    if not isinstance(name, str) or Path(name).name != name or not name.isprintable():
        return None
    sound = path.parent / name
    try:
        return read_audio(sound) if sound.is_file() else None
    except (TalkerError, OSError):  # OSError: a name too long for this disk, a file that may not be read.
        return None
