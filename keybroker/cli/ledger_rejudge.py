"""``keybroker ledger verify``, of a ledger with ``--rejudge``, of a package always: what would today's rules refuse?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from keybroker.cli.output import console, show_facts, show_table
from keybroker.config import Configuration
from keybroker.config.in_force import every_text
from keybroker.config.rejudging import read_texts
from keybroker.ledger.audit import Progress
from keybroker.ledger.audit_rejudging import rejudge_ledger
from keybroker.ledger.reading import Reader
from keybroker.ledger.rejudging import Grounds, Rejudged

_LISTED = 20
"""Leaf indexes that are shown at a terminal of each list; ``--json`` has all."""


def rejudged(configuration: Configuration, ledger: Reader, progress: Progress) -> Rejudged:
    """By the texts that were in force, as far as they are kept, and the policies that travel with this version."""
    texts = read_texts(every_text(configuration.data_directory))
    grounds = Grounds(
        origin=configuration.ledger_origin,
        deployment=configuration.deployment,
        policies={**texts.policies, **{policy.sha256: policy for policy in configuration.policies.values()}},
        callers={**texts.callers, configuration.sha256: configuration.callers},
        anchors=configuration.anchors,
    )
    return rejudge_ledger(ledger, grounds, progress=progress)


def told(found: Rejudged) -> Mapping[str, object]:
    """For ``--json``."""
    return {**asdict(found), "refused": [asdict(each) for each in found.refused]}


def show(found: Rejudged) -> None:
    if found.refused:
        console().print(f"{len(found.refused)} findings would refuse today", style="bold red")
        rows = [
            (each.leaf_index, each.key, each.state, each.rule, each.clause, each.expected, each.found)
            for each in found.refused
        ]
        show_table(("record", "key", "ended", "rule", "clause", "expected", "found"), rows)
    else:
        console().print("nothing that today's rules refuse", style="bold green")
    show_facts(
        {
            "judged again": found.judged,
            "octets not there": _listed(found.without_octets),
            "came with more than octets": _listed(found.accompanied),
            "policies not at hand": ", ".join(f"{name} ({count})" for name, count in found.policies_missing.items()),
        }
    )
    needs = [(rule, count, need) for rule, (need, count) in found.rules_not_judged.items()]
    if needs:
        show_table(("rule not judged", "times", "for want of"), needs)


def _listed(indexes: tuple[int, ...]) -> str:
    more = ["…"] if len(indexes) > _LISTED else []
    shown = ", ".join([*map(str, indexes[:_LISTED]), *more])
    return f"{len(indexes)} ({shown})" if indexes else "0"
