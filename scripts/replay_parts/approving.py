"""The SMKI PMA's decision on every published Command of a Recovery key: by its very octets, and by no others.

The Recovery key is used only after the SMKI PMA so decided (handbook 6.1), for the messages that the decision names. Of
each message one form is approved; another form of it is other octets, and refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybroker.cli.acting import acting
from keybroker.cli.dev.deployment import Deployment
from keybroker.cli.dev.evidence import read_attests, take_in
from keybroker.cli.dev.statements import OFFICER, decision
from keybroker.config import read_configuration
from keybroker.statement.approval import ApprovedMessage
from scripts.replay_parts.cases import Case
from scripts.replay_parts.expectation import RECOVERY, SIGNED, Expectation

UNAPPROVED = Expectation(reason="APPROVAL_NOT_SHOWN", rule="pma-approval")


def with_decisions(cases: Sequence[Case]) -> list[Case]:
    """The cases; of each message of a Recovery key the first form is expected to be signed, and no other."""
    first: dict[str, Case] = {}
    for case in cases:
        if _is_decided_on(case):
            first.setdefault(str(case.message.name), case)
    kept = {case.number for case in first.values()}
    return [
        replace(case, expectation=UNAPPROVED) if _is_decided_on(case) and case.number not in kept else case
        for case in cases
    ]


def give_decision(deployment: Deployment, cases: Sequence[Case]) -> None:
    """By the deployment's officer, as if of the SMKI PMA, before its broker runs. Raises: KeybrokerError."""
    decided = [case for case in cases if _is_decided_on(case)]
    if not decided:
        return
    configuration = read_configuration(deployment.config_path)
    points = {case.key.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint): None for case in decided}
    said = decision(
        configuration.ledger_origin,
        configuration.clock.now(),
        points,
        [ApprovedMessage(octets_sha256=hashlib.sha256(case.octets).hexdigest()) for case in decided],
    )
    officer = read_attests(deployment.directory / "evidence", OFFICER)
    with acting(configuration, "replay") as (journal, actor):
        take_in(journal, actor, said, officer, configuration.people, configuration.clock.now())


def _is_decided_on(case: Case) -> bool:
    return case.expectation == SIGNED and case.key.role == RECOVERY
