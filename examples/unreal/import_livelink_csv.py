"""Import a Live Link Face take (CSV) as a Level Sequence with a Live Link track. Run it inside the Unreal editor.

Needs the plugins *Live Link Face Importer*, *Live Link* and *Python Editor Script Plugin*.
Usage in the Output Log:  py "path/to/import_livelink_csv.py" "C:/takes/line_01.csv"
"""

import os
import sys

import unreal

FOLDER = "/Game/Talker"  # Where the Level Sequence goes.


def main() -> None:
    if len(sys.argv) != 2 or not os.path.isfile(sys.argv[1]):
        raise RuntimeError("talker: give the path of a Live Link Face CSV: py import_livelink_csv.py C:/takes/line.csv")
    if not hasattr(unreal, "LiveLinkFaceImporterFactory"):
        raise RuntimeError("talker: enable the plugin Live Link Face Importer (Edit > Plugins) and restart the editor")
    path = os.path.abspath(sys.argv[1])
    task = unreal.AssetImportTask()
    task.set_editor_property("filename", path)
    task.set_editor_property("destination_path", FOLDER)
    task.set_editor_property("destination_name", os.path.splitext(os.path.basename(path))[0])
    task.set_editor_property("factory", unreal.LiveLinkFaceImporterFactory())
    task.set_editor_property("automated", True)
    task.set_editor_property("replace_existing", True)
    task.set_editor_property("save", True)
    unreal.AssetToolsHelpers.get_asset_tools().import_asset_tasks([task])
    made = task.get_editor_property("imported_object_paths")
    if not made:
        raise RuntimeError(f"talker: Unreal did not import {path}; the lines above in the Output Log say why")
    unreal.log(f"talker: {made[0]} is ready; its Live Link subject is named after the file")


main()
