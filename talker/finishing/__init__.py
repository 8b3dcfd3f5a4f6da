"""From lip-sync to a performance: blinks, gaze, head, breath, and a mouth that closes when it should."""

from talker.finishing.look_at import parse_look_at as parse_look_at
from talker.finishing.steps import FinishingOptions as FinishingOptions
from talker.finishing.steps import finish as finish
