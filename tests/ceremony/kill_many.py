"""``python -m tests.ceremony.kill_many [STORIES [KIND]]``: hundreds of deaths, for ``scripts/kill-ceremonies``."""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from keybroker.ceremony.plan import CeremonyKind
from tests.ceremony.stories import a_story

DEATHS = 8


def main(stories: int, kinds: list[CeremonyKind]) -> int:
    chance, deaths, began = random.Random(), Counter[str](), time.monotonic()  # noqa: S311 - instants, not secrets
    for number in range(stories):
        for kind in kinds:
            with tempfile.TemporaryDirectory(prefix="keybroker-kill-") as directory:
                story = a_story(kind, Path(directory))
                story.killed_at_random(chance.randint(1, DEATHS), chance)
                story.finish()
            deaths[kind.value] += story.deaths
            print(f"{number + 1} of {stories} {kind}: {story.deaths} deaths, verified", flush=True)
    seconds = round(time.monotonic() - began)
    print(json.dumps({"stories": stories * len(kinds), "deaths": deaths, "unverified": 0, "seconds": seconds}))
    return 0


if __name__ == "__main__":
    arguments = sys.argv[1:]
    told = [CeremonyKind(each) for each in arguments[1:]] or [*CeremonyKind]
    sys.exit(main(int(arguments[0]) if arguments else 25, told))
