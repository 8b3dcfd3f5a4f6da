"""Fixtures that several folders of tests share."""

from pathlib import Path

import numpy as np
import pytest
from surrogate_models import Surrogate, flame_surrogate, smplx_surrogate, write_pickle

from talker.rigs.fit import fit_for
from talker.rigs.fitting.retarget import RigFit
from talker.rigs.flame import FLAME
from talker.rigs.head_mesh import HeadMesh
from talker.rigs.smplx import SMPLX


@pytest.fixture(scope="session")
def default_head() -> HeadMesh:
    return HeadMesh.load()


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def flame_truth(default_head: HeadMesh) -> Surrogate:
    """A FLAME-like model of another person than the default head."""
    return flame_surrogate(default_head)


@pytest.fixture(scope="session")
def flame_file(flame_truth: Surrogate, model_folder: Path) -> Path:
    return write_pickle(flame_truth, model_folder / "FLAME_NEUTRAL.pkl")


@pytest.fixture(scope="session")
def smplx_file(default_head: HeadMesh, model_folder: Path) -> Path:
    path = model_folder / "SMPLX_NEUTRAL.npz"
    np.savez(path, **smplx_surrogate(default_head).arrays)
    return path


@pytest.fixture(scope="session")
def fits_kept(model_folder: Path) -> Path:
    """Where the fits of these models are kept; nothing is left in the user's own cache."""
    return model_folder / "cache"


@pytest.fixture(scope="session")
def flame_fit(flame_file: Path, fits_kept: Path) -> RigFit:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TALKER_CACHE", str(fits_kept))
        return fit_for(flame_file, FLAME)


@pytest.fixture(scope="session")
def smplx_fit(smplx_file: Path, fits_kept: Path) -> RigFit:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TALKER_CACHE", str(fits_kept))
        return fit_for(smplx_file, SMPLX)
