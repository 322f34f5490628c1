"""``keybroker keys request``: have a key sign the request for its own certificate (PKCS#10), at the machine.

SEC G2.56(b), G2.60(b), G2.61(b), G3.29(b). It goes down the line like any caller's request: decoded, judged, recorded.
The operator asks in the place of the key's own party, as ``local:<user>``, of a kind that the key's purpose serves, and
for this one key and operation alone.
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import Annotated

import typer
from asn1crypto import pem

from keybroker.cli.acting import operator
from keybroker.cli.octets import check_writable
from keybroker.cli.options import Config, Json
from keybroker.cli.output import show_receipt
from keybroker.cli.token import opened_line
from keybroker.config import Configuration, Works, read_configuration
from keybroker.content.assembly import assemble
from keybroker.content.signing_request import decode_signing_request
from keybroker.errors import KeybrokerError, NotPermitted
from keybroker.keys.administration import Actor, BeginEnrolment, administer
from keybroker.keys.certificate_request import SubjectUnclear, request_info
from keybroker.ledger.model import Concluded, GivenAgain, RequestIdentity
from keybroker.policy.model import Policy, RegisteredKey
from keybroker.signing import Ask, sign_batch
from keybroker.terms import (
    Caller,
    CallerKind,
    ContentKind,
    KeyLabel,
    KeyState,
    Operation,
    RemotePartyRole,
    RequestId,
    SystemName,
)

_KIND, _OPERATION = ContentKind.CERTIFICATE_SIGNING_REQUEST, Operation.SIGN_CERTIFICATE_SIGNING_REQUEST


def register(group: typer.Typer) -> None:
    group.command("request")(request)


def request(
    key: Annotated[str, typer.Argument(help="The key's label: [a-z0-9-]{1,63}.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Write the request here, in PEM.", dir_okay=False)],
    config: Config,
    common_name: Annotated[
        str | None, typer.Option(help="The subject's common name; a CA and a TLS key need one.")
    ] = None,
    role: Annotated[
        str | None, typer.Option(help="The Remote Party Role as OU (two hex digits), where the purpose has several.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Sign a Certificate Signing Request with the key itself; asks for the PIN. A Key Agreement key does so once."""
    configuration = read_configuration(config)
    wanted = _role(role)
    check_writable(output)
    with opened_line(configuration) as works:
        registered = _find(works, KeyLabel(key))
        policy = configuration.policies[registered.purpose]
        try:
            info = request_info(registered, policy, role=wanted, common_name=common_name)
        except SubjectUnclear as unclear:
            raise typer.BadParameter(str(unclear), param_hint=unclear.option) from unclear
        actor = operator(configuration, registered.party)
        if registered.state is KeyState.GENERATED:
            administer(works.journal, actor, BeginEnrolment(label=registered.label), configuration.clock.now())
        outcome = _sign(configuration, works, _caller(actor, registered, policy), registered.label, info)
    whole = assemble(decode_signing_request(_KIND, info, ()), outcome.outputs)
    output.write_bytes(pem.armor("CERTIFICATE REQUEST", whole))
    facts = {"key": registered.label, "request": output, "sha256": hashlib.sha256(whole).digest()}
    show_receipt(facts, outcome.receipt, as_json=as_json)


def _find(works: Works, label: KeyLabel) -> RegisteredKey:
    """Raises: NotPermitted."""
    key = works.register.refresh().keys.get(label)
    if key is None:
        raise NotPermitted(f"the register has no key {label} that was generated")
    return key


def _caller(actor: Actor, key: RegisteredKey, policy: Policy) -> Caller:
    """The operator in the place of the party's own system. A purpose that serves no caller gets one that is refused."""
    kinds = sorted(policy.caller_kinds - {CallerKind.OPERATOR}) or [CallerKind.OPERATOR]
    return Caller(
        identity=actor.identity,
        party=key.party,
        system=SystemName("operator"),
        kind=kinds[0],
        user_roles=frozenset(),
        euis=frozenset() if key.eui is None else frozenset({key.eui}),
        operations=frozenset({_OPERATION}),
        keys=frozenset({key.label}),
    )


def _sign(
    configuration: Configuration, works: Works, caller: Caller, key: KeyLabel, info: bytes
) -> Concluded | GivenAgain:
    """Raises: the Refusal or Fault that the line answers."""
    identity = RequestIdentity(
        caller=caller,
        operation=_OPERATION,
        key=key,
        request_id=RequestId(f"request-{secrets.token_hex(8)}"),
        sha256=hashlib.sha256(info).digest(),
    )
    at = configuration.clock.now()
    works.register.refresh()
    (outcome,) = sign_batch(works.line, [Ask(identity=identity, kind=_KIND, octets=info)], at)
    with works.journal.keeping_head(at) as head:
        works.token.write_anchor(head)
    if isinstance(outcome, KeybrokerError):
        raise outcome
    return outcome


def _role(text: str | None) -> RemotePartyRole | None:
    try:
        return None if text is None else RemotePartyRole(int(text, 16))
    except ValueError as error:
        raise typer.BadParameter(
            f"expected a Remote Party Role such as 02, found {text!r}", param_hint="--role"
        ) from error
