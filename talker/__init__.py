"""talker: speech in, an emotional talking 3D face out."""

from typing import TYPE_CHECKING, Any

from talker.errors import TalkerError

if TYPE_CHECKING:
    from talker.animation import FaceAnimation
    from talker.audio import Audio
    from talker.direction.animate import animate
    from talker.direction.edit import edit
    from talker.direction.mood import Personality
    from talker.direction.regions import Region, Regions
    from talker.direction.timeline import EmotionKey, EmotionTimeline
    from talker.finishing import FinishingOptions
    from talker.inference import load_model

__version__ = "0.1.0"
__all__ = [
    "Audio",
    "EmotionKey",
    "EmotionTimeline",
    "FaceAnimation",
    "FinishingOptions",
    "Personality",
    "Region",
    "Regions",
    "TalkerError",
    "animate",
    "edit",
    "load_model",
]

_HOME = {
    "Audio": "talker.audio",
    "EmotionKey": "talker.direction.timeline",
    "EmotionTimeline": "talker.direction.timeline",
    "FaceAnimation": "talker.animation",
    "FinishingOptions": "talker.finishing",
    "Personality": "talker.direction.mood",
    "Region": "talker.direction.regions",
    "Regions": "talker.direction.regions",
    "animate": "talker.direction.animate",
    "edit": "talker.direction.edit",
    "load_model": "talker.inference",
}


def __getattr__(name: str) -> Any:
    """Import each public name when it is first used, so that `import talker` costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module 'talker' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(_HOME[name]), name)
