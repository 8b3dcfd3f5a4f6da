"""Scene formats hold no sound; they name the file that should lie beside them."""

from pathlib import Path

from talker.audio import Audio, read_audio


def sound_name(path: Path) -> str:
    """The name for the sound of the scene file `path`."""
    return path.with_suffix(".wav").name


def sound_beside(path: Path, name: object) -> Audio | None:
    """The sound that the scene file `path` names, when it lies beside it."""
    if not isinstance(name, str) or Path(name).name != name or not name.isprintable():
        return None
    sound = path.parent / name
    return read_audio(sound) if sound.is_file() else None
