"""The emotion in a voice: which it is, how pleasant and how excited, and how hard the voice works."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from talker.audio import NETWORK_RATE, Audio, read_audio
from talker.emotion import EMOTIONS
from talker.errors import TalkerError
from talker.files import atomic_output
from talker.models import prosody
from talker.models.checkpoint import checkpoint_folder, read_config, read_weights, tuples
from talker.models.speech_encoder import FEATURE_FPS, SpeechEncoder, in_pieces

_Sum = Callable[[Tensor], Tensor]

FORMAT = "talker voice emotion 2"
SLOT_FRAMES = 4
"""Frames averaged into one slot: emotion changes slowly, and everything after is four times cheaper."""

TRACK_FPS = FEATURE_FPS / SLOT_FRAMES

BORED = "bored"
"""A label that the network may hear and that no face has: it counts as neutral, with its own low arousal."""

AFFECT: dict[str, tuple[float, float]] = {
    **{"neutral": (0.0, -0.1), "happy": (0.8, 0.5), "sad": (-0.6, -0.5), "surprised": (0.2, 0.7)},
    **{"fear": (-0.6, 0.6), "disgusted": (-0.6, 0.2), "angry": (-0.6, 0.8), "contempt": (-0.5, 0.1)},
    BORED: (-0.2, -0.7),
}
"""Valence and arousal, -1..1, where the circumplex of affect puts each label."""

ACTIVE_DB = prosody.LOUD_DB - 28.0
"""Below this nobody speaks, once the recording has been brought to its even level."""

_WINDOW_SECONDS = 3.0  # Of the track: shorter pieces of speech do not tell an emotion reliably.
_EFFORT_SECONDS = 0.4
_ENOUGH_SECONDS = 0.3  # Of activity within a window before what is heard is believed in full.


@dataclass(frozen=True)
class VoiceEmotionConfig:
    """Sizes of the network, and what it can hear.

    Attributes:
        labels: What the outputs stand for: emotions, and perhaps `BORED`.
        states: Layers of the encoder that are listened to: all.
        feature_width: Width of each.
        encoder: Fingerprint of the encoder whose features it was trained on.
    """

    labels: tuple[str, ...]
    states: int
    feature_width: int
    encoder: str = ""

    def __post_init__(self) -> None:
        unknown = [label for label in self.labels if label not in AFFECT]
        if unknown or not self.labels:
            raise TalkerError(f"voice emotion labels must be among {', '.join(AFFECT)}, not {list(self.labels)}")


@dataclass(frozen=True, eq=False)
class Reading:
    """What is heard over a stretch of sound, or at T moments of it (every array then has a leading axis T).

    Attributes:
        mixture: (8,) shares of `talker.emotion.EMOTIONS`, summing to 1.
        valence: -1 (unpleasant) to 1.
        arousal: -1 (sleepy) to 1.
        effort: Vocal effort, 0 (nobody speaks) over about 0.4 (conversation) to 1 (shouting).
    """

    mixture: np.ndarray
    valence: np.ndarray
    arousal: np.ndarray
    effort: np.ndarray


@dataclass(frozen=True, eq=False)
class HeardEmotion:
    """A recording's emotion: `overall`, and as a smooth `track` with `TRACK_FPS` readings per second from 0 on."""

    overall: Reading
    track: Reading

    def to_json(self) -> dict[str, Any]:
        """Plain numbers under plain names."""
        return {
            "overall": {
                "emotion": dict(zip(EMOTIONS, _rounded(self.overall.mixture), strict=True)),
                **{name: _rounded(getattr(self.overall, name)) for name in ("valence", "arousal", "effort")},
            },
            "track": {
                "fps": TRACK_FPS,
                "emotion": dict(zip(EMOTIONS, _rounded(self.track.mixture.T), strict=True)),
                **{name: _rounded(getattr(self.track, name)) for name in ("valence", "arousal", "effort")},
            },
        }


class VoiceEmotion(nn.Module):
    """One linear layer on the average of what the encoder makes of a voice, fitted so that it hardly hears whose it is.

    As it is linear, slots may be judged first and averaged afterwards, over everything or over a window that slides.
    """

    voice: Tensor
    effort_weights: Tensor

    def __init__(self, config: VoiceEmotionConfig) -> None:
        super().__init__()
        self.config = config
        size = config.states * config.feature_width
        self.to_labels = nn.Linear(size, len(config.labels))
        self.to_affect = nn.Linear(size, 2)
        self.register_buffer("voice", torch.zeros(size))  # The average speaker's.
        self.register_buffer("effort_weights", torch.zeros(prosody.COUNT + 1))

    def forward(self, states: Tensor) -> Tensor:
        """(..., states, feature_width) -> (..., labels + 2): scores, then valence and arousal."""
        spoken = states.flatten(-2) - self.voice
        return torch.cat([self.to_labels(spoken), self.to_affect(spoken)], dim=-1)

    def effort(self, measured: Tensor) -> Tensor:
        """(S, prosody.COUNT) -> (S,) vocal effort of each slot, 0..1, before smoothing."""
        return torch.sigmoid(measured @ self.effort_weights[:-1] + self.effort_weights[-1])


class EmotionListener:
    """A speech encoder and the network on top, ready to hear recordings of any length."""

    def __init__(self, encoder: SpeechEncoder, network: VoiceEmotion) -> None:
        self.encoder = encoder.eval()
        self.network = network.eval()

    @torch.inference_mode()
    def hear(self, audio: Audio, voice: Tensor | None = None) -> HeardEmotion:
        """What the voice says about its owner's state. Time and memory grow linearly with the sound.

        Args:
            audio: Speech of any length.
            voice: What `voice_of` learned about the speaker, if anything.
        """
        judged, measured = self._judge(audio)
        if voice is not None:
            judged = judged - voice
        overall = self._read(judged, measured, _sum_all, _sum_all)
        track = self._read(judged, measured, _sum_around(_WINDOW_SECONDS), _sum_around(_EFFORT_SECONDS))
        return HeardEmotion(
            Reading(overall.mixture[0], overall.valence[0], overall.arousal[0], overall.effort[0]), track
        )

    @torch.inference_mode()
    def voice_of(self, recordings: Sequence[Audio]) -> Tensor:
        """What a speaker's voice alone says, and hence no emotion: from recordings in various moods.

        No label is needed. A voice that was only recorded sad is taken for one that always sounds so.
        """
        spoken = []
        for audio in recordings:
            judged, measured = self._judge(audio)
            spoken.append(judged[active_slots(measured)])
        if not sum(len(slots) for slots in spoken):
            raise TalkerError("there is no speech in the recordings that should tell the speaker's voice")
        usual = torch.cat([self.network.to_labels.bias, self.network.to_affect.bias])
        return torch.cat(spoken).mean(dim=0) - usual

    def voice_in(self, folder: Path) -> Tensor:
        """`voice_of` all recordings in a folder."""
        files = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
        if not files:
            raise TalkerError(f"{folder} holds no speech: give a folder of recordings of the speaker in various moods")
        return self.voice_of([read_audio(path) for path in files])

    def _judge(self, audio: Audio) -> tuple[Tensor, Tensor]:
        """(S, labels + 2) what the network makes of every slot, and (S, prosody.COUNT)."""
        if not len(audio.samples):
            raise TalkerError("the sound is empty: there is nothing to hear in it")
        samples = prosody.at_even_level(audio.resample(NETWORK_RATE).samples)

        def judged(piece: Tensor, first_frame: int) -> Tensor:
            return self.network(standard_states(self.encoder, piece, first_frame))

        pieces = in_pieces(judged, samples, self.encoder.context)
        return slots_of(torch.cat([piece for _, piece in pieces])), slots_of(prosody.measure(samples))

    def _read(self, judged: Tensor, measured: Tensor, summed: _Sum, summed_briefly: _Sum) -> Reading:
        """What slots say on average; where hardly anything sounds, that is a neutral face without effort."""
        active = active_slots(measured).float()[None, :, None]
        spoken = summed(active)
        average = summed(active * judged[None]) / spoken.clamp(min=1e-3)
        scores, affect = average.split([len(self.network.config.labels), 2], dim=-1)
        heard = (spoken / (_ENOUGH_SECONDS * TRACK_FPS)).clamp(max=1.0)
        mixture = torch.softmax(scores, dim=-1) @ _labels_to_emotions(self.network.config.labels)
        silent = nn.functional.one_hot(torch.tensor(EMOTIONS.index("neutral")), len(EMOTIONS))
        mixture = (silent + heard * (mixture - silent))[0]
        valence, arousal = (heard * affect.clamp(-1.0, 1.0))[0].unbind(dim=-1)
        effort = _mean_effort(self.network, measured, summed_briefly)
        return Reading(mixture.numpy(), valence.numpy(), arousal.numpy(), effort.numpy())


@torch.inference_mode()
def vocal_effort(network: VoiceEmotion, audio: Audio) -> np.ndarray:
    """How hard the voice works, (S,) at `TRACK_FPS`, as `EmotionListener.hear` tells it but without any encoder."""
    samples = prosody.at_even_level(audio.resample(NETWORK_RATE).samples)
    measured = slots_of(prosody.measure(samples))
    return _mean_effort(network, measured, _sum_around(_EFFORT_SECONDS)).numpy()


def load_listener(name: str | Path = "default", encoder: str | Path | None = None) -> EmotionListener:
    """The listener of a checkpoint.

    Args:
        name: "default", a folder with `voice_emotion/` and `speech/` in it, or what `talker train voice-emotion` made.
        encoder: The speech encoder, when it is not the one in that folder (or the default one).
    """
    folder = checkpoint_folder(name)
    inner = folder / "voice_emotion"
    network = load_voice_emotion(inner if inner.is_dir() else folder)
    if encoder is None:
        encoder = name if inner.is_dir() else "default"
    speech = SpeechEncoder.load(encoder)
    if encoder_fingerprint(speech) != network.config.encoder:
        raise TalkerError(
            f"{folder} was trained on another speech encoder than '{encoder}'; name the right one, "
            "or train again with `talker train voice-emotion`"
        )
    return EmotionListener(speech, network)


def save_voice_emotion(folder: Path, network: VoiceEmotion) -> None:
    """Write `config.json` and, in half precision, `model.safetensors`."""
    from safetensors.torch import save

    weights = {name: tensor.half().contiguous() for name, tensor in network.state_dict().items()}
    with atomic_output(folder / "model.safetensors") as temporary:
        temporary.write_bytes(save(weights))
    with atomic_output(folder / "config.json") as temporary:
        config = {"format": FORMAT, **asdict(network.config)}
        temporary.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load_voice_emotion(folder: Path) -> VoiceEmotion:
    """What `save_voice_emotion` wrote, in float32, ready for inference."""
    config = read_config(folder / "config.json")
    if config.pop("format", None) != FORMAT:
        raise TalkerError(f"{folder / 'config.json'} is no model of emotion in the voice; see `talker train --help`")
    try:
        network = VoiceEmotion(VoiceEmotionConfig(**tuples(config)))
    except (TypeError, ValueError, RuntimeError) as error:
        raise TalkerError(f"{folder / 'config.json'}: damaged configuration ({error}); copy it again") from error
    network.load_state_dict(read_weights(folder / "model.safetensors", network))
    return network.eval().requires_grad_(False)


def encoder_fingerprint(encoder: nn.Module) -> str:
    """Sixteen hexadecimal digits that tell trained encoders apart, whatever precision they are stored in."""
    digest = hashlib.sha256()
    for name, tensor in sorted(encoder.state_dict().items()):
        digest.update(name.encode() + tensor.half().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def standard_states(encoder: SpeechEncoder, samples: Tensor, first_frame: int = 0) -> Tensor:
    """(B, N) -> (B, T, states, width): what every layer makes of every frame, with mean 0 and variance 1."""
    states = encoder.hidden_states(samples, first_frame=first_frame)[1:]
    return torch.stack([nn.functional.layer_norm(state, state.shape[-1:]) for state in states], dim=2)


def active_slots(measured: Tensor) -> Tensor:
    """(S, prosody.COUNT) -> (S,) booleans: loud enough, next to the rest of the recording, to be speech."""
    return measured[:, prosody.LEVEL] > ACTIVE_DB


def slots_of(frames: Tensor) -> Tensor:
    """(T, ...) at 50 Hz -> (ceil(T / SLOT_FRAMES), ...): averages; the last frame stands in for missing ones."""
    missing = -len(frames) % SLOT_FRAMES
    frames = torch.cat([frames, frames[-1:].expand(missing, *frames.shape[1:])])
    return frames.unflatten(0, (-1, SLOT_FRAMES)).mean(dim=1)


def _sum_all(values: Tensor) -> Tensor:
    return values.sum(dim=1, keepdim=True)


def _sum_around(seconds: float) -> _Sum:
    """Sums of (B, S, C) under a Hann window of a length, centred on each slot."""
    half = round(seconds * TRACK_FPS / 2)
    window = torch.hann_window(2 * half + 3, periodic=False)[1:-1]

    def summed(values: Tensor) -> Tensor:
        batch, slots, channels = values.shape
        lines = values.transpose(1, 2).reshape(batch * channels, 1, slots)
        return nn.functional.conv1d(lines, window[None, None], padding=half).view(batch, channels, slots).mT

    return summed


def _mean_effort(network: VoiceEmotion, measured: Tensor, summed: _Sum) -> Tensor:
    """(S, prosody.COUNT) -> (S',) vocal effort where somebody speaks."""
    active = active_slots(measured).float()[None, :, None]
    effort = summed(active * network.effort(measured)[None, :, None]) / summed(active).clamp(min=1.0)
    return effort[0, :, 0]


def _labels_to_emotions(labels: tuple[str, ...]) -> Tensor:
    """(labels, 8): what is not a face's emotion counts as neutral."""
    names = ["neutral" if label == BORED else label for label in labels]
    return nn.functional.one_hot(torch.tensor([EMOTIONS.index(name) for name in names]), len(EMOTIONS)).float()


def _rounded(values: np.ndarray) -> Any:
    return np.round(np.asarray(values, np.float64), 4).tolist()
