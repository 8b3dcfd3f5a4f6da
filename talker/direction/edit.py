"""`talker.edit`: direct a finished take anew. Its layers stay, so whatever is changed can be changed back."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, get_args, get_type_hints

from talker.animation import FaceAnimation
from talker.direction.direct import Direction, direct
from talker.direction.performance import AUTO, Performance
from talker.direction.timeline import EmotionTimeline, parse_time
from talker.errors import TalkerError, no_such

_Path = tuple[str, ...]
_SHORT_NAMES = {"emotion.strength": ("intensity",), "au": ("action_units",), "timing.shift": ("shift",)}
_SWITCH = {"on": 1.0, "yes": 1.0, "true": 1.0, "off": 0.0, "no": 0.0, "false": 0.0}


def edit(take: FaceAnimation, changes: Mapping[str, Any], fps: float | None = None) -> FaceAnimation:
    """The take with some settings changed, without any network.

    >>> edit(take, {"blinks": "off", "emotion.strength": 0.5, "mouth.smooth": 0.1})  # doctest: +SKIP

    Args:
        take: What `animate` or `edit` made, perhaps read from an `.npz`.
        changes: Value, or its text, by the name of a setting: those of `Direction`, see `talker edit --help`.
        fps: Frames per second of the result; those of the take when None.

    Returns:
        A take that can be edited as well. No changes give the same curves.
    """
    performance = Performance.of_layers(take.layers)
    audio = take.audio
    if audio is None:
        raise TalkerError("the take has lost its sound, which its blinks and its head follow; animate again")
    direction = Direction.from_json(take.meta.get("direction", {}))
    performed = Direction.from_json(take.meta.get("performed", {}))
    return direct(performance, changed_by(direction, changes), performed, audio, fps or take.fps, dict(take.meta))


def changed_by(direction: Direction, changes: Mapping[str, Any]) -> Direction:
    """The direction with settings changed one after the other."""
    for name, value in changes.items():
        direction = changed(direction, name, value)
    return direction


def changed(direction: Direction, name: str, value: Any) -> Direction:
    """The direction with one setting, by its name, set to a value or its text."""
    return _with(direction, require_setting(name), lambda old: _converted(name, value, old))


def require_setting(name: str) -> _Path:
    """Where a setting lies in a `Direction`; an unknown name is an error that lists them all."""
    paths = _paths()
    path = paths.get(name.strip().lower().replace("-", "_"))
    if path is None:
        raise no_such("setting", name, sorted(paths))
    return path


def parse_changes(texts: tuple[str, ...]) -> dict[str, str]:
    """`name=value` texts as changes, in their order."""
    changes = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise TalkerError(f"'{text}' sets nothing; write name=value, as in blinks=off or emotion.strength=0.5")
        changes[name.strip()] = value.strip()
    return changes


def _paths() -> dict[str, _Path]:
    """Setting -> where it lies in a `Direction`: `mouth` is the strength of that region, `mouth.smooth` its smoothness.

    What lies in `regions` and `finishing` needs no prefix.
    """
    paths: dict[str, _Path] = dict(_SHORT_NAMES)
    for name, value in _fields_of(Direction()):
        if not is_dataclass(value):
            paths[name] = (name,)
            continue
        for inner, setting in _fields_of(value):
            if is_dataclass(setting):
                paths |= {f"{inner}.{part}": (name, inner, part) for part, _ in _fields_of(setting)}
                paths[inner] = (name, inner, "strength")
            else:
                paths[inner] = (name, inner)
    paths["head.smooth"] = paths.pop("head_smooth")
    return paths


def _fields_of(value: Any) -> list[tuple[str, Any]]:
    return [(each.name, getattr(value, each.name)) for each in fields(value)]


def _with(value: Any, path: _Path, change: Callable[[Any], Any]) -> Any:
    """The frozen `value` with what lies at `path` changed."""
    name, *rest = path
    old = getattr(value, name)
    new = _with(old, tuple(rest), change) if rest else change(old)
    choices = get_args(get_type_hints(type(value))[name])
    if isinstance(old, str) and choices and new not in choices:
        raise TalkerError(f"{name}={new}: choose {' or '.join(choices)}")
    return replace(value, **{name: new})


def _converted(name: str, value: Any, old: Any) -> Any:
    """A value in the type of the one it replaces."""
    if name == "emotion":
        return value if value == AUTO else EmotionTimeline.of(value).text
    text = str(value).strip()
    try:
        if isinstance(old, bool):
            return bool(_SWITCH.get(text.lower(), value))
        if isinstance(old, float):
            return float(_SWITCH.get(text.lower(), text))
        if isinstance(old, int):
            return int(text)
        if isinstance(old, tuple):
            return tuple(parse_time(word, f"{name}={value}") for word in text.strip("()[]").replace(",", " ").split())
    except ValueError as error:
        kind = "whole number" if isinstance(old, int) else "number"
        hint = ", on or off" if isinstance(old, float) else ""
        raise TalkerError(f"{name}={value}: '{value}' is no {kind}{hint}") from error
    return text
