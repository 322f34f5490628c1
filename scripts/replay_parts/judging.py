"""Is the answer right? `cryptography` verifies signatures over the raw octets; SHA-256 verifies a record."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from scripts.replay_parts.cases import Case
from scripts.replay_parts.expectation import SIGNED
from scripts.replay_parts.sending import Answer, Answers

_SIGNATURE_FIELD = 65
"""0x40, r, s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``wrong`` says in a sentence what was not as expected; empty where all is well.

    ``signed``: every way gave a signature. ``verified``: and each of them verifies.
    """

    case: Case
    signed: bool
    verified: bool
    wrong: str


def judge_case(case: Case, answers: dict[str, Answers]) -> Verdict:
    """All ways must give what is expected; a signature must verify."""
    told = {way: got.get(case.number) for way, got in answers.items()}
    signed = [answer for answer in told.values() if answer is not None and answer.reason is None]
    all_signed = len(signed) == len(told)
    verified = all_signed and not any(_wrong_signature(case, answer) for answer in signed)
    wrong = [f"{way}: {said}" for way, answer in told.items() if (said := _wrong(case, answer))]
    return Verdict(case=case, signed=all_signed, verified=verified, wrong="; ".join(wrong))


def _wrong(case: Case, answer: Answer | None) -> str:
    if answer is None:
        return "no answer"
    if case.expectation == SIGNED:
        return _wrong_signature(case, answer)
    if answer.reason is None or answer.reason not in (case.expectation.reason, case.expectation.or_reason):
        return f"expected {case.expectation.reason}, found {answer.reason or 'a signature'} {answer.sentence}".strip()
    if case.expectation.rule and case.expectation.rule not in answer.rules:
        return f"expected the rule {case.expectation.rule} to refuse, found {sorted(answer.rules)}"
    return ""


def _wrong_signature(case: Case, answer: Answer) -> str:
    if answer.reason is not None:
        return f"expected a signature, found {answer.reason}: {answer.sentence}"
    unsigned = case.sliced.unsigned
    if answer.signed_message != unsigned + b"\x40" + answer.signature or len(answer.signature) != _SIGNATURE_FIELD - 1:
        return "expected the message, 0x40 and 64 octets of signature, found something else"
    r, s = (int.from_bytes(half, "big") for half in (answer.signature[:32], answer.signature[32:]))
    # Handbook 1.5: everything after the 0xDF tag through the last octet of the content.
    try:
        case.key.public_key.verify(encode_dss_signature(r, s), unsigned[1:], ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return "the signature does not verify with the published public key"
    return ""


def wrong_records(case: Case, answer: Answer, outcome: bytes, intent: bytes) -> str:
    """RFC 9162 2.1.1: a leaf hash is SHA-256 over 0x00 and the record. The outcome
    holds the signature and names its intent, which holds the digest of the message.
    """
    if hashlib.sha256(b"\0" + outcome).digest() != answer.leaf_hash:
        return "the record's leaf hash is not the receipt's"
    if json.loads(outcome)["signature"] != answer.signature.hex():
        return "the record of the outcome holds another signature"
    if json.loads(intent)["digest"] != hashlib.sha256(case.sliced.unsigned[1:]).hexdigest():
        return "the record of the intent holds another digest"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reuse:
    """Originator Counters used more than once for a Device. ``wrong`` is where the broker counted otherwise."""

    counters: int
    signatures: int
    wrong: tuple[str, ...]


def judge_reuse(cases: Iterable[Case], answers: dict[str, Answers]) -> Reuse:
    """The n uses of one (originator, Device, counter) must have been reported as 0, 1, ... n-1, in some order."""
    told: dict[tuple[bytes, bytes, int], list[int]] = defaultdict(list)
    for case in cases:
        told_for_case = [got[case.number] for got in answers.values() if case.number in got]
        key = (case.sliced.originator, case.sliced.recipient, case.sliced.counter)
        told[key] += [answer.counter_reused for answer in told_for_case if answer.reason is None]
    wrong = [
        f"counter {counter:#x} of {originator.hex()} for {device.hex()}: reported {sorted(uses)}"
        for (originator, device, counter), uses in told.items()
        if sorted(uses) != list(range(len(uses)))
    ]
    reused = [uses for uses in told.values() if len(uses) > 1]
    return Reuse(counters=len(reused), signatures=sum(map(len, reused)), wrong=tuple(wrong))
