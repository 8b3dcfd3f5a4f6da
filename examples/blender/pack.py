# SPDX-License-Identifier: GPL-3.0-or-later
"""Pack the extension into one zip that every Blender from 3.4 on installs: `python pack.py [FOLDER]`."""

import re
import sys
import zipfile
from pathlib import Path

SOURCE = Path(__file__).parent
PACKED = ("__init__.py", "blender_manifest.toml", "LICENSE", "README.md")


def pack(folder: Path) -> Path:
    """Write `talker_face-<version>.zip`. Its files lie in a folder, which old Blenders name the add-on after."""
    manifest = (SOURCE / "blender_manifest.toml").read_text(encoding="utf-8")
    name, version = (re.search(rf'^{entry} = "(.*)"', manifest, re.M)[1] for entry in ("id", "version"))
    modules = sorted(file.name for file in SOURCE.glob("*.py") if file.name not in (*PACKED, "pack.py"))
    archive = folder / f"{name}-{version}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for file in (*PACKED, *modules):
            entry = zipfile.ZipInfo(f"{name}/{file}")  # A fixed date: the same sources give the same zip.
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            zipped.writestr(entry, (SOURCE / file).read_bytes())
    return archive


if __name__ == "__main__":
    print(pack(Path(sys.argv[1]) if len(sys.argv) > 1 else Path.cwd()))
