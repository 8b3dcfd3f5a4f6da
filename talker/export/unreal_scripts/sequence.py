"""Put a take onto a MetaHuman face: creates or updates an animation sequence with one float curve per raw control.

Made by talker for Unreal 5 (checked against the Python API of 5.6). Needs the plugin Python Editor Script Plugin.
Run it with Tools > Execute Python Script, or type `py "path/to/this file.py"` into the Output Log, or without a window:
UnrealEditor-Cmd Project.uproject -run=pythonscript -script="path/to/this file.py"

Then drag the animation sequence onto the Face track of the MetaHuman in Sequencer, or let the face's animation
blueprint play it.
"""

import base64
import json
import os
import zlib

import unreal

# What you may want to change.
FOLDER = "/Game/Talker"  # Where the animation sequence goes.
NAME = ""  # Its name; empty: that of this file.
SKELETON = "/Game/MetaHumans/Common/Face/Face_Archetype_Skeleton"  # That of your MetaHuman's face mesh.
HEAD_CONTROL = 0.0  # 1: the MetaHuman's head follows HeadYaw, HeadPitch and HeadRoll.
HEAD_SIGNS = {"HeadYaw": 1.0, "HeadPitch": 1.0, "HeadRoll": 1.0}  # -1 where the head turns the wrong way.


def main() -> None:
    """Create or update the animation sequence."""
    take = json.loads(zlib.decompress(base64.b64decode(DATA)))
    sequence = find_or_create(asset_name(), load_skeleton())
    numerator, denominator = take["rate"]
    controller = sequence.controller
    controller.open_bracket("talker: key the face")
    try:
        unreal.AnimationLibrary.remove_all_curve_data(sequence)
        controller.set_frame_rate(unreal.FrameRate(numerator, denominator))
        controller.set_number_of_frames(unreal.FrameNumber(max(take["frames"] - 1, 1)))
        for name, values in all_curves(take).items():
            if not isinstance(values, list):  # A curve that never changes needs a single key.
                values = [values]
            times = [frame * denominator / numerator for frame in range(len(values))]
            unreal.AnimationLibrary.add_curve(sequence, name)
            unreal.AnimationLibrary.add_float_curve_keys(sequence, name, times, values)
    finally:
        controller.close_bracket()
    path = sequence.get_path_name()
    if not unreal.EditorAssetLibrary.save_loaded_asset(sequence):
        unreal.log_warning(f"talker: {path} is ready but could not be saved; save it by hand")
    seconds = take["frames"] * denominator / numerator
    unreal.log(f"talker: {path} holds {seconds:.2f} s in {len(take['curves'])} curves")


def all_curves(take: dict) -> dict:
    """Raw controls, and the head's angles with the switch that makes a MetaHuman heed them."""
    curves = dict(take["curves"])
    for name, values in take["head"].items():
        sign = HEAD_SIGNS[name]
        curves[name] = [sign * value for value in values] if isinstance(values, list) else sign * values
    curves["HeadControlSwitch"] = HEAD_CONTROL
    return curves


def load_skeleton() -> unreal.Skeleton:
    """The skeleton that the curves are for."""
    skeleton = unreal.EditorAssetLibrary.load_asset(SKELETON) if exists(SKELETON) else None
    if not isinstance(skeleton, unreal.Skeleton):
        raise RuntimeError(
            f"talker: there is no skeleton at {SKELETON}. Add a MetaHuman to the project, or set SKELETON at the top "
            "of this script to the skeleton of your MetaHuman's face mesh (right-click it: Copy Reference)."
        )
    return skeleton


def find_or_create(name: str, skeleton: unreal.Skeleton) -> unreal.AnimSequence:
    """The animation sequence to fill: the one that is there, else a new one."""
    path = f"{FOLDER}/{name}"
    if not exists(path):
        factory = unreal.AnimSequenceFactory()
        factory.set_editor_property("target_skeleton", skeleton)
        tools = unreal.AssetToolsHelpers.get_asset_tools()
        sequence = tools.create_asset(name, FOLDER, unreal.AnimSequence, factory)
        if sequence is None:
            raise RuntimeError(f"talker: cannot create {path}. Set FOLDER and NAME to a place you may write to.")
        return sequence
    sequence = unreal.EditorAssetLibrary.load_asset(path)
    if not isinstance(sequence, unreal.AnimSequence):
        raise RuntimeError(f"talker: {path} exists and is no animation sequence. Set NAME to another name.")
    if sequence.get_editor_property("skeleton") != skeleton:
        raise RuntimeError(f"talker: {path} exists and has another skeleton than {SKELETON}. Set NAME to another name.")
    return sequence


def exists(path: str) -> bool:
    """Whether the content browser has such an asset."""
    return unreal.EditorAssetLibrary.does_asset_exist(path)


def asset_name() -> str:
    """NAME or the name of this file, with what Unreal does not allow in a name replaced."""
    name = NAME or os.path.splitext(os.path.basename(globals().get("__file__", "talker_face.py")))[0]
    return "".join(c if c.isalnum() or c == "_" else "_" for c in name)


# The take as JSON, packed with zlib and base64.
DATA = ""

main()
