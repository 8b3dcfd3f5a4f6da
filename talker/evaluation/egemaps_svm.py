"""A support vector machine on openSMILE's eGeMAPS functionals: what the emotion in the voice has to beat.

openSMILE may be used for research only, so talker never depends on it: this file imports nothing of talker and runs in
an environment of its own (`python -m venv smile && smile/bin/pip install opensmile scikit-learn`).
`talker.evaluation.voice_emotion --smile-python smile/bin/python` starts it, asks on stdin and reads from stdout.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np


def functionals(paths: list[str], cache: Path) -> np.ndarray:
    """(N, 88) eGeMAPSv02 functionals of sound files, kept in `cache` (an .npz) for the next time."""
    kept: dict[str, np.ndarray] = {}
    if cache.is_file():
        with np.load(cache, allow_pickle=False) as arrays:
            kept = dict(zip(arrays["files"].tolist(), arrays["x"], strict=True))
    names = ["/".join(Path(path).parts[-2:]) for path in paths]
    missing = [(name, path) for name, path in zip(names, paths, strict=True) if name not in kept]
    if missing:
        import opensmile
        import soundfile

        smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
        for name, path in missing:
            kept[name] = smile.process_signal(*soundfile.read(path, dtype="float32")).to_numpy()[0]
        np.savez(cache, files=np.array(list(kept)), x=np.stack(list(kept.values())))
    return np.stack([kept[name] for name in names])


def predict(features: np.ndarray, task: dict[str, list[Any]]) -> list[str]:
    """Train on `task["train"]`, whose labels are `task["labels"]`, and name the labels of `task["test"]`."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    machine = make_pipeline(StandardScaler(), SVC(C=task["C"], class_weight="balanced"))
    return machine.fit(features[task["train"]], task["labels"]).predict(features[task["test"]]).tolist()


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    x = functionals(asked["files"], Path(asked["cache"]))
    json.dump([predict(x, task) for task in asked["tasks"]], sys.stdout)
