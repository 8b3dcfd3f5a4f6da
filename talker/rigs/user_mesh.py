"""`load_head`: the default head, or somebody's own as a `HeadMesh`.

A head of one's own is a glTF file (`.glb`, `.gltf`, `.vrm`) with morph targets named like ARKit's shapes, a folder of
OBJ files named for the shapes, or a `.npz` in talker's own format. It must have y up and look towards +z, as glTF
demands; its units are found from its size.
"""

from functools import lru_cache
from pathlib import Path

from talker.errors import TalkerError
from talker.rigs.head_mesh import HeadMesh

_GLTF_SUFFIXES = (".glb", ".gltf", ".vrm")


@lru_cache(maxsize=1)
def _default_head() -> HeadMesh:
    """One object for all who ask, so that what is computed for it once is there for every file of a batch."""
    return HeadMesh.load()


def load_head(path: Path | None = None) -> HeadMesh:
    """The default head (no path), or the head in a file or folder; a warning names the shapes it lacks."""
    if path is None:
        return _default_head()
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".npz" and not path.is_dir():
        return HeadMesh.load(path)
    # Only heads of one's own need what follows, and scipy with it.
    from talker.rigs.fitting.fitted_head import fit_head
    from talker.rigs.mesh_files.gltf_head import read_gltf_head
    from talker.rigs.mesh_files.obj_head import read_obj_folder

    if path.is_dir():
        return fit_head(path, read_obj_folder(path))
    if not path.exists():
        raise TalkerError(f"no such file: {path}")
    if suffix in _GLTF_SUFFIXES:
        return fit_head(path, read_gltf_head(path))
    remedy = "give the folder of OBJ files, one per shape" if suffix == ".obj" else "export it as .glb with shape keys"
    raise TalkerError(f"{path}: talker reads heads from .glb, .gltf, .vrm, .npz or a folder of OBJ files; {remedy}")
