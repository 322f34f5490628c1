"""Which Anomaly Detection Thresholds does this use count against, and are they set? SEC G6.3, G6.4A, G6.6.

A User's purposes demand the thresholds that the User itself set, the DCC's those of the DCC; whatever else is in force
here for the same thing counts too. Without a threshold nothing is signed: no limit was ever set by leaving one out. The
ledger counts, in the transaction that writes the intent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from keybroker.clause import clause
from keybroker.content.data_values import code_of_values, data_values
from keybroker.content.model import GbcsCommand
from keybroker.gates.look import Look
from keybroker.gates.model import Looked
from keybroker.gates.thresholds import DCC, Notified, newest
from keybroker.gates.thresholds_content import Countable, countable
from keybroker.policy.claim import Counted
from keybroker.statement.payloads import Threshold
from keybroker.terms import CallerKind, Finding

NOT_SET = "THRESHOLD_NOT_SET"
_MINUTE = 60
_REQUIRED = "Anomaly Detection Thresholds in force for everything that the use counts"


def anomaly_threshold(look: Look) -> Looked:
    """Open with what the use counts. Raises: ContentMalformed where a value that has a threshold cannot be read."""
    content = look.use.content
    if not isinstance(content, GbcsCommand) or content.service_request is not None or _has_values(look):
        return _judged(look)
    # By originator and Message Code alone: the same for every such Command of a batch.
    user = content.supplementary_party or content.originator
    names = (content.kind, user.octets.hex(), str(content.message_code.value))
    return look.once("by code", look.use.policy.purpose, *names, find=lambda: _judged(look))


def _has_values(look: Look) -> bool:
    """Is any threshold in force on a data value? Then each payload is looked at."""
    return look.once("values", find=lambda: any(each.has_values for each in _notified(look).values()))


def _judged(look: Look) -> Looked:
    settings = look.use.policy.settings.anomaly_thresholds
    encrypted = frozenset() if settings is None else settings.encrypted_response_variants
    content = look.use.content
    subject = countable(content, encrypted)
    if subject is None:
        return Looked(finding=look.passed(expected=_REQUIRED, found="nothing to count"))
    names = (
        look.use.policy.purpose.value,
        subject.user,
        subject.stage,
        *(" ".join(each) for each in subject.subjects),
    )
    looked = look.once("looked", *names, find=lambda: _counted(look, subject))
    values = tuple(_values(look, subject)) if looked.finding.passed else ()
    return Looked(finding=looked.finding, counts=looked.counts + values) if values else looked


def _counted(look: Look, subject: Countable) -> Looked:
    notified = _notified(look)
    demanded = _demanded(look, subject)
    finding = _finding(look, subject, notified.get(demanded), demanded)
    if not finding.passed:
        return Looked(finding=finding)
    counts = tuple(
        _count(look, subject, whose, threshold)
        for whose in (subject.user, DCC)
        if (each := notified.get(whose)) is not None and not each.why_not
        for measure, on in subject.subjects
        if (threshold := each.find(measure, on)) is not None
    )
    return Looked(finding=finding, counts=counts)


def _notified(look: Look) -> Mapping[str, Notified]:
    part = look.evidence.surroundings.part
    return look.once("newest", find=lambda: newest(look.standing, part, look.at))


def _demanded(look: Look, subject: Countable) -> str:
    is_users = CallerKind.USER_SYSTEM in look.use.policy.caller_kinds
    return subject.user if is_users else DCC


def _finding(look: Look, subject: Countable, notified: Notified | None, whose: str) -> Finding:
    """The demanded thresholds are set, for everything that counts."""
    if not subject.subjects:
        return look.passed(expected=_REQUIRED, found="nothing to count")
    told = ", ".join(f"{measure} {on}" for measure, on in subject.subjects)
    part = look.evidence.surroundings.part or "(none is configured)"
    expected = f"thresholds of {whose} for {told}, in the part {part}"
    if notified is not None and not notified.why_not:
        missing = [f"{measure} {on}" for measure, on in subject.subjects if notified.find(measure, on) is None]
        if not missing:
            return look.passed(expected=expected, found=f"set by {whose}: {notified.statement.told()}")
        found = f"none for {', '.join(missing)} in sequence {notified.notification.sequence}"
    else:
        found = "none notified" if notified is None else notified.why_not
    return look.refused(
        expected=expected,
        found=found,
        reason=NOT_SET,
        remedy="have them set, and give the notification: keybroker thresholds notify",
    )


def _count(look: Look, subject: Countable, whose: str, threshold: Threshold) -> Counted:
    on = threshold.variant or threshold.code or ""
    measure, part = threshold.measure, look.evidence.surroundings.part
    return Counted(
        clause=_clause(whose, threshold),
        name=f"{subject.stage} {measure} {on} {whose} {part}",
        told=f"{measure} {on} of {whose}",
        period_seconds=threshold.period_seconds or _MINUTE,
        warning=threshold.warning or 0,
        quarantine=threshold.quarantine or 0,
        user=subject.user,
    )


@clause("G6.4A")
def _clause(whose: str, threshold: Threshold) -> str:
    # SEC G6.4A: "the User must set an Anomaly Detection Threshold of zero in respect of that Critical Service Request"
    # for which it did not complete testing.
    if not threshold.tested:
        return "G6.4A"
    if threshold.code is not None:
        return "G6.6(c)" if whose == DCC else "G6.3(b)"
    measure = "(i)" if threshold.measure == "critical" else "(ii)"
    return f"G6.6(a){measure}" if whose == DCC else f"G6.3(a){measure}"


# SEC G6.6(b): "an Anomaly Detection Threshold in respect of a data value that has been agreed with the Security
# Sub-Committee within each Signed Pre-Command relating to that Service Reference Variant and SMETS1 Service Request";
# G6.3(b): a User "may, at its discretion, set other Anomaly Detection Thresholds".
@clause("G6.3(b)", "G6.6(b)", "G6.6(d)")
def _values(look: Look, subject: Countable) -> Iterator[Counted]:
    """What the ledger holds against a threshold of none: each data value outside what is set for it."""
    each_notified = [each for each in map(_notified(look).get, (subject.user, DCC)) if each is not None]
    in_force = [each for each in each_notified if not each.why_not and each.has_values]
    if not in_force:
        return
    content = look.use.content
    code = code_of_values(content)
    if code is None:
        return
    values = data_values(content)
    for each in in_force:
        for threshold in each.on_values(code):
            value = values.get(threshold.value or "")
            if value is not None and not (threshold.least or 0) <= value <= (threshold.most or 0):
                yield _outside(look, subject, each.whose, threshold, value)


def _outside(look: Look, subject: Countable, whose: str, threshold: Threshold, value: int) -> Counted:
    part = look.evidence.surroundings.part
    on = f"{threshold.code} {threshold.value}"
    return Counted(
        clause="G6.1(d)(i)" if subject.deletes else "G6.6(b)" if whose == DCC else "G6.3(b)",
        name=f"{subject.stage} value {on} {whose} {part}",
        told=f"{on} of {threshold.least} to {threshold.most}, as {whose} set it",
        period_seconds=_MINUTE,
        warning=0,
        quarantine=0,
        user=subject.user,
        found=str(value),
        deletes=subject.deletes,
    )
