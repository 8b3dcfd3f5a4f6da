"""The registry of formats: names, choices by extension, rig and content, round trips, whole files or none."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from talker.animation import FaceAnimation
from talker.errors import TalkerError
from talker.export import registry
from talker.export.registry import (
    DEFAULT_OPTIONS,
    FORMATS,
    Format,
    format_for,
    read_animation,
    write_animation,
)
from talker.rigs import arkit

BY_NAME = pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
READABLE = pytest.mark.parametrize(
    "format", [format for format in FORMATS if format.readable], ids=lambda format: format.name
)


def take(frames: int = 12, fps: float = 60.0) -> FaceAnimation:
    random = np.random.default_rng(4)
    curves = random.uniform(0, 1, (frames, arkit.CHANNEL_COUNT)).astype(np.float32)
    curves[:, arkit.SHAPE_COUNT :] -= 0.5
    return FaceAnimation(curves, fps)


def written(format: Format, folder: Path) -> Path:
    path = folder / f"take{format.extension}"
    try:
        write_animation(take(), path, format.name)
    except TalkerError as error:
        pytest.skip(f"{format.name} cannot be written here: {error}")
    return path


def test_names_are_unique_and_lower_case() -> None:
    names = [format.name for format in FORMATS]
    assert len(set(names)) == len(names)
    assert all(
        name == name.lower() and format.extension.startswith(".") for name, format in zip(names, FORMATS, strict=True)
    )


@BY_NAME
def test_modules_keep_the_contract(format: Format) -> None:
    module = importlib.import_module(f"talker.export.{format.module}")
    ending = f"_{format.variant}" if format.variant else ""
    shared = [f for f in FORMATS if f.readable and f.extension == format.extension]
    assert not format.writable or callable(getattr(module, f"write{ending}"))
    assert not format.readable or callable(getattr(module, f"read{ending}"))
    assert not (format.readable and len(shared) > 1) or callable(getattr(module, f"recognises{ending}"))


@READABLE
def test_a_written_file_is_recognised_by_its_own_format_alone(format: Format, tmp_path: Path) -> None:
    head = written(format, tmp_path).read_bytes()[: 1 << 16]
    rivals = [f for f in FORMATS if f.readable and f.extension == format.extension]
    if len(rivals) == 1:
        pytest.skip(f"{format.extension} belongs to {format.name} alone")
    assert [f.name for f in rivals if f.recognises(head)] == [format.name]


@READABLE
def test_what_is_written_is_read_back_by_content(format: Format, tmp_path: Path) -> None:
    back = read_animation(written(format, tmp_path))
    assert back.fps == 60
    assert back.frame_count == 12
    if format.shape_error is not None:
        assert np.abs(back.shapes - take().shapes).max() <= format.shape_error + 1e-7


@BY_NAME
def test_the_same_take_gives_the_same_bytes(format: Format, tmp_path: Path) -> None:
    if format.module in ("blender", "video"):
        pytest.skip("slow; tested with its module")
    folders = tmp_path / "a", tmp_path / "b"
    first, second = (written(format, folder).read_bytes() for folder in folders)
    assert first == second


def test_extension_decides_and_rig_refines() -> None:
    assert format_for(Path("x.csv")).name == "livelink-csv"
    assert format_for(Path("X.CSV")).name == "livelink-csv"
    assert format_for(Path("x.csv"), rig="viseme").name == "viseme-csv"
    assert format_for(Path("x.json"), rig="arkit").name == "a2f-json"
    assert format_for(Path("x.json"), rig="vrm").name == "vrm-json"
    assert format_for(Path("x.npz")).name == "npz"
    assert format_for(Path("anything"), "viseme-json").name == "viseme-json"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (Path("x.csv"), "livelink"),
            "no such format 'livelink'; did you mean 'livelink-csv'?; choices: npz, livelink-csv, ",
        ),
        ((Path("x.csv"), "zzz"), "no such format 'zzz'; choices: npz, "),
        (
            (Path("x.csv"), None, "metahumen"),
            "no such rig 'metahumen'; did you mean 'metahuman'?; choices: arkit, metahuman, ",
        ),
        ((Path("x.avi"),), "x.avi: no format has the extension '.avi'; choose one of .npz, .csv, "),
        ((Path("x"),), "x: no format has the extension ''; choose one of .npz, "),
        (
            (Path("x.npz"), None, "viseme"),
            "x.npz: no '.npz' format speaks the rig 'viseme'; that rig has viseme-csv (.csv), viseme-json (.json)",
        ),
    ],
)
def test_wrong_choices_are_answered_with_the_right_ones(arguments: Any, message: str) -> None:
    with pytest.raises(TalkerError) as caught:
        format_for(*arguments)
    assert str(caught.value).startswith(message)


def test_reading_says_what_it_cannot_read(tmp_path: Path) -> None:
    def error(path: Path, name: str | None = None) -> str:
        with pytest.raises(TalkerError) as caught:
            read_animation(path, name)
        return str(caught.value)

    missing = tmp_path / "missing.csv"
    assert error(missing) == f"no such file: {missing}"
    (tmp_path / "folder.csv").mkdir()
    assert error(tmp_path / "folder.csv") == f"cannot read {tmp_path / 'folder.csv'}: it is a folder, not a file"
    (tmp_path / "empty.csv").touch()
    assert error(tmp_path / "empty.csv") == f"cannot read {tmp_path / 'empty.csv'}: the file is empty"
    (tmp_path / "page.html").write_text("<html>")
    assert error(tmp_path / "page.html").startswith(
        f"{tmp_path / 'page.html'}: cannot read '.html' files as animation; readable: .npz, .csv, "
    )
    (tmp_path / "shopping.csv").write_text("milk,2\n")
    assert error(tmp_path / "shopping.csv").startswith(
        f"{tmp_path / 'shopping.csv'}: the content is none of livelink-csv, "
    )
    assert "name the format with --input-format" in error(tmp_path / "shopping.csv")
    if any(format.name == "html" for format in FORMATS):
        assert error(tmp_path / "page.html", "html") == "the format html can only be written, not read"


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Format:
    """A format whose writer dies half way."""

    def write(animation: FaceAnimation, path: Path, options: object) -> None:
        path.write_text("half of")
        raise TalkerError("the writer failed")

    from talker.export import livelink

    monkeypatch.setattr(livelink, "write", write)
    return format_for(Path("x.csv"))


def test_a_failed_write_leaves_nothing(failing: Format, tmp_path: Path) -> None:
    with pytest.raises(TalkerError, match="the writer failed"):
        write_animation(take(), tmp_path / "take.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file_alone(failing: Format, tmp_path: Path) -> None:
    (tmp_path / "take.csv").write_text("precious")
    with pytest.raises(TalkerError):
        write_animation(take(), tmp_path / "take.csv")
    assert (tmp_path / "take.csv").read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 1


def test_folders_are_made_and_files_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ärger 顔" / "take.csv"
    write_animation(take(), path)
    write_animation(take(5), path)
    assert read_animation(path).frame_count == 5
    assert [p.name for p in path.parent.iterdir()] == ["take.csv"]


@pytest.mark.parametrize("target", ["folder.csv", "file/take.csv"])
def test_what_cannot_be_written_is_explained(target: str, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(TalkerError) as caught:
        write_animation(take(), tmp_path / target)
    assert str(caught.value).startswith(f"cannot write {tmp_path / target}: ")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder.csv"]


def test_a_full_disk_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from talker.export import livelink

    def write(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(livelink, "write", write)
    with pytest.raises(TalkerError) as caught:
        write_animation(take(), tmp_path / "take.csv")
    assert str(caught.value) == f"cannot write {tmp_path / 'take.csv'}: no space left on device"
    assert list(tmp_path.iterdir()) == []


def test_rigs_are_those_of_the_formats() -> None:
    assert registry.RIGS[0] == "arkit"
    assert set(registry.RIGS) == {format.rig for format in FORMATS}
    assert DEFAULT_OPTIONS.angle_unit == "radians"
