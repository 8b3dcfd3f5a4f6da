"""`python -m talker.training.synthesis`."""

import itertools
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import tyro

from talker.audio import Audio
from talker.cli.program import run_program
from talker.errors import TalkerError
from talker.training.synthesis.corpus import Clip, Split, align_corpus, done_seconds, plan_clip, save, speak
from talker.training.synthesis.kokoro import Kokoro
from talker.training.synthesis.pronunciation import read_transcripts, require_espeak
from talker.training.synthesis.texts import INVENTED, LANGUAGE_SHARES


@dataclass(frozen=True)
class Synthesise:
    """Make hours of speech with phone times, for training; continue where an earlier run stopped.

    For example:
      python -m talker.training.synthesis --hours 1.5 --packages downloads -o synth
    """

    packages: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder with the four npm packages (their names and how to fetch them: see talker/training/synthesis)."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Folder for <id>.flac (16 kHz) and manifest.jsonl; kokoro/ in it holds the joined model."""
    hours: float = 1.5
    """Speech to train on."""
    test_minutes: float = 5.0
    """Speech of voices that are never trained on, made first."""
    seed: int = 0
    """Another seed says other things; several share a folder."""
    transcripts: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """JSON of English sentences to be said as well: {id: {"text": ...}}, as speechocean762's."""
    languages: tuple[str, ...] = ()
    """Only these, by espeak-ng's names, or "invented"; all when none are given. Use them with a seed of their own."""
    jobs: int = 1
    """Processes, with one thread and 1 GB each."""

    def run(self) -> None:
        """Speak what is missing."""
        require_espeak()
        if self.hours <= 0 or self.test_minutes < 0 or self.jobs < 1:
            raise TalkerError("--hours and --jobs must be above 0 and --test-minutes not below 0")
        unknown = [name for name in self.languages if name not in (*LANGUAGE_SHARES, INVENTED)]
        if unknown:
            raise TalkerError(f"'{unknown[0]}' is not one of {', '.join((*LANGUAGE_SHARES, INVENTED))}")
        self.output.mkdir(parents=True, exist_ok=True)
        wanted: dict[Split, float] = {"test": self.test_minutes * 60, "train": self.hours * 3600}
        for split, seconds in wanted.items():
            self._fill(split, seconds)
        print("moving phone borders to where the sound changes", file=sys.stderr)  # noqa: T201
        align_corpus(self.output)

    def _fill(self, split: Split, wanted: float) -> None:
        """Clip by clip until there is enough; the order is fixed, so a continued run makes the same clips."""
        from rich.console import Console
        from rich.progress import Progress

        done = done_seconds(self.output)
        total = 0.0
        with Progress(console=Console(stderr=True)) as progress:
            bar = progress.add_task(f"{split}: seconds of speech", total=wanted)
            for clip, spoken in self._spoken(self._plans(split), done):
                if spoken is not None:
                    save(self.output, *spoken)
                    done[clip.id] = spoken[1]["seconds"]
                total += done[clip.id]
                progress.update(bar, completed=min(total, wanted))
                if total >= wanted:
                    return

    def _plans(self, split: Split) -> Iterator[Clip]:
        voices = tuple(Kokoro.voices(self.packages))
        transcripts = tuple(sorted(read_transcripts(self.transcripts).values())) if self.transcripts else ()
        return (
            plan_clip(split, self.seed, number, voices, transcripts, self.languages) for number in itertools.count()
        )

    def _spoken(
        self, clips: Iterable[Clip], done: dict[str, float]
    ) -> Iterator[tuple[Clip, tuple[Audio, dict[str, Any]] | None]]:
        """Every clip in order with its sound, or None when it is there already."""
        if self.jobs == 1:
            kokoro = Kokoro(self.packages, self._cache)
            for clip in clips:
                yield clip, None if clip.id in done else speak(kokoro, clip)
            return
        Kokoro(self.packages, self._cache)  # Joined once, before the workers need it.
        context = get_context("spawn")
        with ProcessPoolExecutor(self.jobs, context, _start_worker, (self.packages, self._cache)) as pool:
            waiting: deque[tuple[Clip, Future[tuple[Audio, dict[str, Any]]] | None]] = deque()
            for clip in clips:
                waiting.append((clip, None if clip.id in done else pool.submit(_speak_in_worker, clip)))
                if len(waiting) > 2 * self.jobs:
                    first, future = waiting.popleft()
                    yield first, None if future is None else future.result()

    @property
    def _cache(self) -> Path:
        return self.output / "kokoro"


_worker: Kokoro


def _start_worker(packages: Path, cache: Path) -> None:
    global _worker
    _worker = Kokoro(packages, cache)


def _speak_in_worker(clip: Clip) -> tuple[Audio, dict[str, Any]]:
    return speak(_worker, clip)


if __name__ == "__main__":  # Workers import this module.
    sys.exit(run_program(Synthesise))
