"""Was everything approved that this plan demands, whenever one of its steps was begun? SEC G2.22F-G2.22I, G2.44B. Pure.

Each approval verifies by the certificate beside it. Whether that certificate is the committee's, a stranger decides by
its digest, which he is shown: the transcript cannot say it of itself.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256

from keybroker.ceremony.judging_approvals import demanded_approvals, why_not_of_plan
from keybroker.ceremony.plan import PlanFile
from keybroker.ceremony.transcript_form import ApprovalForm, expect
from keybroker.statement.approval import Approval
from keybroker.statement.attester import Attester
from keybroker.statement.compact import read_compact
from keybroker.statement.kind import StatementKind
from keybroker.statement.said import LATEST, moment
from keybroker.statement.statement import MOST_AHEAD, Statement, read_statement


def check_approvals(
    given: Iterable[ApprovalForm], plan_file: PlanFile, *, origin: str, moments: Sequence[datetime]
) -> tuple[Statement, ...]:
    """Those of this plan, its keys and conditions; all verify. ``moments``: when steps were begun.

    Raises: ValueError, StatementUnfit.
    """
    statements = [_statement(each, origin) for each in given]
    once = len({(each.kid, each.sha256) for each in statements}) == len(statements)
    expect(once, "approvals, each once", "one twice")
    found = tuple(each for each in statements if not why_not_of_plan(approval_of(each), plan_file))
    plan = plan_file.plan
    demanded = {**{each.about: each.committee for each in plan.approvals}, **demanded_approvals(plan)}
    for about, committee in demanded.items():
        for at in moments:
            right = any(_counts(approval_of(each), about, committee, at) for each in found)
            expect(right, f"approval {about} of {committee} in force at {at.isoformat()}", "none")
    return found


def approval_of(statement: Statement) -> Approval:
    """Raises: ValueError where it says something else."""
    payload = statement.payload
    if not isinstance(payload, Approval):
        raise ValueError(f"expected an approval, found {statement.kind}")  # noqa: TRY004 - of what was read, not of us
    return payload


def _counts(approval: Approval, about: str, committee: str, at: datetime) -> bool:
    said = (approval.about, approval.committee) == (about, committee)
    return said and approval.issued <= at + MOST_AHEAD and at < approval.expires


def _statement(given: ApprovalForm, origin: str) -> Statement:
    """As it was when it was issued: whether it lapsed since is no matter of the ceremony's."""
    certificate = base64.b64decode(given.certificate)
    issued = read_compact(given.statement.encode()).claims.get("iat")
    if type(issued) is not int or not 0 <= issued <= LATEST:
        raise ValueError("expected an approval with iat, a moment")
    kid = sha256(certificate).hexdigest()
    attester = Attester(
        kid=kid,
        name=kid[:16],
        party="",
        certificate=certificate,
        kinds=frozenset({StatementKind.APPROVAL}),
        since=moment(0),
        until=datetime.max.replace(tzinfo=UTC),
    )
    octets = given.statement.encode()
    return read_statement(octets, {kid: attester}, kind=StatementKind.APPROVAL, origin=origin, at=moment(issued))
