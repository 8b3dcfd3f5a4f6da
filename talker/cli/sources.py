"""Takes from other sources than speech: a face from video."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from talker.cli.output import Export, Flag, OptionalName, OptionalPath, say
from talker.export.registry import DEFAULT_OPTIONS


@dataclass(frozen=True)
class Track:
    """Turn talking video into face curves.

    For example:
      talker track interview.mp4 -o interview.npz --preview
      talker track videos/ -o takes --person anna --landmarker face_landmarker.task
      talker track talk.mov -o takes --format livelink-csv
    """

    inputs: Annotated[
        tuple[Path, ...],
        tyro.conf.Positional,
        tyro.conf.arg(metavar="VIDEO [VIDEO ...]", help_behavior_hint="(one or more)"),
    ]
    """Video files, or folders of them."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="PATH")]
    """Folder for the takes, named after the videos; or a file for one video."""
    landmarker: OptionalPath = None
    """MediaPipe's face_landmarker.task; $TALKER_LANDMARKER when not given."""
    download_landmarker: Flag = False
    """Fetch that file from its makers (3.8 MB, Apache-2.0) when it is not there; its sha256 is checked."""
    person: OptionalName = None
    """All videos show this one person: learn the resting face from all of them together."""
    preview: Flag = False
    """Write <name>.preview.mp4 as well: the video and the solved head side by side."""
    rig: OptionalName = None
    """Rig to write where the format leaves a choice (see `talker rigs list`)."""
    format: OptionalName = None
    """Output format; npz, which keeps sound and confidence, when neither this nor the extension says another."""
    export: Export = DEFAULT_OPTIONS
    """What single formats and the preview need to know."""

    def run(self) -> int:
        """Plan the outputs, then track file by file (a person's files all together)."""
        from talker.batch import plan, run_batch

        format = self.format or (None if self.output.suffix else "npz")
        jobs = plan(self.inputs, self.output, format, self.rig)
        from talker.tracking.batch import TrackingBatch

        batch = TrackingBatch(self.landmarker, self.download_landmarker, self.person, self.preview, self.export)
        batch.prepare(jobs)
        return run_batch(jobs, lambda job: batch.work(job, self.format, self.rig), say=say)
