"""How fast the networks are, side by side in one run: `python -m talker.evaluation.bench`."""

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from talker.cli.output import say
from talker.cli.program import run_program
from talker.models.speech_encoder import NETWORK_RATE, SpeechEncoder, SpeechEncoderConfig


@dataclass(frozen=True)
class Bench:
    """Time the speech encoder against a randomly initialised wav2vec2-base, in turns, in float32 on the CPU."""

    encoder: str = "default"
    """Speech encoder: "default", a folder, or "untrained" for the default sizes with random weights."""
    seconds: float = 30.0
    """Length of the sound."""
    repeats: int = 5
    """Turns; the medians count."""
    threads: int = 2
    """CPU threads."""

    def run(self) -> None:
        """Print both times and their ratio."""
        torch.set_num_threads(self.threads)
        torch.manual_seed(0)
        ours = (
            SpeechEncoder.from_config(SpeechEncoderConfig()).eval()
            if self.encoder == "untrained"
            else SpeechEncoder.load(self.encoder)
        )
        sound = 0.1 * torch.randn(1, round(self.seconds * NETWORK_RATE))
        wall, busy = interleaved_times([lambda: ours(sound), _wav2vec2_base(sound)], self.repeats)
        for name, (mine, theirs) in (("wall clock", wall), ("processor time", busy)):
            say(
                f"{name}: {mine:.3f} s and {theirs:.3f} s for wav2vec2-base, {theirs / mine:.1f} times faster; "
                f"{mine / self.seconds:.4f} of the sound's length"
            )


def interleaved_times(work: list[Callable[[], object]], repeats: int) -> tuple[list[float], list[float]]:
    """Median seconds of each piece of work, (wall clock, processor), taken in turns so that all meet the same machine.

    On a busy machine the processor's time is the steadier of the two.
    """
    wall: list[list[float]] = [[] for _ in work]
    busy: list[list[float]] = [[] for _ in work]
    with torch.inference_mode():
        for turn in range(repeats + 1):
            for i, function in enumerate(work):
                begin, began = time.perf_counter(), time.process_time()
                function()
                if turn > 0:  # The first turn warms up.
                    wall[i].append(time.perf_counter() - begin)
                    busy[i].append(time.process_time() - began)
    return [statistics.median(times) for times in wall], [statistics.median(times) for times in busy]


def _wav2vec2_base(sound: torch.Tensor) -> Callable[[], object]:
    from transformers.models.wav2vec2.configuration_wav2vec2 import Wav2Vec2Config
    from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2Model

    network = Wav2Vec2Model(Wav2Vec2Config()).eval()  # The configuration's defaults are wav2vec2-base.
    return lambda: network(sound)


if __name__ == "__main__":
    sys.exit(run_program(Bench))
