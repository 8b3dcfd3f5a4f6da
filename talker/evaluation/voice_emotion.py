"""How well the emotion in a voice is heard: speakers left out, a corpus never heard, an openSMILE baseline beside it.

`python -m talker.evaluation.voice_emotion --data ../shared/data --cache features` prints every figure and draws the
confusion matrices. With `--smile-python` (see `talker.evaluation.egemaps_svm`) the baseline is trained on the same
recordings in the same run.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from torch import Tensor

from talker.cli.output import OptionalPath, say, say_table
from talker.cli.program import run_program
from talker.errors import TalkerError
from talker.files import atomic_output
from talker.models.speech_encoder import SpeechEncoder
from talker.models.voice_emotion import BORED, VoiceEmotion
from talker.render.confusion import confusion_picture
from talker.training.acted_speech import CORPORA, TRAINING_CORPORA, Recording, find_recordings
from talker.training.voice_emotion import COPIES, Heard, config_for, listen, mean_cues, spoken_means, train_head

STRANGERS = "ravdess"
"""The corpus that is never trained on: its licence forbids to ship what it taught."""

SHARED = CORPORA["javanese_audio"].labels
"""The six emotions that the strangers have in common with the largest training corpus."""

_FOLDS = 10
_SYSTEMS = {False: "talker", True: "talker, voice known"}
_BASELINE_C = (0.1, 1.0, 10.0)


@dataclass(frozen=True)
class Outcome:
    """Recordings of one protocol with the label that each was taken for, out of `labels`."""

    protocol: str
    system: str
    labels: tuple[str, ...]
    recordings: list[Recording]
    predicted: list[str]

    @property
    def accuracy(self) -> float:
        """Share of recordings that were heard right."""
        return float(np.mean([r.label == p for r, p in zip(self.recordings, self.predicted, strict=True)]))

    @property
    def recall(self) -> float:
        """Mean over labels of the share heard right (unweighted average recall): no gain from favouring one."""
        confusion = self.confusion()
        return float(np.mean(np.diag(confusion) / confusion.sum(axis=1).clip(min=1)))

    def confusion(self) -> np.ndarray:
        """(labels, labels) counts: acted, then heard."""
        counts = np.zeros((len(self.labels), len(self.labels)), int)
        for recording, predicted in zip(self.recordings, self.predicted, strict=True):
            counts[self.labels.index(recording.label), self.labels.index(predicted)] += 1
        return counts


def folds(recordings: Sequence[Recording], count: int = _FOLDS) -> list[tuple[list[int], list[int]]]:
    """Numbers of the recordings to train on and to test on; each fold leaves out a share of every corpus's speakers."""
    held = []
    for fold in range(count):
        out = set()
        for corpus in {recording.corpus for recording in recordings}:
            speakers = sorted({r.speaker for r in recordings if r.corpus == corpus})
            out |= {(corpus, speaker) for speaker in speakers[fold::count]}
        left_out = [(r.corpus, r.speaker) in out for r in recordings]
        test = [i for i, is_out in enumerate(left_out) if is_out]
        held.append(([i for i, is_out in enumerate(left_out) if not is_out], test))
    return [(train, test) for train, test in held if test]


@torch.inference_mode()
def label_scores(
    network: VoiceEmotion, heard: Heard, chosen: Sequence[int], known_voices: bool = False
) -> tuple[Tensor, Tensor]:
    """(N, labels) logarithms of the likelihoods of whole recordings, and (N, 2) valence and arousal.

    `known_voices` tells the network each speaker's average over their recordings, of which it learns no labels.
    """
    means = spoken_means(heard, chosen)
    if known_voices:
        speakers = [(heard.recordings[i].corpus, heard.recordings[i].speaker) for i in chosen]
        for speaker in dict.fromkeys(speakers):
            theirs = torch.tensor([one == speaker for one in speakers])
            means[theirs] += network.voice.view(means.shape[1:]) - means[theirs].mean(dim=0)
    scores, affect = network(means).split([len(network.config.labels), 2], dim=-1)
    return scores.log_softmax(dim=-1), affect.clamp(-1.0, 1.0)


def name_labels(scores: Tensor, known: Sequence[str], possible: Sequence[str]) -> list[str]:
    """The likeliest of the labels that a corpus has; where it has no boredom, that counts as neutral."""
    scores = scores.clone()
    if BORED in known and BORED not in possible:
        neutral, bored = known.index("neutral"), known.index(BORED)
        scores[:, neutral] = torch.logaddexp(scores[:, neutral], scores[:, bored])
    columns = [known.index(label) for label in possible]
    return [possible[i] for i in scores[:, columns].argmax(dim=1).tolist()]


def leave_speakers_out(copies: Sequence[Heard], encoder: SpeechEncoder) -> list[Outcome]:
    """Per corpus, every speaker judged by a network that never heard them; and again with their voice made known."""
    heard = copies[0]
    config = config_for(encoder, heard)
    scores = torch.zeros(2, len(heard.recordings), len(config.labels))
    for train, test in folds(heard.recordings):
        network = train_head(copies, train, config)
        for known in (False, True):
            scores[int(known), test] = label_scores(network, heard, test, known)[0]
    outcomes = []
    for corpus in TRAINING_CORPORA:
        chosen = [i for i, r in enumerate(heard.recordings) if r.corpus == corpus]
        labels, recordings = CORPORA[corpus].labels, [heard.recordings[i] for i in chosen]
        for known in (False, True) if chosen else ():
            predicted = name_labels(scores[int(known), chosen], config.labels, labels)
            outcomes.append(Outcome(f"{corpus}, speakers left out", _SYSTEMS[known], labels, recordings, predicted))
    return outcomes


def zero_shot(network: VoiceEmotion, strangers: Heard) -> list[Outcome]:
    """The corpus that was never heard: on the shared emotions, the same without calm, and on all it has."""
    everything = range(len(strangers.recordings))
    scores = {known: label_scores(network, strangers, everything, known)[0] for known in (False, True)}
    every = CORPORA[STRANGERS].labels
    outcomes = []
    for title, labels, calm in (("", SHARED, True), (", without calm", SHARED, False), (", disgust too", every, True)):
        chosen = [i for i in _sharing(strangers.recordings, labels) if calm or strangers.recordings[i].detail != "calm"]
        recordings = [strangers.recordings[i] for i in chosen]
        for known in (False, True):
            predicted = name_labels(scores[known][chosen], network.config.labels, labels)
            protocol = f"{STRANGERS}, never heard{title}"
            outcomes.append(Outcome(protocol, _SYSTEMS[known], labels, recordings, predicted))
    return outcomes


def _sharing(recordings: Sequence[Recording], labels: Sequence[str]) -> list[int]:
    return [i for i, recording in enumerate(recordings) if recording.label in labels]


def intensity_report(network: VoiceEmotion, strangers: Heard) -> dict[str, float]:
    """Share of pairs in which the strongly acted take ranks above the normal one of the same actor and emotion."""
    _, affect = label_scores(network, strangers, range(len(strangers.recordings)))
    effort = torch.stack([network.effort(mean_cues(measured)) for measured in strangers.measured])
    pairs = [
        (i, j)
        for i, strong in enumerate(strangers.recordings)
        for j, normal in enumerate(strangers.recordings)
        if strong.detail == "strong" and not normal.detail
        if (strong.speaker, strong.label) == (normal.speaker, normal.label)
    ]
    strong, normal = torch.tensor(pairs).T
    return {
        "effort": float((effort[strong] > effort[normal]).float().mean()),
        "arousal": float((affect[strong, 1] > affect[normal, 1]).float().mean()),
    }


def baseline(recordings: list[Recording], strangers: list[Recording], python: Path, cache: Path) -> list[Outcome]:
    """The same protocols for a support vector machine on eGeMAPS functionals; of three values of C the best counts."""
    everything = recordings + strangers
    plans = [_speaker_plan(recordings, corpus) for corpus in TRAINING_CORPORA]
    shared = _sharing(strangers, SHARED)
    plans.append([(_sharing(recordings, SHARED), [len(recordings) + i for i in shared])])
    tasks = [
        {"C": c, "train": train, "labels": [everything[i].label for i in train], "test": test}
        for plan in plans
        for c in _BASELINE_C
        for train, test in plan
    ]
    question = {
        "files": [str(recording.path) for recording in everything],
        "cache": str(cache / "egemaps.npz"),
        "tasks": tasks,
    }
    answers = iter(_ask(python, question))
    outcomes = []
    for plan, protocol in zip(plans, (*TRAINING_CORPORA, STRANGERS), strict=True):
        tested = [everything[i] for _, test in plan for i in test]
        labels = SHARED if protocol == STRANGERS else CORPORA[protocol].labels
        title = f"{protocol}, {'never heard' if protocol == STRANGERS else 'speakers left out'}"
        tries = [[name for _ in plan for name in next(answers)] for _ in _BASELINE_C]
        outcomes.append(
            max((Outcome(title, "eGeMAPS + SVM", labels, tested, names) for names in tries), key=lambda o: o.accuracy)
        )
    return outcomes


def _speaker_plan(recordings: list[Recording], corpus: str) -> list[tuple[list[int], list[int]]]:
    """Within one corpus, which suits such a machine better than a mixture."""
    own = [i for i, recording in enumerate(recordings) if recording.corpus == corpus]
    speakers = sorted({recordings[i].speaker for i in own})
    return [
        ([i for i in own if recordings[i].speaker != s], [i for i in own if recordings[i].speaker == s])
        for s in speakers
    ]


def _ask(python: Path, question: dict[str, Any]) -> list[list[str]]:
    script = Path(__file__).with_name("egemaps_svm.py")
    done = subprocess.run([str(python), str(script)], input=json.dumps(question), capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise TalkerError(f"{python} could not run the baseline ({last}); install opensmile and scikit-learn there")
    return json.loads(done.stdout)


@dataclass(frozen=True)
class Evaluate:
    """Measure how well the emotion in a voice is heard."""

    data: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder that holds emodb, javanese_audio and ravdess."""
    cache: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder for features, kept for the next time; the one given to `talker train voice-emotion` holds them already."""
    encoder: str = "default"
    """Speech encoder under the network."""
    smile_python: OptionalPath = None
    """Python of an environment with opensmile and scikit-learn; without it there is no baseline."""
    pictures: OptionalPath = None
    """Folder for the confusion matrices."""

    def run(self) -> None:
        """Train, judge, print."""
        encoder = SpeechEncoder.load(self.encoder)
        recordings = find_recordings(self.data, TRAINING_CORPORA)
        copies = [listen(recordings, encoder, self.cache, copy) for copy in range(COPIES)]
        strangers = listen(find_recordings(self.data, [STRANGERS]), encoder, self.cache)
        network = train_head(copies, range(len(recordings)), config_for(encoder, copies[0]))
        outcomes = zero_shot(network, strangers) + leave_speakers_out(copies, encoder)
        if self.smile_python:
            outcomes += baseline(recordings, strangers.recordings, self.smile_python, self.cache)
        say_table([_row(outcome) for outcome in outcomes])
        for name, share in intensity_report(network, strangers).items():
            say(f"strong above normal intensity, by {name}: {share:.3f} of the pairs of one actor and emotion")
        if self.pictures:
            for outcome in outcomes:
                title = f"{outcome.protocol}: {outcome.system}"
                name = title.replace(", ", "-").replace(": ", "-").replace(" ", "_")
                with atomic_output(self.pictures / f"{name}.png") as temporary:
                    confusion_picture(outcome.confusion(), outcome.labels, title).save(temporary)


def _row(outcome: Outcome) -> dict[str, Any]:
    return {
        **{"protocol": outcome.protocol, "system": outcome.system, "recordings": len(outcome.recordings)},
        **{"labels": len(outcome.labels), "chance": round(1 / len(outcome.labels), 3)},
        **{"accuracy": round(outcome.accuracy, 3), "mean recall": round(outcome.recall, 3)},
    }


if __name__ == "__main__":
    sys.exit(run_program(Evaluate))
