"""A script as `torchrun` starts it: twice, side by side."""

import subprocess
import sys
from pathlib import Path


def run_in_two(script: str, folder: Path) -> str:
    """Run it with this folder of tests and `folder` as its arguments; returns what both print."""
    (folder / "worker.py").write_text(script)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    ran = subprocess.run(
        [*torchrun, str(folder / "worker.py"), str(Path(__file__).parent), str(folder)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout
