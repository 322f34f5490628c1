"""Replays published GBCS messages through a development broker. See ``scripts/replay_rtds --help``."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import grpc

from keybroker.cli.dev.deployment import Deployment, DevKey, create_deployment
from keybroker.pb import records_pb2, records_pb2_grpc
from keybroker.terms import EntityIdentifier, KeyPurpose, RemotePartyRole
from scripts.broker_parts.running import open_channel, running_broker
from scripts.replay_parts import expectation
from scripts.replay_parts.agreement_cases import Planned, plan_agreement, sample
from scripts.replay_parts.agreement_judging import (
    AgreementVerdict,
    agreement_summary,
    judge_agreement,
    module_summary,
)
from scripts.replay_parts.agreement_keys import AgreementKey, AgreementKeys, read_agreement_keys
from scripts.replay_parts.agreement_sending import Answered, send_agreement
from scripts.replay_parts.approving import give_decision, with_decisions
from scripts.replay_parts.cases import Case, Message, make_cases, read_messages
from scripts.replay_parts.change_of_supplier import with_service_requests
from scripts.replay_parts.confirming import with_checks
from scripts.replay_parts.expectation import SIGNED, USERS
from scripts.replay_parts.held_keys import HeldKey, read_keys
from scripts.replay_parts.judging import Reuse, Verdict, judge_case, judge_reuse, wrong_records
from scripts.replay_parts.nss_token import PROFILE, create_nss_token, find_nss
from scripts.replay_parts.recertifying import Certified
from scripts.replay_parts.sending import WAYS, Answers

_PURPOSES = {
    expectation.SUPPLIER: KeyPurpose.SUPPLIER_PRE_COMMAND,
    expectation.NETWORK_OPERATOR: KeyPurpose.NETWORK_OPERATOR_PRE_COMMAND,
    expectation.LOAD_CONTROLLER: KeyPurpose.LOAD_CONTROLLER_PRE_COMMAND,
    expectation.ACCESS_CONTROL_BROKER: KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND,
    expectation.COS_PARTY: KeyPurpose.COS_PARTY_COMMAND,
    expectation.WAN_PROVIDER: KeyPurpose.WAN_PROVIDER_COMMAND,
    expectation.RECOVERY: KeyPurpose.RECOVERY_COMMAND,
}
_SAMPLE = 40
"""Of MACs to be made, to be checked, and of messages to be deciphered, inside a module."""


def main() -> int:
    arguments = _arguments()
    keys = [key for key in read_keys(arguments.keys) if key.role in _PURPOSES]
    if not keys:
        raise SystemExit(f"{arguments.keys}: found no <eui>-ds.key with a <eui>-ds.pem of a role that signs Commands")
    messages = read_messages(arguments.vectors)
    cases = with_decisions(make_cases(messages, keys))
    agreement_keys = read_agreement_keys(arguments.keys)
    planned = plan_agreement(messages, agreement_keys)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="keybroker-replay-") as directory:
        dev_keys = [*map(_dev_key, keys), *map(_dev_agreement_key, agreement_keys.parties.values())]
        deployment = create_deployment(Path(directory) / "broker", keys=dev_keys)
        give_decision(deployment, cases)
        cases = with_service_requests(cases, deployment.directory / "pki", list(WAYS))
        with running_broker(deployment, workers=1):
            cases = with_checks(cases, deployment.directory / "evidence", list(WAYS))
            answers, records_wrong = _send_all(deployment, cases)
            agreed = _send_agreement(deployment, planned, Certified(deployment.directory / "pki", agreement_keys))
        sampled, in_module = _send_sample(Path(directory), planned, agreement_keys)
    verdicts = [judge_case(case, answers) for case in cases]
    reuse = judge_reuse(cases, answers)
    agreement = judge_agreement(planned.cases, agreed)
    inside = judge_agreement(sampled.cases if sampled else (), in_module)
    wrong = [
        *(f"{v.case}: {v.wrong}" for v in verdicts if v.wrong),
        *records_wrong,
        *reuse.wrong,
        *(f"{v.case}: {v.wrong}" for v in agreement if v.wrong),
        *(f"in {PROFILE}: {v.case}: {v.wrong}" for v in inside if v.wrong),
    ]
    summary = _summary(messages, keys, verdicts, reuse, wrong)
    summary |= agreement_summary(planned, agreement) | module_summary(sampled, inside)
    if not arguments.json:
        _print_report(messages, verdicts, reuse, seconds=time.monotonic() - began)
        _print_agreement(agreement, summary)
        for sentence in wrong:
            print(f"UNEXPECTED {sentence}")
    print(json.dumps(summary))
    return 1 if wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/replay_rtds",
        description="Sends published GBCS messages through a development broker that holds the published test keys,"
        " and checks every answer with code that shares nothing with the broker."
        " Exit status 1 when anything is not as the handbook says.",
    )
    parser.add_argument("--vectors", type=Path, required=True, help="JSON lines: use_case, name, kind, hex")
    parser.add_argument("--keys", type=Path, required=True, help="holds <eui>-ds.key and <eui>-ds.pem")
    parser.add_argument("--json", action="store_true", help="print the summary alone")
    return parser.parse_args()


def _dev_key(key: HeldKey) -> DevKey:
    """A fresh certificate for the published key: the published ones have expired. Every User is a party of its own."""
    return DevKey(
        label=key.label,
        purpose=_PURPOSES[key.role],
        party=_party(key),
        eui=EntityIdentifier(key.eui),
        role=RemotePartyRole(key.role),
        private_scalar=key.scalar,
    )


def _dev_agreement_key(key: AgreementKey) -> DevKey:
    """The same for a Key Agreement key: of the party whose Digital Signing key it stands beside."""
    user = key.role in USERS
    return DevKey(
        label=key.label,
        purpose=KeyPurpose.USER_KEY_AGREEMENT if user else KeyPurpose.ACCESS_CONTROL_BROKER_MAC,
        party=_agreement_party(key),
        eui=EntityIdentifier(key.eui),
        role=RemotePartyRole(key.role),
        private_scalar=key.scalar,
    )


def _party(key: HeldKey) -> str:
    return key.label if key.role in USERS else "dcc"


def _agreement_party(key: AgreementKey) -> str:
    return key.label.removesuffix("-ka") if key.role in USERS else "dcc"


def _send_agreement(deployment: Deployment, planned: Planned, certified: Certified) -> dict[int, Answered]:
    """Every use of a Key Agreement key, as the party whose key it is."""
    answers: dict[int, Answered] = {}
    for party in dict.fromkeys(_agreement_party(case.key) for case in planned.cases):
        own = [case for case in planned.cases if _agreement_party(case.key) == party]
        answers.update(send_agreement(deployment, party, own, certified))
    return answers


def _send_all(deployment: Deployment, cases: Sequence[Case]) -> tuple[dict[str, Answers], list[str]]:
    """Every case, every way, as the party whose key it asks for; then the records of the unary calls' signatures."""
    answers: dict[str, Answers] = {way: {} for way in WAYS}
    wrong: list[str] = []
    with ExitStack() as stack:
        for party in dict.fromkeys(_party(case.key) for case in cases):
            channel = stack.enter_context(open_channel(deployment, party))
            own = [case for case in cases if _party(case.key) == party]
            for way, send in WAYS.items():
                answers[way].update(send(channel, own, way))
            wrong += _wrong_records(channel, own, answers["unary"])
    return answers, wrong


def _wrong_records(channel: grpc.Channel, cases: Iterable[Case], answers: Answers) -> list[str]:
    stub = records_pb2_grpc.RecordServiceStub(channel)

    def read(leaf_index: int) -> bytes:
        return bytes(stub.GetRecord(records_pb2.GetRecordRequest(leaf_index=leaf_index), timeout=30).record)

    wrong = []
    for case in cases:
        answer = answers.get(case.number)
        if answer is not None and answer.reason is None:
            outcome = read(answer.leaf_index)
            if said := wrong_records(case, answer, outcome, read(json.loads(outcome)["intent"])):
                wrong.append(f"{case}: {said}")
    return wrong


def _send_sample(directory: Path, planned: Planned, keys: AgreementKeys) -> tuple[Planned | None, dict[int, Answered]]:
    """A sample under a broker whose token is NSS's: agreement, derivation and MAC stay inside the module there."""
    if find_nss() is None or not planned.cases:
        return None, {}
    sampled = sample(planned, most=_SAMPLE)
    dev_keys = [_dev_agreement_key(key) for key in keys.parties.values()]
    deployment = create_deployment(directory / "nss", keys=dev_keys, make_token=create_nss_token)
    with running_broker(deployment, workers=1):
        return sampled, _send_agreement(deployment, sampled, Certified(deployment.directory / "pki", keys))


def _summary(
    messages: Sequence[Message],
    keys: Sequence[HeldKey],
    verdicts: Sequence[Verdict],
    reuse: Reuse,
    wrong: Sequence[str],
) -> dict[str, object]:
    """Messages are counted once, in whatever forms they were sent: as signed when a held key should sign them, else as
    refused; ``unexpected`` counts every single thing that was not as the handbook says.
    """
    eligible = {_identity(v.case.message) for v in verdicts if v.case.expectation == SIGNED}
    signed = eligible - {_identity(v.case.message) for v in verdicts if v.case.expectation == SIGNED and not v.signed}
    verified = signed - {_identity(v.case.message) for v in verdicts if v.signed and not v.verified}
    others = {_identity(message) for message in messages} - eligible
    refused_cases = [v for v in verdicts if v.case.expectation.reason and not v.wrong]
    return {
        "signed": len(signed),
        "verified": len(verified),
        "refused_as_expected": len(others - {_identity(v.case.message) for v in verdicts if v.wrong}),
        "unexpected": len(wrong),
        "messages": len(messages),
        "eligible": len(eligible),
        "keys_held": len(keys),
        "ways": list(WAYS),
        "cases": len(verdicts),
        "cases_signed_and_verified": sum(v.verified for v in verdicts),
        "cases_refused_as_expected": len(refused_cases),
        "refusals": dict(Counter(v.case.expectation.reason for v in refused_cases)),
        "requests": len(verdicts) * len(WAYS),
        "counters_reused": reuse.counters,
        "signatures_under_reused_counters": reuse.signatures,
    }


def _identity(message: Message) -> tuple[str, str, str]:
    return message.use_case, message.name, message.kind


def _print_agreement(verdicts: Sequence[AgreementVerdict], summary: Mapping[str, object]) -> None:
    print(f"\n{'Key Agreement key':<30} {'asked':>6} {'right':>6} {'unexpected':>11}")
    for label in dict.fromkeys(verdict.case.key.label for verdict in verdicts):
        own = [verdict for verdict in verdicts if verdict.case.key.label == label]
        unexpected = sum(bool(verdict.wrong) for verdict in own)
        print(f"{label:<30} {len(own):>6} {len(own) - unexpected:>6} {unexpected:>11}")
    print(
        f"{summary['macs_equal']} of {summary['macs']} MACs of Commands are made octet for octet,"
        f" {summary['response_macs_valid']} of {summary['response_macs']} of Responses and Alerts are right;"
        f" {summary['macs_under_other_keys']} are under keys that are not held."
        f"\n{summary['decrypted']} of {summary['encrypted']} messages with encrypted data were deciphered"
        f" ({summary['decrypted_items']} items)."
        f"\n{_told_of_module(summary['in_module'])}"
    )


def _told_of_module(counted: object) -> str:
    if not isinstance(counted, dict):
        return f"{PROFILE} is not installed: NOTHING was computed wholly inside a module."
    return (
        f"Wholly inside {PROFILE}: {counted['macs_equal']} of {counted['macs']} MACs made,"
        f" {counted['response_macs_valid']} of {counted['response_macs']} checked,"
        f" {counted['decrypted']} of {counted['encrypted']} messages deciphered."
    )


def _print_report(messages: Sequence[Message], verdicts: Sequence[Verdict], reuse: Reuse, *, seconds: float) -> None:
    print(f"{'use case':<44} {'messages':>8} {'signed':>7} {'refused':>8} {'unexpected':>11}")
    for use_case in dict.fromkeys(message.use_case for message in messages):
        own = [verdict for verdict in verdicts if verdict.case.message.use_case == use_case]
        count = sum(message.use_case == use_case for message in messages)
        signed, unexpected = sum(v.signed for v in own), sum(bool(v.wrong) for v in own)
        print(f"{use_case:<44} {count:>8} {signed:>7} {len(own) - signed - unexpected:>8} {unexpected:>11}")
    print(
        f"\n{len(messages)} messages, {len(verdicts)} cases, each by {', '.join(WAYS)}, in {seconds:.1f} s."
        f"\n{reuse.counters} Originator Counters were used more than once for a Device ({reuse.signatures} signatures):"
        " recorded and reported, not refused."
    )


if __name__ == "__main__":
    sys.exit(main())
