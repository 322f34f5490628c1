"""Is what came of a Key Agreement key right, octet for octet, or refused for the right reason?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scripts.replay_parts.agreement_cases import AgreementCase, Ask, Planned
from scripts.replay_parts.agreement_sending import Answered


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementVerdict:
    """``wrong`` says in a sentence what was not as expected; empty where all is well."""

    case: AgreementCase
    wrong: str


def judge_agreement(cases: Sequence[AgreementCase], answers: Mapping[int, Answered]) -> list[AgreementVerdict]:
    return [AgreementVerdict(case=case, wrong=_wrong(case, answers.get(case.number))) for case in cases]


def _wrong(case: AgreementCase, answer: Answered | None) -> str:
    if answer is None:
        return "no answer"
    if answer.reason != case.reason:
        expected, found = case.reason or "what it asked for", answer.reason or "what it asked for"
        return f"expected {expected}, found {found} {answer.sentence}".strip()
    if case.rule and case.rule not in answer.rules:
        return f"expected the rule {case.rule} to refuse, found {sorted(answer.rules)}"
    if answer.outputs != case.outputs:
        return f"expected other octets than {[each.hex() for each in answer.outputs]}"
    return ""


def agreement_summary(planned: Planned, verdicts: Sequence[AgreementVerdict]) -> dict[str, int]:
    """What was there, and what came out right. ``encrypted`` are messages, ``decrypted`` those of them that were
    deciphered; ``macs_under_other_keys`` are of messages under no key that is held.
    """

    def right(ask: Ask) -> int:
        return sum(each.case.ask is ask and each.case.reason is None and not each.wrong for each in verdicts)

    deciphered = [each for each in verdicts if each.case.ask is Ask.DECIPHER and not each.wrong]
    return {
        "macs": planned.macs,
        "macs_equal": right(Ask.MAC),
        "response_macs": planned.response_macs,
        "response_macs_valid": right(Ask.CHECK),
        "encrypted": planned.encrypted,
        "decrypted": right(Ask.DECIPHER),
        "decrypted_items": sum(len(each.case.outputs) for each in deciphered),
        "macs_under_other_keys": planned.elsewhere,
        "agreement_refused_as_expected": sum(bool(each.case.reason) and not each.wrong for each in verdicts),
    }


def module_summary(sampled: Planned | None, verdicts: Sequence[AgreementVerdict]) -> dict[str, object]:
    """The same of the sample that was computed wholly inside a module; ``in_module`` is None where there was none."""
    counted = agreement_summary(sampled, verdicts) if sampled is not None else {}
    told = ("macs", "macs_equal", "response_macs", "response_macs_valid", "encrypted", "decrypted")
    return {"in_module": {name: counted[name] for name in told} if counted else None}
