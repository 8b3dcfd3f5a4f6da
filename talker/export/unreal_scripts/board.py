"""Put a take onto the face control board of a MetaHuman in the Level Sequence that is open in Sequencer.

Made by talker for Unreal 5 (checked against the Python API of 5.6). Needs the plugin Python Editor Script Plugin.
Open the Level Sequence, see that the MetaHuman's Face has its Face_ControlBoard_CtrlRig track, then run this file with
Tools > Execute Python Script, or type `py "path/to/this file.py"` into the Output Log.

Keys lie on the frames of the Level Sequence, whatever its frame rate; for the crispest lips let talker write the script
at that rate (`--fps 24`). Keys that were there before stay where this take has none: delete the old keys first, or add
a new section for it.
"""

import base64
import json
import zlib

import unreal

# What you may want to change.
RIG = "Face_ControlBoard_CtrlRig"  # Part of the name of the Control Rig.
RIG_NUMBER = 1  # Which of them, where the Level Sequence has several MetaHumans.
START_FRAME = None  # Frame of the Level Sequence at which the take begins; None: the start of its playback range.


def main() -> None:
    """Key every control of the board."""
    take = json.loads(zlib.decompress(base64.b64decode(DATA)))
    sequence = unreal.LevelSequenceEditorBlueprintLibrary.get_current_level_sequence()
    if sequence is None:
        raise RuntimeError("talker: no Level Sequence is open. Open the one with your MetaHuman in Sequencer first.")
    rig = find_rig(sequence)
    rate = sequence.get_display_rate()
    step = take["rate"][0] * rate.denominator / (take["rate"][1] * rate.numerator)  # Frames of the take per key.
    count = int((take["frames"] - 1) / step + 1e-6) + 1
    start = sequence.get_playback_start() if START_FRAME is None else START_FRAME
    library = unreal.ControlRigSequencerLibrary
    with unreal.ScopedEditorTransaction("talker: key the face board"):
        for name, axes in take["board"].items():
            moves = any(isinstance(axis, list) for axis in axes)
            tracks = [resample(axis, step, count if moves else 1) for axis in axes]  # What never changes needs one key.
            frames = [unreal.FrameNumber(start + i) for i in range(len(tracks[0]))]
            if len(tracks) == 1:
                library.set_local_control_rig_floats(sequence, rig, name, frames, tracks[0])
            else:
                vectors = [unreal.Vector2D(tracks[0][i], tracks[1][i]) for i in range(len(frames))]
                library.set_local_control_rig_vector2_ds(sequence, rig, name, frames, vectors)
        if sequence.get_playback_end() < start + count:
            sequence.set_playback_end(start + count)
    unreal.LevelSequenceEditorBlueprintLibrary.refresh_current_level_sequence()
    unreal.log(f"talker: keyed {len(take['board'])} controls on {count} frames from frame {start} on")


def find_rig(sequence: unreal.LevelSequence) -> unreal.ControlRig:
    """The face board's Control Rig in the Level Sequence."""
    rigs = [proxy.control_rig for proxy in unreal.ControlRigSequencerLibrary.get_control_rigs(sequence)]
    names = [rig.get_name() for rig in rigs if rig is not None]
    boards = [rig for rig in rigs if rig is not None and RIG in rig.get_name()]
    if not 1 <= RIG_NUMBER <= len(boards):
        raise RuntimeError(
            f"talker: the Level Sequence has {len(boards)} Control Rigs named {RIG}, and number {RIG_NUMBER} is wanted "
            f"(its Control Rigs: {', '.join(names) or 'none'}). Add the MetaHuman to it: that brings the face board "
            "along; else change RIG or RIG_NUMBER at the top of this script."
        )
    return boards[RIG_NUMBER - 1]


def resample(values: list, step: float, count: int) -> list:
    """`count` values, `step` frames of the take apart, linear in between."""
    if not isinstance(values, list):
        return [values] * count
    keys = []
    for i in range(count):
        frame = min(int(i * step + 1e-6), len(values) - 1)
        after = values[min(frame + 1, len(values) - 1)]
        keys.append(values[frame] + (after - values[frame]) * max(i * step - frame, 0.0))
    return keys


# The take as JSON, packed with zlib and base64.
DATA = ""

main()
