import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from talker.animation import FaceAnimation
from talker.audio import Audio, write_wav
from talker.errors import TalkerError
from talker.export.registry import ExportOptions, read_animation, write_animation
from talker.rigs import arkit, turns
from talker.rigs.head_mesh import HeadMesh

pytest.importorskip("pxr", reason="USD needs the extra 'usd': pip install 'talker[usd]'")
from pxr import Gf, Usd, UsdGeom, UsdSkel, UsdValidation, Vt

TAKES = Path(__file__).parents[3] / "shared/data/livelink_takes"
TAKE_NAMES = ("S07-001", "S88-001", "alex_rom_3", "alex_rom_4", "apfel", "facial")


def random_take(frames: int = 20, fps: float = 60.0, **rest) -> FaceAnimation:
    generator = np.random.default_rng(3)
    curves = generator.uniform(0, 1, (frames, arkit.CHANNEL_COUNT)).astype(np.float32)
    curves[:, arkit.SHAPE_COUNT :] = generator.uniform(-1.2, 1.2, (frames, 9))
    return FaceAnimation(curves, fps, **rest)


def saved(animation: FaceAnimation, path: Path) -> Path:
    write_animation(animation, path)
    return path


@pytest.mark.parametrize("name", ["take.usd", "take.usda", "take.usdc", "take.usdz", "übung 話.usda"])
def test_a_take_comes_back(tmp_path, name):
    take = random_take(meta={"source": "tät", "emotion": [{"time": 0.0, "weights": {"happy": 1.0}}]})
    back = read_animation(saved(take, tmp_path / name))
    assert back.fps == take.fps
    assert np.abs(back.shapes - take.shapes).max() <= 1e-6
    assert np.abs(back.curves - take.curves).max() < 1e-4
    assert dict(back.meta) == dict(take.meta)


@pytest.mark.parametrize(("frames", "fps"), [(1, 25.0), (40, 24000 / 1001), (7, 37.125)])
def test_any_rate_and_length(tmp_path, frames, fps):
    take = random_take(frames, fps)
    back = read_animation(saved(take, tmp_path / "take.usdc"))
    assert back.fps == fps
    assert np.abs(back.curves - take.curves).max() < 1e-4


@pytest.mark.parametrize("suffix", [".usda", ".usdc", ".usdz"])
def test_the_same_take_gives_the_same_bytes(tmp_path, suffix):
    files = []
    for folder in "ab":
        files.append(saved(random_take(), tmp_path / folder / f"take{suffix}").read_bytes())
        time.sleep(2.1 if suffix == ".usdz" else 0)  # The clock of a zip file ticks every other second.
    assert files[0] == files[1]


def test_the_sound_is_named_and_picked_up(tmp_path):
    sound = Audio(np.sin(np.arange(8000) / 20) / 2, 16000)
    path = saved(random_take(audio=sound), tmp_path / "take.usda")
    assert read_animation(path).audio is None
    write_wav(sound, tmp_path / "take.wav")
    assert np.abs(read_animation(path).audio.samples - sound.samples).max() < 1e-4


def test_a_neighbour_that_is_no_sound_is_left_alone(tmp_path):
    path = saved(random_take(audio=Audio(np.zeros(100), 16000)), tmp_path / "take.usdc")
    (tmp_path / "take.wav").write_bytes(b"RIFF, but not really")
    assert read_animation(path).audio is None


@contextmanager
def disk_that_holds(limit: int) -> Iterator[None]:
    """Files end at `limit` bytes, as on a full disk."""
    resource = pytest.importorskip("resource", reason="file sizes can be limited on POSIX systems only")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("suffix", [".usd", ".usda", ".usdc", ".usdz"])
@pytest.mark.parametrize("room", ["little", "for the layer, not for the package"])
def test_a_full_disk_is_said_on_one_line(tmp_path, suffix, room):
    whole = saved(random_take(), tmp_path / f"whole{suffix}").stat().st_size
    path = tmp_path / "out" / f"take{suffix}"
    with disk_that_holds(100_000 if room == "little" else whole - 40), pytest.raises(TalkerError) as caught:
        write_animation(random_take(), path)
    assert str(caught.value) == f"cannot write {path}: no space left, or not a place to write to"
    assert not path.parent.exists() or list(path.parent.iterdir()) == []


def test_another_extension_is_explained(tmp_path):
    path = saved(random_take(), tmp_path / "take.usdc").rename(tmp_path / "take.foo")
    with pytest.raises(TalkerError) as caught:
        read_animation(path, "usd")
    assert str(caught.value) == (
        f"{path}: USD goes by the extension; rename the file to end in .usd, .usda, .usdc, .usdz"
    )


def test_damage_is_told_without_places_in_source_code(tmp_path):
    whole = saved(random_take(), tmp_path / "whole.usdc").read_bytes()
    cut = tmp_path / "cut.usdc"
    cut.write_bytes(whole[:5000])
    with pytest.raises(TalkerError) as caught:
        read_animation(cut)
    assert str(caught.value).startswith(f"{cut}: not a readable USD file (Sdf crate file corrupt, possibly truncated: ")
    assert str(caught.value).endswith("but file size is 5000); export it again")


def deformed(stage: Usd.Stage, frame: int) -> np.ndarray:
    """Points at a frame by USD's own blend shapes and skinning. (V, 3)."""
    cache = UsdSkel.Cache()
    root = UsdSkel.Root(stage.GetDefaultPrim())
    cache.Populate(root, Usd.PrimDefaultPredicate)
    binding = cache.ComputeSkelBindings(root, Usd.PrimDefaultPredicate)[0]
    skeleton, skinning = cache.GetSkelQuery(binding.GetSkeleton()), binding.GetSkinningTargets()[0]
    mesh = skinning.GetPrim()
    points = Vt.Vec3fArray(UsdGeom.Mesh(mesh).GetPointsAttr().Get())
    weights = skinning.GetBlendShapeMapper().Remap(skeleton.GetAnimQuery().ComputeBlendShapeWeights(frame))
    shapes = UsdSkel.BlendShapeQuery(UsdSkel.BindingAPI(mesh))
    shapes.ComputeDeformedPoints(
        *shapes.ComputeSubShapeWeights(weights),
        shapes.ComputeBlendShapePointIndices(),
        shapes.ComputeSubShapePointOffsets(),
        points,
    )
    moves = skeleton.ComputeSkinningTransforms(frame)
    assert skinning.ComputeSkinnedPoints(moves, points, frame)
    return np.array(points)


def test_usd_itself_shows_the_head(tmp_path):
    take, head = random_take(), HeadMesh.load()
    stage = Usd.Stage.Open(str(saved(take, tmp_path / "take.usdc")))
    vertices = head.vertices(take).numpy()
    for frame in (0, 7, 19):
        assert np.abs(deformed(stage, frame) - vertices[frame]).max() < 1e-5  # Metres.


def test_usd_finds_nothing_to_complain_about(tmp_path):
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    sound = Audio(np.zeros(100), 16000)
    for suffix in (".usda", ".usdc", ".usdz"):
        stage = Usd.Stage.Open(str(saved(random_take(audio=sound), tmp_path / f"take{suffix}")))
        errors = UsdValidation.ValidationContext(validators).Validate(stage)
        assert [(error.GetName(), error.GetMessage()) for error in errors] == []


def test_stage_metrics(tmp_path):
    stage = Usd.Stage.Open(str(saved(random_take(30, 25), tmp_path / "take.usdc")))
    assert stage.GetDefaultPrim().GetPath() == "/Face"
    assert UsdGeom.GetStageUpAxis(stage) == UsdGeom.Tokens.y
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1
    assert (stage.GetTimeCodesPerSecond(), stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (25, 0, 29)
    mesh = UsdGeom.Mesh.Get(stage, "/Face/Mesh")
    colours = np.array(mesh.GetDisplayColorPrimvar().Get())
    assert len(colours) == 3 * len(mesh.GetFaceVertexCountsAttr().Get())
    assert colours.min() >= 0 and colours.max() <= 1


def foreign(path: Path, scale: float = 1.0) -> Usd.Stage:
    """A stage as another program might write it: z up, rotated bones, other names, keys from time code 1 on."""
    stage = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    stage.SetTimeCodesPerSecond(24)
    stage.SetStartTimeCode(1)
    stage.SetEndTimeCode(3)
    UsdSkel.Root.Define(stage, "/root")
    bind = Gf.Matrix4d(Gf.Rotation(Gf.Vec3d(0.3, 1, 0.2), 70), Gf.Vec3d(0, 0, 150 * scale))
    skeleton = UsdSkel.Skeleton.Define(stage, "/root/rig")
    skeleton.CreateJointsAttr(["Spine", "Spine/Head"])
    skeleton.CreateRestTransformsAttr([bind, Gf.Matrix4d(1)])
    skeleton.CreateBindTransformsAttr([bind, bind])
    take = UsdSkel.Animation.Define(stage, "/root/rig/take")
    UsdSkel.BindingAPI.Apply(skeleton.GetPrim()).CreateAnimationSourceRel().SetTargets([take.GetPath()])
    take.CreateBlendShapesAttr(["Blink", "Jaw_Open", "mouthSmile_L"])
    weights = take.CreateBlendShapeWeightsAttr()
    for code, row in ((1, (1, 0.0, 0.5)), (2, (1, 0.5, 0.25)), (3, (1, 1.0, 0.0))):
        weights.Set(Vt.FloatArray(row), code)
    return stage


def test_stages_of_other_programs(tmp_path):
    stage = foreign(tmp_path / "other.usda")
    angles = np.array([[0, 0, 0], [0.3, -0.2, 0.1], [-0.4, 0.3, 0.2]])
    # The turns as seen in y-up space, brought into z-up space and into the frame of the parent bone.
    to_z_up = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    skeleton = UsdSkel.Skeleton.Get(stage, "/root/rig")
    frame = np.array(skeleton.GetRestTransformsAttr().Get()[0]).T[:3, :3]
    local = frame.T @ to_z_up @ turns.matrices(turns.quaternions(angles)) @ to_z_up.T @ frame
    take = UsdSkel.Animation.Get(stage, "/root/rig/take")
    take.CreateJointsAttr(["Spine/Head"])
    rotations = take.CreateRotationsAttr()
    for code, matrix in enumerate(local, 1):
        quaternion = Gf.Matrix3d(*matrix.T.ravel().tolist()).ExtractRotation().GetQuat()
        rotations.Set(Vt.QuatfArray([Gf.Quatf(quaternion)]), code)
    stage.Save()
    back = read_animation(tmp_path / "other.usda")
    assert back.fps == 24 and back.frame_count == 3
    assert back.channel("jawOpen") == pytest.approx([0, 0.5, 1])
    assert back.channel("mouthSmileLeft") == pytest.approx([0.5, 0.25, 0])
    assert np.abs(back.curves[:, arkit.HEAD] - angles).max() < 1e-5


def test_what_is_no_take_is_refused(tmp_path):
    contents = {
        "empty.usd": (b"", "the file is empty"),
        "text.usda": (b"#usda 1.0\ndef {", "not a readable USD file"),
        "crate.usdc": (b"PXR-USDC" + bytes(100), "not a readable USD file"),
        "other.usda": (
            b'#usda 1.0\ndef Xform "a" {}\n',
            "no SkelAnimation in it moves blend shapes with ARKit's names",
        ),
    }
    for name, (content, message) in contents.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(TalkerError) as caught:
            read_animation(path)
        assert "pxrInternal" not in str(caught.value)
        assert message in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_samples_of_another_length_are_refused(tmp_path):
    stage = foreign(tmp_path / "other.usda")
    UsdSkel.Animation.Get(stage, "/root/rig/take").GetBlendShapeWeightsAttr().Set(Vt.FloatArray((1, 0)), 2)
    stage.Save()
    with pytest.raises(TalkerError, match="samples of another length than 3"):
        read_animation(tmp_path / "other.usda")


def test_without_the_extra_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pxr", None)
    with pytest.raises(TalkerError, match=r"pip install 'talker\[usd\]'"):
        write_animation(random_take(), tmp_path / "take.usd", options=ExportOptions())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not TAKES.is_dir(), reason="needs the real takes in ../shared/data/livelink_takes")
@pytest.mark.parametrize("name", TAKE_NAMES)
def test_real_takes_come_back(tmp_path, name):
    take = FaceAnimation.load(TAKES / f"{name}.csv")
    back = read_animation(saved(take, tmp_path / "take.usdc"))
    assert back.fps == take.fps and back.frame_count == take.frame_count
    assert np.abs(back.shapes - take.shapes).max() <= 1e-6
    assert np.abs(back.curves - take.curves).max() < 1e-4
