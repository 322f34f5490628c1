"""The same questions by the Python client: ``apply_command_mac``, ``check_response_mac``, ``decrypt_response``."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import assert_never

from keybroker.cli.dev.deployment import Deployment
from keybroker.client import Broker
from keybroker.client.answers import Processed
from keybroker.errors import KeybrokerError, NotPermitted
from scripts.replay_parts.agreement_cases import AgreementCase, Ask
from scripts.replay_parts.recertifying import Certified

_IN_FLIGHT = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """``outputs``, or a reason with the rules that refused."""

    outputs: tuple[bytes, ...] = ()
    reason: str | None = None
    rules: frozenset[str] = frozenset()
    sentence: str = ""


def send_agreement(
    deployment: Deployment, caller: str, cases: Sequence[AgreementCase], certified: Certified
) -> dict[int, Answered]:
    """Every case as this caller; answers by the number of the case."""
    with (
        Broker(
            deployment.target,
            certificate=deployment.certificate(caller),
            private_key=deployment.private_key(caller),
            anchors=deployment.anchors,
        ) as broker,
        ThreadPoolExecutor(_IN_FLIGHT) as pool,
    ):
        return dict(pool.map(lambda case: (case.number, _answer(broker, case, certified)), cases))


def _answer(broker: Broker, case: AgreementCase, certified: Certified) -> Answered:
    try:
        return Answered(outputs=_ask(broker, case, certified).outputs)
    except NotPermitted as refusal:
        rules = frozenset(str(finding.rule) for finding in refusal.findings if not finding.passed)
        return Answered(reason=refusal.reason, rules=rules, sentence=str(refusal))
    except KeybrokerError as error:
        return Answered(reason=error.reason, sentence=str(error))


def _ask(broker: Broker, case: AgreementCase, certified: Certified) -> Processed:
    key, device = case.key.label, certified.device(case.device)
    match case.ask:
        case Ask.MAC:
            return broker.apply_command_mac(
                key=key,
                inner_command=case.octets,
                device_certificates=device,
                originator_certificates=certified.originator(case.originator),
            )
        case Ask.CHECK:
            return broker.check_response_mac(key=key, message=case.octets, device_certificates=device)
        case Ask.DECIPHER:
            return broker.decrypt_response(key=key, message=case.octets, device_certificates=device)
        case _:
            assert_never(case.ask)
