"""What a ceremony concluded of its one key, for the attacks on it."""

from __future__ import annotations

import json
from typing import Any

from keybroker.ceremony.book import Held
from keybroker.terms import KeyLabel

LABEL = KeyLabel("recovery")


def facts(held: Held, step: str) -> Any:
    """Of the one key."""
    (key,) = json.loads(json.dumps(held.facts(step)))["keys"]
    return key
