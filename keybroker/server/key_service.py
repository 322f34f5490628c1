"""KeyService: which keys are there, and may they be used now? A party sees its own, an auditor all; all recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import final

from keybroker.errors import NotPermitted, RequestMalformed
from keybroker.gates.lapses import Lapse, lapses
from keybroker.gates.readiness import Outlook, shut_gates
from keybroker.pb import keys_pb2 as pb
from keybroker.pb import keys_pb2_grpc
from keybroker.policy.model import KeyRegister, Policy, RegisteredKey
from keybroker.policy.rules.key import cryptoperiod_end, why_not_relied_on
from keybroker.policy.trust import RevocationList
from keybroker.server.authn import check_operation, may_see
from keybroker.server.calls import Calls, Context, answered
from keybroker.server.reading import Facts, recorded
from keybroker.server.requests import check_key
from keybroker.server.standing import Standing
from keybroker.signing import Line
from keybroker.statement.standing import Standing as StandingEvidence
from keybroker.terms import Caller, DeploymentKind, Finding, KeyLabel, KeyState, Operation

_PAGE, _LONGEST_PAGE = 100, 1000
_MOST_WARNINGS = 8

_P256_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
"""SubjectPublicKeyInfo of a P-256 key up to its 65-octet point (RFC 5480 §2)."""


@final
class KeyService(keys_pb2_grpc.KeyServiceServicer):
    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    @answered("ListKeys")
    async def ListKeys(self, request: pb.ListKeysRequest, context: Context) -> pb.ListKeysResponse:  # noqa: N802
        caller = await self.calls.begin(context, "ListKeys", request)
        try:
            check_operation(caller, Operation.LIST_KEYS)
            after = check_key(request.page_token, field="page_token") if request.page_token else KeyLabel("")
            size = _page_size(request.page_size)
        except (RequestMalformed, NotPermitted) as refusal:
            await self.calls.refuse("ListKeys", (caller.identity,), caller, refusal)
        standing = self.calls.standing
        facts: Facts = {"after": after, "page_size": size}
        response = await self.calls.run(
            caller.identity,
            lambda: recorded(
                standing, caller, Operation.LIST_KEYS, facts, lambda: _list(standing, caller, after, size)
            ),
        )
        self.calls.metrics.outside_the_line("ListKeys", "ANSWERED")
        return response

    @answered("GetPublicKey")
    async def GetPublicKey(self, request: pb.GetPublicKeyRequest, context: Context) -> pb.GetPublicKeyResponse:  # noqa: N802
        caller = await self.calls.begin(context, "GetPublicKey", request)
        try:
            check_operation(caller, Operation.GET_PUBLIC_KEY)
            label = check_key(request.key)
        except (RequestMalformed, NotPermitted) as refusal:
            await self.calls.refuse("GetPublicKey", (caller.identity,), caller, refusal)
        standing = self.calls.standing
        response = await self.calls.run(
            caller.identity,
            lambda: recorded(
                standing, caller, Operation.GET_PUBLIC_KEY, {"key": label}, lambda: _get(standing, caller, label)
            ),
        )
        self.calls.metrics.outside_the_line("GetPublicKey", "ANSWERED")
        return response


def outlook_of(line: Line, register: KeyRegister, at: datetime) -> Outlook:
    """What the gates of every key look at now."""
    return Outlook(
        deployment=line.deployment,
        module=line.module.identity,
        surroundings=line.surroundings.seen(at),
        standing=register.standing,
        at=at,
    )


def why_unusable(
    key: RegisteredKey,
    served: Mapping[KeyLabel, Finding],
    lists: Mapping[bytes, RevocationList],
    policy: Policy | None,
    outlook: Outlook,
) -> str:
    """Why the key cannot be used now, empty where it can: its state, the module, its certificate, the gates that are
    shut whatever is asked. For telling only: rules and gates judge.
    """
    told = why_not_served(key, served, lists, outlook.at)
    if told or policy is None:
        return told or "there is no policy for its purpose"
    end = cryptoperiod_end(key, policy)
    if end is not None and outlook.at >= end:
        return f"its cryptoperiod ended at {end.isoformat()}"
    return "; ".join(map(str, shut_gates(key, policy, outlook)))


def lapse_warnings(line: Line, register: KeyRegister, outlook: Outlook) -> list[str]:
    """What lapses soon, or has, of what every key depends on: which sort and when. Of whom, operators are told."""
    found = lapses(outlook.standing, line.policies, outlook.at, lists=register.lists.values())
    return _due(found)[:_MOST_WARNINGS]


def own_warnings(key: RegisteredKey, at: datetime) -> list[str]:
    """Of its own certificate; of the others' nobody is warned here."""
    return _due(lapses(StandingEvidence(), {}, at, keys=(key,)))


def _due(found: Iterable[Lapse]) -> list[str]:
    due = (each for each in found if each.warned_days is not None)
    return list(dict.fromkeys(f"{each.what} lapses in {each.days} days ({each.clause})" for each in due))


def why_not_served(
    key: RegisteredKey,
    served: Mapping[KeyLabel, Finding],
    lists: Mapping[bytes, RevocationList],
    at: datetime,
) -> str:
    """The same without its gates."""
    if key.state is not KeyState.ACTIVE:
        return f"its state is {key.state}"
    finding = served.get(key.label)
    if finding is None or not finding.passed:
        return "the module does not hold it as its purpose demands" if finding is None else f"module: {finding.found}"
    if key.session is not None and not key.session.made_at <= at < key.session.until:
        return f"its session ended at {key.session.until.isoformat()}"
    certificate = key.certificate
    if certificate is None:
        return ""
    if certificate.revoked_at is not None:
        # As the rule has it: a revocation that is known counts, whatever its moment.
        return f"its certificate was revoked at {certificate.revoked_at.isoformat()}"
    if not certificate.not_before <= at <= certificate.not_after:
        return (
            f"its certificate is valid from {certificate.not_before.isoformat()} to {certificate.not_after.isoformat()}"
        )
    found = why_not_relied_on(certificate, lists, at)
    return f"its certificate's chain: {found}" if found else ""


def _list(standing: Standing, caller: Caller, after: KeyLabel, size: int) -> pb.ListKeysResponse:
    register = standing.line.register.refresh()
    served = standing.line.module.served(register)
    outlook = outlook_of(standing.line, register, standing.clock.now())
    visible = sorted(label for label, key in register.keys.items() if may_see(caller, key.party) and label > after)
    warnings = lapse_warnings(standing.line, register, outlook)
    keys = [_key(register.keys[label], register, served, standing.line, outlook, warnings) for label in visible[:size]]
    return pb.ListKeysResponse(keys=keys, next_page_token=visible[size - 1] if len(visible) > size else "")


def _get(standing: Standing, caller: Caller, label: KeyLabel) -> pb.GetPublicKeyResponse:
    register = standing.line.register.refresh()
    key = register.keys.get(label)
    if key is None or not may_see(caller, key.party):
        raise NotPermitted("this caller may not see a key of that name")
    outlook = outlook_of(standing.line, register, standing.clock.now())
    return pb.GetPublicKeyResponse(
        key=_key(
            key,
            register,
            standing.line.module.served(register),
            standing.line,
            outlook,
            lapse_warnings(standing.line, register, outlook),
        ),
        # A symmetric key has none: its identifier stands in the register in its place.
        subject_public_key_info=_P256_SPKI + key.public_key if len(key.public_key) == 65 else b"",
        certificates=key.certificate.der if key.certificate is not None else (),
    )


def _key(
    key: RegisteredKey,
    register: KeyRegister,
    served: Mapping[KeyLabel, Finding],
    line: Line,
    outlook: Outlook,
    warnings: Sequence[str],
) -> pb.Key:
    why_not = why_unusable(key, served, register.lists, line.policies.get(key.purpose), outlook)
    told = pb.Key(
        label=key.label,
        purpose=key.purpose,
        party=key.party,
        state=key.state,
        eui=str(key.eui) if key.eui is not None else "",
        usable=not why_not,
        unusable_because=why_not,
        test=outlook.deployment is DeploymentKind.TEST,
        warnings=[*own_warnings(key, outlook.at), *warnings],
    )
    if key.certificate is not None:
        told.not_before.FromDatetime(key.certificate.not_before)
        told.not_after.FromDatetime(key.certificate.not_after)
    return told


def _page_size(asked: int) -> int:
    if asked > _LONGEST_PAGE:
        raise RequestMalformed(f"expected at most {_LONGEST_PAGE}, found {asked}", field="page_size")
    return asked or _PAGE
