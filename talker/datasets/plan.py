"""Which clip goes into which shard: decided before any work, from the reader alone, without holding the clips."""

import hashlib
import heapq
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

from talker.datasets.shards import ShardTask
from talker.datasets.source import REST_LABELS, SPLITS, ClipSource
from talker.errors import TalkerError
from talker.files import atomic_output, read_text

PLAN_FILE = "plan.json"

_CLIPS_PER_PERSON = 20  # Enough to know a face by: so many calm ones, and so many others.
_CLIPS_PER_RECORDING = 40  # Enough to know by how much its pictures are late.
_FEWEST_TO_SPLIT = 3  # Fewer speakers are all trained on.

_Heap = list[tuple[int, str, ClipSource]]

Reader = Callable[[], Iterator[ClipSource]]
"""Starts reading a data set from the beginning; the same clips in the same order each time."""


@dataclass(frozen=True)
class Plan:
    """What will be made.

    Attributes:
        clips: Number of clips.
        shards: Number of shards.
        videos: Number of clips that must be tracked.
        fingerprint: Of every clip and of everything that decides the content of the shards.
        validation, test: Speakers kept out of training, as "<set>/<speaker>".
    """

    clips: int
    shards: int
    videos: int
    fingerprint: str
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def split_of(self, clip: ClipSource) -> str:
        """Where a clip goes: where its set says, or by who speaks, so that nobody is in two splits."""
        if clip.split is not None:
            return clip.split
        speaker = speaker_name(clip)
        return "validation" if speaker in self.validation else "test" if speaker in self.test else "train"


def speaker_name(clip: ClipSource) -> str:
    """Unique over all sets."""
    return f"{clip.set}/{clip.speaker}"


def make_plan(reader: Reader, shares: tuple[float, float], per_shard: int, content: str) -> Plan:
    """Read through the clips once.

    Args:
        reader: The data set.
        shares: Of every set's speakers for validation and test; at least one each where there are three speakers.
        per_shard: Clips in a shard.
        content: Whatever else decides the bytes of the shards.
    """
    digest = hashlib.sha256(f"{content}|{shares}|{per_shard}".encode())
    speakers: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    by_split: dict[str, int] = defaultdict(int)
    clips = videos = 0
    for clip in reader():
        terms = (clip.licence.name, clip.licence.may_ship)
        said = (clip.id, clip.set, clip.speaker, clip.emotion, clip.level, clip.transcript, clip.view, terms)
        digest.update(repr((*said, clip.mouth_after_audio, clip.recording, clip.split)).encode())
        if clip.split is None:
            speakers[clip.set][speaker_name(clip)] += 1
        else:
            by_split[clip.split] += 1
        clips += 1
        videos += clip.video is not None
    if not clips:
        raise TalkerError("there is not a single clip to prepare")
    chosen = [_held_out(sorted(names), shares) for names in speakers.values()]
    validation, test = (tuple(sorted(name for pair in chosen for name in pair[part])) for part in range(2))
    for speaker, count in ((name, count) for names in speakers.values() for name, count in names.items()):
        by_split["validation" if speaker in validation else "test" if speaker in test else "train"] += count
    shards = sum(-(-count // per_shard) for count in by_split.values())
    return Plan(clips, shards, videos, digest.hexdigest(), validation, test)


def _held_out(speakers: list[str], shares: tuple[float, float]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Chosen by a hash of their names: neither the order of the folders nor the machine matters."""
    if len(speakers) < _FEWEST_TO_SPLIT:
        return (), ()
    shuffled = sorted(speakers, key=lambda name: hashlib.sha256(name.encode()).digest())
    first, second = (max(1, round(share * len(speakers))) if share > 0 else 0 for share in shares)
    return tuple(sorted(shuffled[:first])), tuple(sorted(shuffled[first : first + second]))


def keep_plan(plan: Plan, output: Path) -> None:
    """Note the plan in the output folder; what lies there already must have been made by the same plan."""
    path = output / PLAN_FILE
    if path.is_file():
        try:
            known = json.loads(read_text(path))["fingerprint"]
        except (ValueError, KeyError, TypeError) as error:
            raise TalkerError(f"{path}: damaged; delete the folder, or choose another with -o") from error
        if known != plan.fingerprint:
            raise TalkerError(
                f"{output} holds shards of other clips or other options; continue with the same ones, or choose "
                "another folder with -o"
            )
        return
    if output.is_dir() and any(output.glob("*.tar")):
        raise TalkerError(f"{output} holds tar files but no {PLAN_FILE}; choose another folder with -o")
    with atomic_output(path) as temporary:
        temporary.write_text(json.dumps(asdict(plan), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def shard_tasks(reader: Reader, plan: Plan, per_shard: int) -> Iterator[ShardTask]:
    """The shards one after the other; no more than one unfinished list of clips per split is held."""
    waiting: dict[str, list[ClipSource]] = {split: [] for split in SPLITS}
    numbers = dict.fromkeys(SPLITS, 0)

    def full(split: str) -> ShardTask:
        task = ShardTask(f"{split}-{numbers[split]:06d}", tuple(waiting[split]))
        numbers[split] += 1
        waiting[split] = []
        return task

    for clip in reader():
        split = plan.split_of(clip)
        waiting[split].append(clip)
        if len(waiting[split]) == per_shard:
            yield full(split)
    for split in SPLITS:
        if waiting[split]:
            yield full(split)


def people(reader: Reader) -> Iterator[tuple[ClipSource, ...]]:
    """For everybody who must be tracked, a few dozen clips to know them by: chosen by a hash, whatever the order."""
    chosen: dict[tuple[str, str, str], tuple[_Heap, _Heap]] = defaultdict(lambda: ([], []))
    for clip in reader():
        if clip.video is None and clip.track is None:
            continue
        entry = (-_rank(clip), clip.id, clip)
        known = chosen[clip.person][clip.emotion in REST_LABELS]
        if len(known) < _CLIPS_PER_PERSON:
            heapq.heappush(known, entry)
        else:
            heapq.heappushpop(known, entry)
    for person in sorted(chosen):
        entries = [entry for heap in chosen[person] for entry in heap]
        yield tuple(clip for *_, clip in sorted(entries, key=lambda entry: entry[1]))


def recordings(reader: Reader) -> Iterator[tuple[ClipSource, ...]]:
    """Clips that share an unknown delay of the picture, some of each recording: chosen by a hash.

    Where a reader comes back to a recording, what it yielded first must do.
    """
    done: set[tuple[str, str]] = set()
    for (name, recording), clips in groupby(reader(), key=lambda clip: (clip.set, clip.recording)):
        if recording is None or (name, recording) in done:
            continue
        done.add((name, recording))
        some = heapq.nsmallest(_CLIPS_PER_RECORDING, filter(_may_be_late, clips), key=_rank)
        if len(some) > 1:
            yield tuple(sorted(some, key=lambda clip: clip.id))


def _may_be_late(clip: ClipSource) -> bool:
    silent = clip.video is None and clip.track is None and clip.motion is None
    return not silent and clip.mouth_after_audio is None


def _rank(clip: ClipSource) -> int:
    return int.from_bytes(hashlib.sha256(f"{clip.set}/{clip.id}".encode()).digest()[:8], "big")
