"""The statement of the User's own check system beside every Pre-Command whose effect on supply is to be checked.

Which those are stands in table 4.4 of the handbook, where a Service Reference Variant affects supply or possibly does,
by the Message Codes of its table 2.1 (SEC G3.25). One statement lets one signature be made, so each way has its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from keybroker.cli.dev.evidence import Attests, confirmed, read_attests
from keybroker.terms import EntityIdentifier
from scripts.replay_parts.cases import Case
from scripts.replay_parts.expectation import SIGNED, USERS, Expectation


def _by_code(text: str) -> dict[int, str]:
    pairs = (word.split("=") for word in text.split())
    return {int(code, 16): variant for code, variant in pairs}


SENSITIVE = _by_code(
    """
    0012=11.3 0019=1.1.1 001A=1.6 001B=1.6 001C=1.5 001E=2.3 001F=2.1 0020=2.5 0043=6.4.1 004B=7.12 004F=7.1
    0050=7.2 0051=7.3 0054=6.14.2 0055=7.5 0068=6.25 006B=1.1.1 006C=1.6 006D=1.6 006E=2.3 006F=2.1 0070=2.5
    007C=6.6 007D=6.7 0081=7.2 0085=7.3 0086=1.5 00A2=1.2.1 00A3=1.2.1 00B3=1.5 00B4=1.5 00B7=1.1.2 00C0=1.5
    00C2=1.5 00C7=1.2.2 00DE=2.1 00FC=6.7 0102=6.15.1 0103=6.15.1 011A=6.14.3 011E=7.13 011F=7.16 0126=6.15.1
    """
)
"""By Message Code, a variant that affects supply or possibly does."""
UNCHECKED = "without its Supply Sensitive Check"


def with_checks(cases: Sequence[Case], directory: Path, ways: Sequence[str]) -> list[Case]:
    """The cases; those to be checked with a statement for each way, and each of them once more without any, refused.

    ``directory`` is the deployment's ``evidence``; every User is a party of its own, by its key's label.
    """
    attests = cache(lambda system: read_attests(directory, system))
    checked = [
        replace(case, checks={way: _statement(case, attests(_check_system(case))) for way in ways})
        if _is_to_be_checked(case)
        else case
        for case in cases
    ]
    return [*checked, *_unchecked(cases)]


def _unchecked(cases: Sequence[Case]) -> Iterator[Case]:
    """Of each message one."""
    refused = Expectation(reason="CHECK_NOT_SHOWN", rule="supply-sensitive-check")
    wanted = {case.octets: case for case in cases if _is_to_be_checked(case)}
    for number, case in enumerate(wanted.values(), len(cases)):
        yield replace(case, number=number, form=f"{case.form}, {UNCHECKED}", expectation=refused)


def _is_to_be_checked(case: Case) -> bool:
    return case.expectation == SIGNED and case.key.role in USERS and case.sliced.code in SENSITIVE


def _check_system(case: Case) -> str:
    return f"{case.key.label}/check"


def _statement(case: Case, attests: Attests) -> str:
    return confirmed(
        attests,
        case.octets,
        variant=SENSITIVE[case.sliced.code],
        user=EntityIdentifier(case.sliced.originator),
        device=EntityIdentifier(case.sliced.recipient),
        counter=case.sliced.counter,
        confirmed_by="rule: the replay of published messages",
    )
