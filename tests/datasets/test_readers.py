"""Every reader on a tiny tree of its own layout, and on the real sets where they are."""

import csv
import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from talker.animation import FaceAnimation
from talker.datasets.catalogue import KINDS, read_clips
from talker.datasets.motion_file import read_motion
from talker.datasets.named_video import grid_sentence
from talker.datasets.source import UNKNOWN_LICENCE, ClipSource, Motion
from talker.errors import TalkerError
from talker.export.registry import DEFAULT_OPTIONS, write_animation
from talker.rigs import arkit
from talker.rigs.fitting.retarget import RigFit
from talker.rigs.flame import FLAME

DATA = Path(__file__).parents[2] / "../shared/data"


def touch(root: Path, *places: str) -> None:
    for place in places:
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def clips(kind: str, root: Path, **options) -> list[ClipSource]:
    return list(read_clips(kind, root, **options))


def test_mead(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "M003/video/front/angry/level_2/001.mp4",
        "M003/video/left_30/angry/level_2/001.mp4",
        "M003/audio/angry/level_2/001.m4a",
        "W009/video/video/front/neutral/level_1/007.mp4",
        "W009/audio/audio/neutral/level_1/007.m4a",
        "W009/video/video/front/neutral/level_1/.008.mp4",
    )
    front = clips("mead", tmp_path)
    assert [clip.id for clip in front] == ["M003/front/angry/level_2/001", "W009/front/neutral/level_1/007"]
    angry, neutral = front
    assert (angry.speaker, angry.emotion, angry.level, angry.view) == ("M003", "angry", pytest.approx(2 / 3), "front")
    assert angry.audio == tmp_path / "M003/audio/angry/level_2/001.m4a"
    assert neutral.audio == tmp_path / "W009/audio/audio/neutral/level_1/007.m4a"
    assert not angry.licence.may_ship
    both = clips("mead", tmp_path, views=("front", "left_30"))
    assert len(both) == 3 and len({clip.id for clip in both}) == 3
    assert {clip.person for clip in both} == {
        ("mead", "M003", "front"),
        ("mead", "M003", "left_30"),
        ("mead", "W009", "front"),
    }


def test_mead_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(TalkerError, match="no such MEAD view 'back'; choices: front"):
        clips("mead", tmp_path, views=("back",))
    with pytest.raises(TalkerError, match="does not look like MEAD"):
        clips("mead", tmp_path)
    with pytest.raises(TalkerError, match="no such folder"):
        clips("mead", tmp_path / "absent")


def test_ravdess_leaves_out_songs_and_silent_copies(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "Actor_01/01-01-05-02-01-01-01.mp4",
        "Actor_01/02-01-05-02-01-01-01.mp4",
        "Actor_01/01-02-05-02-01-01-01.mp4",
        "Actor_02/01-01-02-01-02-01-02.mp4",
    )
    angry, calm = clips("ravdess", tmp_path)
    assert (angry.speaker, angry.emotion, angry.level) == ("01", "angry", 1.0)
    assert angry.transcript == "Kids are talking by the door"
    assert (calm.speaker, calm.emotion) == ("02", None)


def test_crema_d(tmp_path: Path) -> None:
    touch(tmp_path, "VideoFlash/1001_DFA_ANG_XX.flv", "VideoFlash/1001_IEO_FEA_HI.flv", "AudioWAV/1001_IEO_FEA_HI.wav")
    angry, afraid = clips("crema-d", tmp_path)
    assert (angry.emotion, angry.level, angry.audio) == ("angry", None, None)
    assert (afraid.emotion, afraid.level, afraid.speaker) == ("fear", 1.0, "1001")
    assert afraid.audio == tmp_path / "AudioWAV/1001_IEO_FEA_HI.wav"


def test_grid(tmp_path: Path) -> None:
    touch(tmp_path, "s1/bbaf2n.mpg", "s2/video/lgwz1p.mpg")
    one, two = clips("grid", tmp_path)
    assert (one.speaker, one.transcript) == ("s1", "bin blue at f two now")
    assert (two.speaker, two.transcript, two.licence.may_ship) == ("s2", "lay green with z one please", True)
    assert grid_sentence("hello!") is None


def test_beat(tmp_path: Path) -> None:
    touch(tmp_path, "2/2_scott_0_73_73.wav", "2/2_scott_1_5_5.wav", "2/2_scott_0_1_1.bvh")
    names = sorted(name for name in arkit.SHAPES if name != "tongueOut")
    frames = [{"weights": [0.01 * i] * len(names), "time": i / 60, "rotation": []} for i in range(30)]
    for name in ("2_scott_0_73_73", "2_scott_1_5_5"):
        (tmp_path / f"2/{name}.json").write_text(json.dumps({"names": names, "frames": frames}))
    read, conversation = clips("beat", tmp_path)
    assert (read.speaker, read.emotion, conversation.emotion) == ("2", "angry", None)
    take = read_motion(read.motion, DEFAULT_OPTIONS)
    assert (take.fps, take.frame_count) == (60, 30)
    assert take.channel("jawOpen")[10] == pytest.approx(0.1)
    assert not take.channel("tongueOut").any()


def test_beat2_layout(tmp_path: Path) -> None:
    touch(tmp_path, "smplxflame_30/1_wayne_0_103_103.npz", "wave16k/1_wayne_0_103_103.wav", "wave16k/other.wav")
    (clip,) = clips("beat2", tmp_path)
    assert (clip.emotion, clip.motion.format) == ("fear", "smplx-npz")
    assert clip.audio == tmp_path / "wave16k/1_wayne_0_103_103.wav"


def test_3d_etf(tmp_path: Path) -> None:
    touch(tmp_path, "wav/03-01-05-02-01-01-12.wav")
    weights = np.zeros((12, 52), np.float32)
    weights[:, sorted(arkit.SHAPES).index("jawOpen")] = 0.5
    (tmp_path / "npy").mkdir()
    np.save(tmp_path / "npy/03-01-05-02-01-01-12.npy", weights)
    (clip,) = clips("3d-etf", tmp_path)
    assert (clip.speaker, clip.emotion, clip.level) == ("12", "angry", 1.0)
    take = read_motion(clip.motion, DEFAULT_OPTIONS)
    assert take.fps == 30 and (take.channel("jawOpen") == 0.5).all() and take.shapes.sum() == pytest.approx(6)


def test_livelink_prefers_the_calibrated_take(tmp_path: Path) -> None:
    touch(
        tmp_path,
        *("anna/A_1_iPhone.csv", "anna/A_1_iPhone.mov", "anna/A_1_iPhone_cal.csv", "anna/A_1_iPhone_raw.csv"),
        *("anna/A_1_iPhone_neutral.csv", "anna/silent.csv", "ben/B_1.csv", "ben/B_1.wav"),
    )
    anna, ben = clips("livelink", tmp_path)
    assert anna.motion.path.name == "A_1_iPhone_cal.csv" and anna.audio.name == "A_1_iPhone.mov"
    assert (anna.speaker, ben.speaker) == ("anna", "ben")


def test_emoface(tmp_path: Path) -> None:
    touch(tmp_path, "angry/take1.wav", "angry/take1.txt", "notes.txt")
    (clip,) = clips("emoface", tmp_path)
    assert (clip.emotion, clip.motion.format, clip.licence.may_ship) == ("angry", "emoface-txt", False)


def test_videos_without_a_table(tmp_path: Path) -> None:
    touch(tmp_path, "solo.mp4", "ana/a.mp4", "ana/b.MOV", "ana/notes.txt", "größe/c.webm")
    assert [(clip.id, clip.speaker) for clip in clips("videos", tmp_path)] == [
        ("solo.mp4", "solo"),
        ("ana/a.mp4", "ana"),
        ("ana/b.MOV", "ana"),
        ("größe/c.webm", "größe"),
    ]


def write_table(path: Path, *rows: dict[str, str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_videos_with_a_table(tmp_path: Path) -> None:
    row = {"path": "b.mp4", "speaker": "Bo", "emotion": "Happiness", "level": "0.5", "transcript": "Hello, you"}
    table = write_table(tmp_path / "t.csv", row, {**row, "path": "a.mp4", "emotion": "", "level": "", "speaker": ""})
    bo, alone = clips("videos", tmp_path, table=table)
    assert (bo.speaker, bo.emotion, bo.level, bo.transcript) == ("Bo", "happy", 0.5, "Hello, you")
    assert (alone.speaker, alone.emotion, alone.level) == ("a", None, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"emotion": "hungry"}, "line 2: no such emotion 'hungry'"),
        ({"level": "3"}, "line 2: level '3' is not a number in 0..1"),
        ({"path": ""}, "line 2 has no path"),
    ],
)
def test_a_faulty_table_is_one_line(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    row = {"path": "b.mp4", "speaker": "Bo", "emotion": "happy", "level": "0.5", "transcript": ""} | changes
    with pytest.raises(TalkerError, match=message):
        clips("videos", tmp_path, table=write_table(tmp_path / "t.csv", row))


def test_a_clip_is_one_kind_of_thing() -> None:
    with pytest.raises(TalkerError, match="not several"):
        ClipSource("a", "b", "c", UNKNOWN_LICENCE, video=Path("v.mp4"), motion=Motion(Path("m.csv"), "livelink-csv"))
    with pytest.raises(TalkerError, match="level 2"):
        ClipSource("a", "b", "c", UNKNOWN_LICENCE, video=Path("v.mp4"), level=2.0)


def test_options_of_other_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TalkerError, match="MEAD's cameras"):
        clips("grid", tmp_path, views=("left_30",))
    with pytest.raises(TalkerError, match="choices: mead"):
        clips("meed", tmp_path)


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_an_empty_folder_says_so_or_is_empty(tmp_path: Path, kind: str) -> None:
    try:
        assert clips(kind, tmp_path) == []
    except TalkerError as error:
        assert str(tmp_path) in str(error)


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"not an array at all"])
def test_damaged_npy(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(damage)
    with pytest.raises(TalkerError, match=r"a\.npy"):
        read_motion(Motion(path, "weights-npy"), DEFAULT_OPTIONS)


def test_an_npy_that_claims_too_much(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((2, 52), np.float32))
    path.write_bytes(path.read_bytes().replace(b"(2, 52)", b"(2000000000, 52)").replace(b"  ", b"", 5))
    with pytest.raises(TalkerError, match=r"a\.npy"):
        read_motion(Motion(path, "weights-npy"), DEFAULT_OPTIONS)


@pytest.mark.skipif(not DATA.is_dir(), reason="the data sets are not beside the repository")
def test_the_real_sets() -> None:
    counts: dict[str, int] = {}
    for clip in read_clips("talker", DATA):
        counts[clip.set] = counts.get(clip.set, 0) + 1
        assert clip.audio is not None, clip.id
    assert counts["grid_s1"] == 900 and counts["javanese"] == 179 and counts["first_impressions"] == 44
    assert counts["facegood"] == 5 and counts["javanese_audio"] == 1344 and counts["ravdess"] == 1440
    assert counts["emodb"] == 535 and counts["speechocean762"] == 1500


@pytest.mark.skipif(not DATA.is_dir(), reason="the data sets are not beside the repository")
def test_real_facegood_curves_move_the_mouth() -> None:
    clip = next(clip for clip in read_clips("talker", DATA / "facegood"))
    take = read_motion(clip.motion, DEFAULT_OPTIONS)
    assert take.duration == pytest.approx(clip.sound().duration, abs=0.1)
    assert take.channel("jawOpen").max() > 0.4 and not take.channel("browInnerUp").any()


@pytest.mark.skipif(not DATA.is_dir(), reason="the data sets are not beside the repository")
def test_real_grid_videos() -> None:
    first = next(islice(read_clips("grid", DATA / "grid_s1"), 1))
    assert first.transcript == "bin blue at f two now"


@pytest.mark.slow
def test_beat2_curves_through_the_users_model(smplx_file: Path, tmp_path: Path) -> None:
    options = replace(DEFAULT_OPTIONS, rig_model=smplx_file)
    opening = 0.4 * np.abs(np.sin(np.arange(60) / 6))
    write_animation(
        FaceAnimation.from_channels({"jawOpen": opening}, fps=30),
        tmp_path / "1_wayne_0_1_1.npz",
        "smplx-npz",
        options=options,
    )
    (tmp_path / "1_wayne_0_1_1.wav").write_bytes(b"x")
    (clip,) = clips("beat2", tmp_path)
    take = read_motion(clip.motion, options)
    assert (take.fps, take.frame_count, clip.emotion) == (30, 60, "neutral")
    assert np.abs(take.channel("jawOpen") - opening).max() < 0.1
    with pytest.raises(TalkerError, match="--rig-model"):
        read_motion(clip.motion, DEFAULT_OPTIONS)


@pytest.mark.slow
def test_vocaset_meshes_through_the_users_model(flame_file: Path, flame_fit: RigFit, tmp_path: Path) -> None:
    """Meshes of somebody else than the model's mean person, who speaks and smiles."""
    from talker.rigs.skinning import load_model

    times = np.arange(90) / 30
    truth = FaceAnimation.from_channels(
        {
            "jawOpen": np.clip(0.5 * np.sin(5 * np.maximum(times - 0.2, 0)), 0, 1),  # At rest first.
            "mouthSmileLeft": np.clip(times - 1.5, 0, 0.6),
            "mouthSmileRight": np.clip(times - 1.5, 0, 0.6),
            "mouthFunnel": np.clip(0.5 * np.sin(4 * times - 2), 0, 1) * (times > 0.5),
        },
        fps=30,
    )
    model = load_model(flame_file, FLAME)
    expression, jaw = flame_fit.poses(truth.shapes)
    pose = torch.zeros(90, FLAME.joint_count, 3)
    pose[:, FLAME.jaw] = torch.from_numpy(jaw)
    meshes = model.vertices(pose, torch.from_numpy(expression)).numpy()
    meshes += 0.002 * np.random.default_rng(0).standard_normal(meshes.shape[1:])
    for folder in ("vertices_npy", "wav"):
        (tmp_path / folder).mkdir()
    np.save(tmp_path / "vertices_npy/FaceTalk_170725_00137_TA_sentence01.npy", meshes.reshape(90, -1))
    (tmp_path / "wav/FaceTalk_170725_00137_TA_sentence01.wav").write_bytes(b"x")
    (clip,) = clips("vocaset", tmp_path)
    assert clip.speaker == "FaceTalk_170725_00137_TA"
    take = read_motion(clip.motion, replace(DEFAULT_OPTIONS, rig_model=flame_file))
    assert take.fps == 30
    assert np.abs(take.channel("jawOpen") - truth.channel("jawOpen")).max() < 0.1
    assert np.abs(take.shapes - truth.shapes).mean() < 0.02
    with pytest.raises(TalkerError, match="--rig-model"):
        read_motion(clip.motion, DEFAULT_OPTIONS)


def test_emoface_and_livelink_curves(tmp_path: Path) -> None:
    take = FaceAnimation.from_channels({"jawOpen": 0.5 * np.abs(np.sin(np.arange(60) / 6))}, fps=60)
    for name, format in (("a.txt", "emoface-txt"), ("b.csv", "livelink-csv")):
        write_animation(take, tmp_path / name, format)
        back = read_motion(Motion(tmp_path / name, format), DEFAULT_OPTIONS)
        assert np.abs(back.channel("jawOpen") - take.channel("jawOpen")).max() < 0.02


def damaged(data: bytes, seed: int) -> bytes:
    random = np.random.default_rng(seed)
    out = bytearray(data)
    for _ in range(random.integers(1, 5)):
        at = int(random.integers(len(out)))
        kind = random.integers(4)
        if kind == 0:
            out[at] = int(random.integers(256))
        elif kind == 1:
            del out[at : at + int(random.integers(1, 40))]
        elif kind == 2:
            out[at:at] = [b"1e999", b"NaN", b"[", b"null", b"99999999999999999999", b"\xff\xfe"][random.integers(6)]
        else:
            out = out[: max(at, 1)]
    return bytes(out)


@pytest.mark.parametrize("format", ["beat-json", "weights-npy"])
def test_damage_gives_curves_or_one_line(tmp_path: Path, format: str) -> None:
    if format == "beat-json":
        frames = [{"weights": [0.1] * 52, "time": i / 60} for i in range(8)]
        data = json.dumps({"names": list(arkit.SHAPES), "frames": frames}).encode()
    else:
        np.save(tmp_path / "good.npy", np.full((8, 52), 0.2, np.float32))
        data = (tmp_path / "good.npy").read_bytes()
    path = tmp_path / "clip"
    refused = 0
    for seed in range(300):
        path.write_bytes(damaged(data, seed))
        try:
            assert np.isfinite(read_motion(Motion(path, format), DEFAULT_OPTIONS).curves).all()
        except TalkerError as error:
            assert str(path) in str(error) and "\n" not in str(error)
            refused += 1
    assert 0 < refused < 300
