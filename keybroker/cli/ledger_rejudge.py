"""``keybroker ledger verify --rejudge``: would today's decoder and rules have refused a use that is on record?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from keybroker.cli.output import console, show_facts, show_table
from keybroker.config import Configuration
from keybroker.config.packaged import packaged_policies
from keybroker.ledger.audit import Progress
from keybroker.ledger.audit_rejudging import rejudge_ledger
from keybroker.ledger.reading import Reader
from keybroker.ledger.rejudging import Grounds, Rejudged
from keybroker.policy.file import read_policies

_LISTED = 20
"""Leaf indexes that are shown at a terminal of each list; ``--json`` has all."""


def rejudged(configuration: Configuration, ledger: Reader, progress: Progress) -> Rejudged:
    """By the policies that are installed and those that travel with this version, whichever the intents name."""
    packaged = read_policies(packaged_policies()).values()
    policies = {policy.sha256: policy for policy in (*packaged, *configuration.policies.values())}
    grounds = Grounds(
        origin=configuration.ledger_origin,
        deployment=configuration.deployment,
        policies=policies,
        callers={configuration.sha256: configuration.callers},
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
