"""`talker train voice-emotion`: what a trained speech encoder's features say about emotion, from acted speech."""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from talker.audio import NETWORK_RATE, read_audio
from talker.files import atomic_output
from talker.models import prosody
from talker.models.speech_encoder import SpeechEncoder
from talker.models.voice_emotion import (
    AFFECT,
    BORED,
    VoiceEmotion,
    VoiceEmotionConfig,
    active_slots,
    encoder_fingerprint,
    save_voice_emotion,
    slots_of,
    standard_states,
)
from talker.training import augment
from talker.training.acted_speech import CORPORA, TRAINING_CORPORA, Recording, find_recordings

MAX_SECONDS = 20.0
COPIES = 2
"""Of every recording: as it is, and in another room, through another microphone, at another speed."""

_SPEEDS = (0.9, 1.1)
_VOICE_SHARE = 1.0  # How much less to trust what tells speakers apart: by this share of their variance.
_EVEN_SHARE = 0.4  # Of the covariance that is taken to be the same in all directions: there are few recordings.
_CONFIDENCE = 0.12  # Scores of speakers left out tell most at this scale: the recordings of one speaker are alike.
_NEVER = -30.0  # Score of a label that nobody acted.

_EFFORT = {
    **{BORED: 0.2, "sad": 0.2, "neutral": 0.35, "disgusted": 0.45, "contempt": 0.45},
    **{"fear": 0.55, "happy": 0.65, "surprised": 0.65, "angry": 0.85},
}
_EFFORT_PER_DB = 0.08  # Logit; a moment 10 dB above another of the same recording is clearly more of an effort.
_CUES = [prosody.VOICING, prosody.PITCH, prosody.ALPHA_RATIO, prosody.PEAK_FALL, prosody.LOW_RISE]
_AROUSAL_PER_EFFORT = 0.8


@dataclass(frozen=True, eq=False)
class Heard:
    """Recordings as the network receives them: per recording, `states` (S, states, width) and `measured` (S, C)."""

    recordings: list[Recording]
    states: list[Tensor]
    measured: list[Tensor]

    def joined(self, other: "Heard") -> "Heard":
        """The recordings of both."""
        return Heard(self.recordings + other.recordings, self.states + other.states, self.measured + other.measured)


def listen(recordings: list[Recording], encoder: SpeechEncoder, cache: Path, copy: int = 0) -> Heard:
    """Run the encoder over recordings, or read what it said the last time.

    Args:
        recordings: Of one corpus or several.
        encoder: Frozen.
        cache: Folder for the features, half a gigabyte per hour.
        copy: 0 for the recordings as they are; other numbers for copies in other rooms, voices and microphones.
    """
    heard = Heard([], [], [])
    for corpus in dict.fromkeys(recording.corpus for recording in recordings):
        heard = heard.joined(_listen_to([r for r in recordings if r.corpus == corpus], encoder, cache, copy))
    return heard


def _listen_to(recordings: list[Recording], encoder: SpeechEncoder, cache: Path, copy: int) -> Heard:
    from safetensors.torch import load_file, save_file

    names = hashlib.sha256("\n".join(recording.path.name for recording in recordings).encode()).hexdigest()[:8]
    path = cache / f"{recordings[0].corpus}-{encoder_fingerprint(encoder)}-{names}-{copy}.safetensors"
    if not path.is_file():
        items = [_features(recording.path, encoder, copy, i) for i, recording in enumerate(_tracked(recordings, path))]
        states, measured = zip(*items, strict=True)
        slots = torch.tensor([len(item) for item in states])
        with atomic_output(path) as temporary:
            save_file({"counts": slots, "states": torch.cat(states), "measured": torch.cat(measured)}, temporary)
    arrays = load_file(path)
    counts = arrays["counts"].tolist()
    return Heard(recordings, list(arrays["states"].split(counts)), list(arrays["measured"].split(counts)))


def _tracked(recordings: list[Recording], path: Path) -> Iterable[Recording]:
    from rich.console import Console
    from rich.progress import track

    return track(recordings, f"listening: {path.stem}", console=Console(stderr=True), transient=True)


@torch.inference_mode()
def _features(path: Path, encoder: SpeechEncoder, copy: int, index: int) -> tuple[Tensor, Tensor]:
    samples = read_audio(path).resample(NETWORK_RATE).samples[: round(MAX_SECONDS * NETWORK_RATE)]
    if copy:
        samples = _elsewhere(samples, np.random.default_rng((copy, index)))
    samples = prosody.at_even_level(samples)
    states = slots_of(standard_states(encoder, torch.from_numpy(samples)[None])[0])
    return states.half(), slots_of(prosody.measure(samples))


def _elsewhere(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The same performance by a slightly other voice, in another room, through another microphone."""
    import soxr

    samples = soxr.resample(samples, NETWORK_RATE * random.uniform(*_SPEEDS), NETWORK_RATE, "HQ")
    samples = augment.add_noise(augment.add_room(augment.change_voice(samples, random), random), random)
    return augment.encode(augment.limit_band(samples, random), random).astype(np.float32)


def train_head(copies: Sequence[Heard], chosen: Sequence[int], config: VoiceEmotionConfig) -> VoiceEmotion:
    """Fit to the recordings numbered in `chosen`; every copy holds the same recordings. It takes a second."""
    network = VoiceEmotion(config)
    network.effort_weights.copy_(effort_weights(copies[0], chosen))
    recordings = [copies[0].recordings[i] for i in chosen] * len(copies)
    speakers = [(r.corpus, r.speaker) for r in recordings]
    numbers = {speaker: number for number, speaker in enumerate(dict.fromkeys(speakers))}
    _fit(
        network,
        torch.cat([spoken_means(heard, chosen) for heard in copies]).flatten(1).double(),
        nn.functional.one_hot(torch.tensor([numbers[s] for s in speakers])).double(),
        nn.functional.one_hot(torch.tensor([config.labels.index(r.label) for r in recordings]), len(config.labels)),
        affect_targets(copies[0], chosen, network).repeat(len(copies), 1).double(),
    )
    return network.eval().requires_grad_(False)


@torch.no_grad()
def _fit(network: VoiceEmotion, means: Tensor, speaker: Tensor, label: Tensor, affect: Tensor) -> None:
    """Linear discriminants of the labels that avoid what tells speakers apart.

    A recording's features are taken to be a voice, plus what the label does to every voice, plus the rest. Both sums
    are solved for together, since a corpus does not act every label. A stranger's voice is as unknown as the rest.

    Args:
        network: What is fitted.
        means: (N, D) average features.
        speaker: (N, speakers), 1 for who speaks.
        label: (N, labels), 1 for what is acted.
        affect: (N, 2) valence and arousal.
    """
    centre, scale = means.mean(dim=0), means.std(dim=0) + 1e-4
    means = (means - centre) / scale
    design = torch.cat([speaker, label], dim=1)
    gram = design.T @ design + 1e-3 * torch.eye(design.shape[1])
    voices, effects = torch.linalg.solve(gram, design.T @ means).split([speaker.shape[1], label.shape[1]])
    usual = voices.mean(dim=0)
    voices_spread = _VOICE_SHARE * _covariance(voices - usual)

    rest = means - design @ torch.cat([voices, effects])
    weights = torch.linalg.solve(_evened(_covariance(rest), voices_spread), effects.T).T
    bias = -0.5 * (effects * weights).sum(dim=1)
    network.to_labels.weight.copy_(_CONFIDENCE * weights / scale)
    network.to_labels.bias.copy_(torch.where(label.any(dim=0), _CONFIDENCE * bias, _NEVER))

    spoken = means - speaker @ voices
    moved, centred = spoken - spoken.mean(dim=0), affect - affect.mean(dim=0)
    weights = torch.linalg.solve(_evened(_covariance(moved), voices_spread), moved.T @ centred / len(moved)).T
    network.to_affect.weight.copy_(weights / scale)
    network.to_affect.bias.copy_(affect.mean(dim=0) - weights @ spoken.mean(dim=0))
    network.voice.copy_(centre + scale * usual)


def _covariance(values: Tensor) -> Tensor:
    """(N, D) with mean 0 -> (D, D)."""
    return values.T @ values / len(values)


def _evened(spread: Tensor, voices_spread: Tensor) -> Tensor:
    """(D, D) covariance of what is no label, for a stranger."""
    same = torch.eye(len(spread)) * spread.diagonal().mean()
    return (1 - _EVEN_SHARE) * (spread + voices_spread) + _EVEN_SHARE * same


def spoken_means(heard: Heard, chosen: Sequence[int]) -> Tensor:
    """(N, states, width): averages over the speech of recordings."""
    return torch.stack([_spoken_mean(heard.states[i], heard.measured[i]) for i in chosen])


def _spoken_mean(states: Tensor, measured: Tensor) -> Tensor:
    active = active_slots(measured)
    return (states[active] if active.any() else states).float().mean(dim=0)


def effort_weights(heard: Heard, chosen: Sequence[int]) -> Tensor:
    """(prosody.COUNT + 1,) weights and offset of the logit of vocal effort.

    Nobody has labelled effort. But sad people speak softly and angry ones shout, so the cues that do not depend on the
    gain are fitted to what each label typically takes; louder moments of the same recording take more.
    """
    cues = torch.stack([mean_cues(heard.measured[i]) for i in chosen])
    labels = [heard.recordings[i].label for i in chosen]
    target = torch.logit(torch.tensor([_EFFORT[label] for label in labels]))
    louder = _EFFORT_PER_DB * (cues[:, prosody.LEVEL] - prosody.LOUD_DB)
    scale = cues[:, _CUES].std(dim=0)
    design = torch.cat([cues[:, _CUES] / scale, torch.ones(len(cues), 1)], dim=1)
    solution = torch.linalg.lstsq(design, (target - louder)[:, None]).solution[:, 0]
    # Least squares pulls everything towards the mean; stretch so that the labels lie as far apart as they should.
    guess = design @ solution + louder
    averages = torch.tensor(
        [
            [guess[[n == name for n in labels]].mean(), torch.logit(torch.tensor(_EFFORT[name]))]
            for name in sorted(set(labels))
        ]
    )
    slope, offset = _line(averages)
    weights = torch.zeros(prosody.COUNT + 1)
    weights[_CUES] = slope * solution[:-1] / scale
    weights[prosody.LEVEL] = slope * _EFFORT_PER_DB
    weights[-1] = slope * (solution[-1] - _EFFORT_PER_DB * prosody.LOUD_DB) + offset
    return weights


def mean_cues(measured: Tensor) -> Tensor:
    """(S, prosody.COUNT) -> (prosody.COUNT,): the average over what is loud enough to be speech."""
    active = active_slots(measured)
    return measured[active].mean(dim=0) if active.any() else measured.mean(dim=0)


def _line(points: Tensor) -> tuple[float, float]:
    """Slope and offset of y over x, from (N, 2) points (x, y)."""
    x, y = (points - points.mean(dim=0)).unbind(dim=1)
    slope = float((x * y).sum() / x.square().sum())
    return slope, float(points[:, 1].mean() - slope * points[:, 0].mean())


def affect_targets(heard: Heard, chosen: Sequence[int], network: VoiceEmotion) -> Tensor:
    """(N, 2) valence and arousal: those of the label, and more arousal the harder the voice works for that label."""
    labels = [heard.recordings[i].label for i in chosen]
    effort = torch.stack([network.effort(mean_cues(heard.measured[i])) for i in chosen])
    typical = {name: effort[[label == name for label in labels]].mean() for name in set(labels)}
    targets = torch.tensor([AFFECT[label] for label in labels])
    targets[:, 1] += _AROUSAL_PER_EFFORT * (effort - torch.stack([typical[label] for label in labels]))
    return targets.clamp(-1.0, 1.0)


def train_voice_emotion(
    data: Path,
    output: Path,
    encoder_name: str | Path,
    cache: Path | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Train on the corpora that may be shipped and write the weights into the folder `output`."""
    encoder = SpeechEncoder.load(encoder_name)
    recordings = find_recordings(data, TRAINING_CORPORA)
    say(f"{len(recordings)} recordings of {', '.join(dict.fromkeys(r.corpus for r in recordings))}")
    with tempfile.TemporaryDirectory() as folder:
        copies = [listen(recordings, encoder, cache or Path(folder), copy) for copy in range(COPIES)]
    network = train_head(copies, range(len(recordings)), config_for(encoder, copies[0]))
    save_voice_emotion(output, network)
    say(f"{output}: {sum(p.numel() for p in network.parameters())} parameters")


def config_for(encoder: SpeechEncoder, heard: Heard) -> VoiceEmotionConfig:
    """The network's sizes for an encoder, with every label that the corpora act."""
    acted = {label for recording in heard.recordings for label in CORPORA[recording.corpus].labels}
    labels = tuple(label for label in AFFECT if label in acted)
    states, width = heard.states[0].shape[1:]
    return VoiceEmotionConfig(labels, states, width, encoder_fingerprint(encoder))
