"""``python -m tests.ceremony.kill_many [DEATHS [KIND]]``: hundreds of deaths, for ``scripts/kill-ceremonies``."""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from keybroker.ceremony.plan import CeremonyKind
from tests.ceremony.stories import killed_stories

MOST = 8
"""Deaths in one story."""


def main(deaths: int, kinds: list[CeremonyKind]) -> int:
    chance, began = random.Random(), time.monotonic()  # noqa: S311 - instants, not secrets
    died, stories, emptied = Counter[str](), 0, 0
    for kind in kinds:
        while died[kind.value] < deaths:
            with tempfile.TemporaryDirectory(prefix="keybroker-kill-") as directory:
                for story in killed_stories(kind, Path(directory), chance.randint(1, MOST), chance):
                    died[kind.value] += story.deaths
                    stories, emptied = stories + 1, emptied + story.emptied
            print(f"{kind}: {died[kind.value]} of {deaths} deaths, each story verified", flush=True)
    seconds = round(time.monotonic() - began)
    print(json.dumps({"stories": stories, "deaths": died, "emptied": emptied, "unverified": 0, "seconds": seconds}))
    return 0


if __name__ == "__main__":
    arguments = sys.argv[1:]
    told = [CeremonyKind(each) for each in arguments[1:]] or [*CeremonyKind]
    sys.exit(main(int(arguments[0]) if arguments else 100, told))
