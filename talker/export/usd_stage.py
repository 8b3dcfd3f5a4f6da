"""A take as a USD stage; imported only where `pxr` is installed.

Below the default prim `/Face`, a SkelRoot (metres, y up, frame i at time code i, `timeCodesPerSecond` the frame rate):

- `/Face/Mesh`: 52 blend shapes (positions and normals), colours per corner, a material per surface;
- `/Face/Skeleton`: the joints of `talker.export.scene_head`;
- `/Face/Skeleton/Take`: a SkelAnimation, time samples of weights and joint rotations;
- the layer's custom data `talker`: `meta` as JSON and, when there is sound, `audio`: the name under which the sound
  should lie beside the file. Reading picks it up from there.
"""

import errno
import json
import os
import zipfile
from pathlib import Path

import numpy as np
from pxr import Gf, Sdf, Tf, Usd, UsdGeom, UsdShade, UsdSkel, UsdUtils, Vt

from talker.animation import FaceAnimation, plain_meta
from talker.export.keyframes import TURNED_JOINTS
from talker.export.scene_head import JOINTS, PARENTS, head_normals, joint_places, skin_weights
from talker.export.scene_sound import sound_name
from talker.export.usd import CUSTOM_DATA
from talker.rigs import arkit, look, turns
from talker.rigs.head_mesh import HeadMesh

_ROOT, _MESH, _SKELETON, _TAKE = "/Face", "/Face/Mesh", "/Face/Skeleton", "/Face/Skeleton/Take"
_A_TIME = 1_000_000_000  # Seconds since 1970: packages hold a file time, and the same take must give the same bytes.
_INFLUENCES = 2  # Joints per vertex.
_CORNER_INSET = 0.15  # Colours are read this far from a corner towards the middle of its face: edges stay crisp.


def save_stage(animation: FaceAnimation, head: HeadMesh, path: Path) -> None:
    """Write a layer of the kind that the extension of `path` names."""
    stage = Usd.Stage.CreateInMemory()
    root = UsdSkel.Root.Define(stage, _ROOT)
    _describe(stage, root, animation, path)
    mesh, skeleton = _add_mesh(stage, head), _add_skeleton(stage, head)
    _bind(mesh, skeleton, head)
    _add_blend_shapes(stage, mesh, head)
    _add_surfaces(stage, mesh, head)
    _add_take(stage, skeleton, head, animation)
    root.CreateExtentAttr(mesh.GetExtentAttr().Get())
    try:
        written = _save(stage.GetRootLayer(), path)
    except (Tf.ErrorException, OSError):
        written = False
    if not written:
        raise OSError(errno.EIO, "no space left, or not a place to write to", str(path))


def _save(layer: Sdf.Layer, path: Path) -> bool:
    """Whether all of it came to lie on the disk."""
    if path.suffix.lower() != ".usdz":
        return bool(layer.Export(str(path)))
    inside = path.with_suffix(".usdc")
    if not layer.Export(str(inside)):
        return False
    os.utime(inside, (_A_TIME, _A_TIME))
    packed = UsdUtils.CreateNewUsdzPackage(str(inside), str(path))
    inside.unlink()
    return packed and zipfile.is_zipfile(path)  # USD overlooks a full disk; the index of a zip file comes last.


def joint_path(joint: str) -> str:
    """A joint's name with those of its ancestors, as UsdSkel spells hierarchies."""
    return f"{joint_path(PARENTS[joint])}/{joint}" if PARENTS[joint] else joint


def _describe(stage: Usd.Stage, root: UsdSkel.Root, animation: FaceAnimation, path: Path) -> None:
    stage.SetDefaultPrim(root.GetPrim())
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, UsdGeom.LinearUnits.meters)
    stage.SetTimeCodesPerSecond(animation.fps)
    stage.SetFramesPerSecond(animation.fps)
    stage.SetStartTimeCode(0)
    stage.SetEndTimeCode(animation.frame_count - 1)
    data = {"meta": json.dumps(plain_meta(animation.meta), ensure_ascii=False)}
    if animation.audio is not None:
        data["audio"] = sound_name(path)
    stage.GetRootLayer().customLayerData = {CUSTOM_DATA: data}


def _add_mesh(stage: Usd.Stage, head: HeadMesh) -> UsdGeom.Mesh:
    mesh = UsdGeom.Mesh.Define(stage, _MESH)
    faces = head.faces.cpu().numpy().astype(np.int32)
    mesh.CreatePointsAttr(_vectors(head.neutral.cpu().numpy()))
    mesh.CreateNormalsAttr(_vectors(head_normals(head)[0]))
    mesh.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(faces), 3, np.int32)))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(faces.ravel()))
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreateExtentAttr(UsdGeom.PointBased.ComputeExtent(mesh.GetPointsAttr().Get()))
    return mesh


def _add_skeleton(stage: Usd.Stage, head: HeadMesh) -> UsdSkel.Skeleton:
    places = joint_places(head)
    skeleton = UsdSkel.Skeleton.Define(stage, _SKELETON)
    skeleton.CreateJointsAttr([joint_path(joint) for joint in JOINTS])
    skeleton.CreateBindTransformsAttr(_translations([places[joint] for joint in JOINTS]))
    skeleton.CreateRestTransformsAttr(_translations(_local_places(head)))
    return skeleton


def _bind(mesh: UsdGeom.Mesh, skeleton: UsdSkel.Skeleton, head: HeadMesh) -> None:
    binding = UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    binding.CreateSkeletonRel().SetTargets([skeleton.GetPath()])
    binding.CreateGeomBindTransformAttr(Gf.Matrix4d(1))
    joints, weights = skin_weights(head)
    joints, weights = joints[:, :_INFLUENCES], weights[:, :_INFLUENCES]
    indices = Vt.IntArray.FromNumpy(np.ascontiguousarray(joints, np.int32).ravel())
    binding.CreateJointIndicesPrimvar(constant=False, elementSize=_INFLUENCES).Set(indices)
    shares = Vt.FloatArray.FromNumpy(np.ascontiguousarray(weights, np.float32).ravel())
    binding.CreateJointWeightsPrimvar(constant=False, elementSize=_INFLUENCES).Set(shares)


def _add_blend_shapes(stage: Usd.Stage, mesh: UsdGeom.Mesh, head: HeadMesh) -> None:
    paths = []
    for name, delta, turn in zip(arkit.SHAPES, head.deltas.cpu().numpy(), head_normals(head)[1], strict=True):
        shape = UsdSkel.BlendShape.Define(stage, f"{_MESH}/{name}")
        changed = np.flatnonzero(delta.any(axis=1) | turn.any(axis=1))
        shape.CreateOffsetsAttr(_vectors(delta[changed]))
        shape.CreateNormalOffsetsAttr(_vectors(turn[changed]))
        shape.CreatePointIndicesAttr(Vt.IntArray.FromNumpy(changed.astype(np.int32)))
        paths.append(shape.GetPath())
    binding = UsdSkel.BindingAPI(mesh.GetPrim())
    binding.CreateBlendShapesAttr(list(arkit.SHAPES))
    binding.CreateBlendShapeTargetsRel().SetTargets(paths)


def _add_surfaces(stage: Usd.Stage, mesh: UsdGeom.Mesh, head: HeadMesh) -> None:
    """Colours as `displayColor`, and materials that take theirs from it."""
    faces = head.faces.cpu().numpy()
    number = {tuple(face): index for index, face in enumerate(faces.tolist())}
    colours, opacity = np.ones((len(faces), 3, 3), np.float32), np.ones((len(faces), 3), np.float32)
    for surface in look.surfaces(head):
        members = np.array([number[tuple(face)] for face in surface.faces.tolist()])
        colours[members], opacity[members] = surface.corner_colours(_CORNER_INSET), surface.corner_opacity()
        subset = UsdGeom.Subset.CreateGeomSubset(
            mesh, surface.name, UsdGeom.Tokens.face, Vt.IntArray.FromNumpy(members.astype(np.int32))
        )
        subset.CreateFamilyNameAttr(UsdShade.Tokens.materialBind)
        material = _add_material(stage, surface)
        UsdShade.MaterialBindingAPI.Apply(subset.GetPrim()).Bind(material)
    UsdGeom.Subset.SetFamilyType(mesh, UsdShade.Tokens.materialBind, UsdGeom.Tokens.partition)
    colours *= look.vertex_light(head)[faces][..., None]
    mesh.CreateDisplayColorPrimvar(UsdGeom.Tokens.faceVarying).Set(_vectors(colours.reshape(-1, 3)))
    mesh.CreateDisplayOpacityPrimvar(UsdGeom.Tokens.faceVarying).Set(Vt.FloatArray.FromNumpy(opacity.ravel()))


def _add_material(stage: Usd.Stage, surface: look.Surface) -> UsdShade.Material:
    material = UsdShade.Material.Define(stage, f"{_ROOT}/Materials/{surface.name}")
    shader = UsdShade.Shader.Define(stage, material.GetPath().AppendChild("surface"))
    shader.CreateIdAttr("UsdPreviewSurface")
    shader.CreateInput("roughness", Sdf.ValueTypeNames.Float).Set(surface.roughness)
    for name, primvar, kind, reads, fallback in (
        (
            "diffuseColor",
            "displayColor",
            Sdf.ValueTypeNames.Color3f,
            Sdf.ValueTypeNames.Float3,
            Gf.Vec3f(*surface.colour),
        ),
        ("opacity", "displayOpacity", Sdf.ValueTypeNames.Float, Sdf.ValueTypeNames.Float, 1.0),
    ):
        reader = UsdShade.Shader.Define(stage, material.GetPath().AppendChild(primvar))
        reader.CreateIdAttr(
            "UsdPrimvarReader_float3" if reads == Sdf.ValueTypeNames.Float3 else "UsdPrimvarReader_float"
        )
        reader.CreateInput("varname", Sdf.ValueTypeNames.String).Set(primvar)
        reader.CreateInput("fallback", reads).Set(fallback)
        shader.CreateInput(name, kind).ConnectToSource(reader.CreateOutput("result", reads))
    material.CreateSurfaceOutput().ConnectToSource(shader.CreateOutput("surface", Sdf.ValueTypeNames.Token))
    return material


def _add_take(stage: Usd.Stage, skeleton: UsdSkel.Skeleton, head: HeadMesh, animation: FaceAnimation) -> None:
    take = UsdSkel.Animation.Define(stage, _TAKE)
    take.CreateBlendShapesAttr(list(arkit.SHAPES))
    take.CreateJointsAttr([joint_path(joint) for joint in JOINTS])
    take.CreateTranslationsAttr(_vectors(np.array(_local_places(head))))
    take.CreateScalesAttr(Vt.Vec3hArray(len(JOINTS), Gf.Vec3h(1, 1, 1)))
    rotations = np.tile(np.array([0, 0, 0, 1], np.float32), (animation.frame_count, len(JOINTS), 1))
    for joint, channels in TURNED_JOINTS.items():
        rotations[:, JOINTS.index(joint)] = turns.quaternions(animation.curves[:, channels])
    layer = stage.GetRootLayer()
    weights, turned = take.CreateBlendShapeWeightsAttr().GetPath(), take.CreateRotationsAttr().GetPath()
    with Sdf.ChangeBlock():
        for frame in range(animation.frame_count):
            layer.SetTimeSample(weights, frame, Vt.FloatArray.FromNumpy(animation.shapes[frame].copy()))
            layer.SetTimeSample(turned, frame, Vt.QuatfArray.FromNumpy(rotations[frame]))
    UsdSkel.BindingAPI.Apply(skeleton.GetPrim()).CreateAnimationSourceRel().SetTargets([take.GetPath()])


def _local_places(head: HeadMesh) -> list[np.ndarray]:
    places = joint_places(head)
    return [places[joint] - places.get(PARENTS[joint], np.zeros(3, np.float32)) for joint in JOINTS]


def _vectors(values: np.ndarray) -> Vt.Vec3fArray:
    return Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(values, np.float32))


def _translations(places: list[np.ndarray]) -> list[Gf.Matrix4d]:
    return [Gf.Matrix4d().SetTranslate(Gf.Vec3d(*map(float, place))) for place in places]
