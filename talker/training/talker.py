"""`talker train talker`: speech encoder and talker together, from tracked talking video."""

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from talker.files import atomic_output
from talker.models.checkpoint import save_checkpoint
from talker.models.speech import Speech
from talker.models.speech_encoder import FEATURE_FPS, HOP_SAMPLES, SpeechEncoder, SpeechEncoderConfig
from talker.models.talker import Talker, TalkerConfig
from talker.rigs import arkit
from talker.training.clips import Batch, Clip, load_clips, make_batch
from talker.training.loop import LoopOptions, TrainingLoop
from talker.training.targets import TARGET_CHANNELS

_JAW, _CLOSE = arkit.INDEX["jawOpen"], arkit.INDEX["mouthClose"]


def train_talker(
    data: Path,
    folder: Path,
    options: LoopOptions,
    encoder_config: SpeechEncoderConfig | None = None,
    talker_config: TalkerConfig | None = None,
    resume: bool = False,
    say: Callable[[str], None] = print,
) -> list[float]:
    """Train on the sets below `data` that may be trained on (see `talker.training.clips`); returns the losses.

    `folder` gets the averaged weights with every checkpoint, and `validation.json` with what they score.
    """
    encoder_config = encoder_config or SpeechEncoderConfig()
    talker_config = talker_config or TalkerConfig(feature_width=encoder_config.width)
    clips = load_clips(data)
    training, held_out = [c for c in clips if not c.held_out], [c for c in clips if c.held_out]
    say(f"{len(training)} clips to train on, {len(held_out)} held out")

    torch.manual_seed(options.seed)
    encoder, talker = SpeechEncoder.from_config(encoder_config), Talker(talker_config)
    modules = nn.ModuleDict({"encoder": encoder, "talker": talker})
    loop = TrainingLoop(modules, folder, options)
    if resume:
        loop.resume()
    scale = channel_scale(training)

    def loss_at(step: int) -> Tensor:
        batch = make_batch(training, np.random.default_rng((options.seed, step)))
        predicted = talker(encoder(batch.samples, batch.lengths), _frames(batch.lengths))
        return curve_loss(predicted.float(), batch, scale)

    def on_checkpoint(loop: TrainingLoop) -> None:
        save_checkpoint(folder, Speech(encoder), talker, loop.averaged)
        report = validate(folder, held_out)
        with atomic_output(folder / "validation.json") as temporary:
            temporary.write_text(json.dumps({"step": loop.step, "lip_gap_correlation": report}, indent=2) + "\n")
        say(f"step {loop.step}: " + ", ".join(f"{name} {value:.3f}" for name, value in report.items()))

    return loop.run(loss_at, on_checkpoint)


def channel_scale(clips: list[Clip]) -> Tensor:
    """(52,) loss weight of each channel: the inverse variance, so that small but clear motion counts; 0 if unused."""
    deviation = np.concatenate([clip.curves for clip in clips]).std(axis=0)
    weight = 1.0 / np.maximum(deviation, 0.03) ** 2
    for name in arkit.SHAPES:
        i = arkit.INDEX[name]
        importance = 1.0 if arkit.region(name) in ("jaw", "mouth") else 0.3  # Brows follow the voice loosely.
        weight[i] *= importance if name in TARGET_CHANNELS else 0.0
    return torch.from_numpy(weight / len(TARGET_CHANNELS)).float()


def curve_loss(predicted: Tensor, batch: Batch, scale: Tensor) -> Tensor:
    """Squared error of curves, of their velocity, and of the lips' aperture, in which shut lips count most."""
    weight = batch.weight
    error = (predicted - batch.curves) * weight[..., None]
    position = (error.square() * scale).sum()
    velocity = ((error[:, 1:] - error[:, :-1]).square() * scale).sum()
    aperture = batch.curves[..., _JAW] - batch.curves[..., _CLOSE]
    shut = torch.exp(-aperture / 0.04)
    lips = ((error[..., _JAW] - error[..., _CLOSE]).square() * (1.0 + 3.0 * shut)).sum()
    return (position + 2.0 * velocity + scale[_JAW] * len(TARGET_CHANNELS) * lips) / weight.sum().clamp(min=1.0)


def validate(folder: Path, clips: list[Clip]) -> dict[str, float]:
    """Median over clips of the correlation between the predicted lip aperture and the landmarks' lip gap, per set."""
    from talker.inference import load_model

    model = load_model(folder)
    scores = defaultdict(list)
    for clip in clips:
        scores[clip.set].append(lip_correlation(model.curves(clip.samples), clip))
    return {name: float(np.median(values)) for name, values in scores.items()}


def lip_correlation(curves: np.ndarray, clip: Clip) -> float:
    """Pearson correlation of the predicted aperture, (T, 61) at 50 Hz, and the clip's measured gap."""
    aperture, gap = arkit.lip_aperture(curves), clip.gap
    times = np.arange(len(gap)) / clip.fps - clip.mouth_after_audio
    use = clip.seen & (times >= 0) & (times <= (len(aperture) - 1) / FEATURE_FPS)
    predicted = np.interp(times[use], np.arange(len(aperture)) / FEATURE_FPS, aperture)
    if predicted.std() < 1e-9 or gap[use].std() < 1e-9:
        return 0.0
    return float(np.corrcoef(predicted, gap[use])[0, 1])


def _frames(lengths: Tensor) -> Tensor:
    return torch.ceil(lengths / HOP_SAMPLES).long()
