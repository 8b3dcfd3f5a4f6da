"""The part of Unreal's Python module that talker's scripts use, recording what is keyed instead of keying it.

Names, arguments and defaults are those of the real module; `test_unreal.py` compares them with its stub. `FakeUnreal()`
makes a fresh module: an editor with the assets in `assets` (path -> object) and perhaps an open Level Sequence.
"""

from types import ModuleType
from typing import Any


class Properties:
    """What all Unreal objects can do."""

    def __init__(self, **properties: Any) -> None:
        self.properties = properties

    def set_editor_property(self, name: str, value: Any) -> None:
        self.properties[name] = value

    def get_editor_property(self, name: str) -> Any:
        return self.properties[name]


class Skeleton(Properties):
    pass


class AnimSequenceFactory(Properties):
    pass


class FrameRate:
    def __init__(self, numerator: int = 0, denominator: int = 1) -> None:
        self.numerator, self.denominator = numerator, denominator


class FrameNumber:
    def __init__(self, value: int = 0) -> None:
        assert isinstance(value, int)
        self.value = value


class Vector2D:
    def __init__(self, x: float = 0.0, y: float = 0.0) -> None:
        self.x, self.y = x, y


class ScopedEditorTransaction:
    def __init__(self, desc: str) -> None:
        self.desc = desc

    def __enter__(self) -> "ScopedEditorTransaction":
        return self

    def __exit__(self, type: Any, value: Any, traceback: Any) -> None:
        return None


class AnimationDataController:
    def __init__(self) -> None:
        self.open_brackets = 0
        self.rate: tuple[int, int] | None = None
        self.frames = 0

    def open_bracket(self, title: str, should_transact: bool = True) -> None:
        self.open_brackets += 1

    def close_bracket(self, should_transact: bool = True) -> None:
        self.open_brackets -= 1

    def set_frame_rate(self, frame_rate: FrameRate, should_transact: bool = True) -> None:
        assert self.open_brackets == 1
        self.rate = (frame_rate.numerator, frame_rate.denominator)

    def set_number_of_frames(self, new_length_in_frames: FrameNumber, should_transact: bool = True) -> None:
        assert self.open_brackets == 1
        assert new_length_in_frames.value > 0  # As in the engine.
        self.frames = new_length_in_frames.value


class AnimSequence(Properties):
    def __init__(self, path: str, skeleton: Skeleton) -> None:
        super().__init__(skeleton=skeleton)
        self.path = path
        self.controller = AnimationDataController()
        self.curves: dict[str, list[tuple[float, float]]] = {}

    def get_path_name(self) -> str:
        return self.path


class AnimationLibrary:
    @classmethod
    def remove_all_curve_data(cls, animation_sequence_base: AnimSequence) -> None:
        animation_sequence_base.curves.clear()

    @classmethod
    def add_curve(
        cls,
        animation_sequence_base: AnimSequence,
        curve_name: str,
        curve_type: Any = None,
        meta_data_curve: bool = False,
    ) -> None:
        assert curve_name not in animation_sequence_base.curves
        animation_sequence_base.curves[curve_name] = []

    @classmethod
    def add_float_curve_keys(
        cls, animation_sequence_base: AnimSequence, curve_name: str, times: list[float], values: list[float]
    ) -> None:
        """The engine stops at two keys on one frame."""
        assert all(isinstance(number, float) for number in (*times, *values))
        assert len(times) == len(values)
        numerator, denominator = animation_sequence_base.controller.rate
        frames = [time * numerator / denominator for time in times]
        assert all(abs(frame - round(frame)) < 1e-6 for frame in frames)
        assert len({round(frame) for frame in frames}) == len(frames)
        assert max(frames) <= animation_sequence_base.controller.frames
        animation_sequence_base.curves[curve_name] += zip(times, values, strict=True)


class ControlRig:
    def __init__(self, name: str) -> None:
        self.name = name
        self.keys: dict[str, list[tuple[int, Any]]] = {}

    def get_name(self) -> str:
        return self.name


class ControlRigSequencerBindingProxy:
    def __init__(self, proxy: Any = None, control_rig: ControlRig | None = None, track: Any = None) -> None:
        self.control_rig = control_rig


class LevelSequence:
    def __init__(self, rate: FrameRate, start: int, end: int, rigs: list[str]) -> None:
        self.rate, self.start, self.end = rate, start, end
        self.rigs = [ControlRig(name) for name in rigs]

    def get_display_rate(self) -> FrameRate:
        return self.rate

    def get_playback_start(self) -> int:
        return self.start

    def get_playback_end(self) -> int:
        return self.end

    def set_playback_end(self, end_frame: int) -> None:
        self.end = end_frame


class ControlRigSequencerLibrary:
    @classmethod
    def get_control_rigs(cls, level_sequence: LevelSequence) -> list[ControlRigSequencerBindingProxy]:
        return [ControlRigSequencerBindingProxy(control_rig=rig) for rig in level_sequence.rigs]

    @classmethod
    def set_local_control_rig_floats(
        cls,
        level_sequence: LevelSequence,
        control_rig: ControlRig,
        control_name: str,
        frames: list[FrameNumber],
        values: list[float],
        time_unit: Any = None,
    ) -> None:
        assert all(isinstance(value, float) for value in values)
        _key(control_rig, control_name, frames, values)

    @classmethod
    def set_local_control_rig_vector2_ds(
        cls,
        level_sequence: LevelSequence,
        control_rig: ControlRig,
        control_name: str,
        frames: list[FrameNumber],
        values: list[Vector2D],
        time_unit: Any = None,
    ) -> None:
        _key(control_rig, control_name, frames, [(value.x, value.y) for value in values])


def _key(rig: ControlRig, name: str, frames: list[FrameNumber], values: list[Any]) -> None:
    numbers = [frame.value for frame in frames]
    assert name not in rig.keys
    assert len(set(numbers)) == len(numbers) == len(values)
    rig.keys[name] = list(zip(numbers, values, strict=True))


class AssetImportTask(Properties):
    pass


class LiveLinkFaceImporterFactory:
    """Of a plugin, so not in the stub."""


class FakeUnreal(ModuleType):
    """The module, and the editor behind it."""

    def __init__(self, assets: dict[str, Any], level_sequence: LevelSequence | None = None) -> None:
        super().__init__("unreal")
        self.messages: list[str] = []
        self.log = self.log_warning = self.messages.append
        for value in list(globals().values()):
            if isinstance(value, type) and value.__module__ == __name__:
                setattr(self, value.__name__, value)
        self.EditorAssetLibrary = _asset_library(assets)
        self.AssetTools = _asset_tools(assets)
        self.AssetToolsHelpers = _asset_tools_helpers(self.AssetTools())
        self.LevelSequenceEditorBlueprintLibrary = _sequence_editor(level_sequence)


def _asset_library(assets: dict[str, Any]) -> type:
    class EditorAssetLibrary:
        @classmethod
        def does_asset_exist(cls, asset_path: str) -> bool:
            return asset_path in assets

        @classmethod
        def load_asset(cls, asset_path: str) -> Any:
            return assets[asset_path]

        @classmethod
        def save_loaded_asset(cls, asset_to_save: Any, only_if_is_dirty: bool = True) -> bool:
            return asset_to_save in assets.values()

    return EditorAssetLibrary


def _asset_tools(assets: dict[str, Any]) -> type:
    class AssetTools:
        def create_asset(
            self, asset_name: str, package_path: str, asset_class: type, factory: Any, calling_context: str = "None"
        ) -> Any:
            path = f"{package_path}/{asset_name}"
            assets[path] = asset_class(path, factory.properties["target_skeleton"])
            return assets[path]

        def import_asset_tasks(self, import_tasks: list[AssetImportTask]) -> None:
            for task in import_tasks:
                path = f"{task.properties['destination_path']}/{task.properties['destination_name']}"
                assets[path] = task
                task.properties["imported_object_paths"] = [path]

    return AssetTools


def _asset_tools_helpers(tools: Any) -> type:
    class AssetToolsHelpers:
        @classmethod
        def get_asset_tools(cls) -> Any:
            return tools

    return AssetToolsHelpers


def _sequence_editor(level_sequence: LevelSequence | None) -> type:
    class LevelSequenceEditorBlueprintLibrary:
        @classmethod
        def get_current_level_sequence(cls) -> LevelSequence | None:
            return level_sequence

        @classmethod
        def refresh_current_level_sequence(cls) -> None:
            return None

    return LevelSequenceEditorBlueprintLibrary
