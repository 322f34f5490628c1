"""Every key purpose x kind of content x operation: exactly the permitted cells, and who forbids the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from keybroker.client import Answer, SigningRequest
from keybroker.client.replies import outcome_from
from keybroker.content.checkpoint import encode_checkpoint
from keybroker.errors import CheckNotShown, ContentMalformed, EvidenceSpent, KeybrokerError, NotPermitted
from keybroker.pb import signing_pb2 as pb
from keybroker.pb import signing_pb2_grpc
from keybroker.policy.matrix import cells
from keybroker.policy.obligations import OBLIGATIONS
from keybroker.policy.rules.purpose import OPERATIONS
from keybroker.server.forms import FORMS
from keybroker.terms import ContentKind, KeyPurpose, Operation
from tests.cli.command import run_here, run_json
from tests.conftest import RunningDeployment
from tests.offers import DEVICE, KEYS, SENSITIVE, Offers, caller_of
from tests.situations import packaged_policies

MATRIX = Path(__file__).parent.parent / "docs" / "matrix.md"
USE_NO_KEY = {
    *(Operation.EXPLAIN, Operation.LIST_KEYS, Operation.GET_PUBLIC_KEY, Operation.GET_RECORD),
    *(Operation.GET_CHECKPOINT, Operation.GET_INCLUSION_PROOF, Operation.GET_CONSISTENCY_PROOF),
    Operation.TAIL_RECORDS,
    *(Operation.BEGIN_SMETS1_SESSION, Operation.END_SMETS1_SESSION),
}
CERTIFICATION = {ContentKind.CERTIFICATE, ContentKind.CERTIFICATE_REVOCATION_LIST}
FROM_DEVICES = {ContentKind.PROTECTED_RESPONSE, ContentKind.ENCRYPTED_RESPONSE}
SMETS1 = {ContentKind.SMETS1_INSTRUCTION, ContentKind.SMETS1_RESPONSE}
USERS_COMMANDS, DCC_COMMANDS = {ContentKind.PRE_COMMAND}, {ContentKind.COMMAND}

# Written down once more, by hand, from the clauses: what the generated table must say.
PERMITTED: dict[KeyPurpose, tuple[str, set[ContentKind]]] = {
    KeyPurpose.SUPPLIER_PRE_COMMAND: ("G3.29", USERS_COMMANDS),
    KeyPurpose.NETWORK_OPERATOR_PRE_COMMAND: ("G3.29", USERS_COMMANDS),
    KeyPurpose.LOAD_CONTROLLER_PRE_COMMAND: ("G3.29", USERS_COMMANDS),
    KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND: ("G2.56", DCC_COMMANDS),
    KeyPurpose.COS_PARTY_COMMAND: ("G2.56", DCC_COMMANDS),
    KeyPurpose.WAN_PROVIDER_COMMAND: ("G2.56", DCC_COMMANDS),
    KeyPurpose.RECOVERY_COMMAND: ("G2.56", DCC_COMMANDS),
    KeyPurpose.CONTINGENCY_COMMAND: ("G2.56", DCC_COMMANDS),
    KeyPurpose.AUDIT_CHECKPOINT: ("G2.45", {ContentKind.AUDIT_CHECKPOINT}),
    KeyPurpose.ROOT_OCA: ("G2.60", CERTIFICATION | {ContentKind.ROOT_CERTIFICATE}),
    KeyPurpose.ISSUING_OCA: ("G2.61", CERTIFICATION),
    KeyPurpose.ACCESS_CONTROL_BROKER_MAC: ("G2.44(b)", FROM_DEVICES | {ContentKind.COMMAND_BEFORE_MAC}),
    KeyPurpose.COS_PARTY_XML: ("G2.44(a)", {ContentKind.SERVICE_REQUEST}),
    KeyPurpose.COS_PARTY_TLS: ("G2.44(a)", {ContentKind.TLS_HANDSHAKE}),
    KeyPurpose.USER_XML: ("G3.22", {ContentKind.SERVICE_REQUEST}),
    KeyPurpose.DSP_XML: ("G2.45", {ContentKind.SERVICE_REQUEST}),
    KeyPurpose.DCO_SMETS1: ("G2.44(c)", SMETS1),
    KeyPurpose.S1SP_SMETS1: ("G2.44(e)", SMETS1),
    KeyPurpose.SMETS1_TLS: ("G2.44(d)", {ContentKind.TLS_HANDSHAKE}),
    KeyPurpose.USER_KEY_AGREEMENT: ("G3.22", FROM_DEVICES),
    KeyPurpose.SUPPLIER_PREPAYMENT: ("G3.22", {ContentKind.PREPAYMENT_TOP_UP}),
    KeyPurpose.CONTINGENCY_SYMMETRIC: ("G2.45", set()),
}
SIGN_NO_REQUEST = {
    KeyPurpose.AUDIT_CHECKPOINT,
    KeyPurpose.DCO_SMETS1,
    KeyPurpose.S1SP_SMETS1,
    KeyPurpose.CONTINGENCY_SYMMETRIC,
}
"""No certificate will ever name such a key."""


@pytest.mark.parametrize("purpose", KeyPurpose)
def test_exactly_what_the_clause_permits_and_all_else_refused_by_that_clause(purpose: KeyPurpose) -> None:
    clause, kinds = PERMITTED[purpose]
    own = kinds if purpose in SIGN_NO_REQUEST else kinds | {ContentKind.CERTIFICATE_SIGNING_REQUEST}
    of_purpose = [cell for cell in cells(packaged_policies()) if cell.purpose is purpose]
    assert len(of_purpose) == len(ContentKind) ** 2
    for cell in of_purpose:
        expected = cell.kind in own and cell.operation is OPERATIONS[cell.kind]
        assert cell.permitted is expected, cell
        assert cell.clause.startswith(clause), cell
        assert cell.expected or cell.permitted, cell


def test_every_operation_carries_one_kind_of_content_and_is_an_rpc_or_named_as_none() -> None:
    assert set(OPERATIONS) == set(ContentKind)
    assert set(OPERATIONS.values()) == set(Operation) - USE_NO_KEY
    by_rpc = {form.operation: form.kind for form in FORMS.values()}
    no_rpc = {Operation.SIGN_CHECKPOINT, Operation.SIGN_ROOT_CERTIFICATE}
    assert by_rpc == {operation: kind for kind, operation in OPERATIONS.items() if operation not in no_rpc}


def test_no_policy_file_could_permit_more_than_the_packaged_ones_do() -> None:
    policies = packaged_policies()
    for purpose, must in OBLIGATIONS.items():
        assert policies[purpose].content_kinds == must.content_kinds, purpose
        assert policies[purpose].operations == must.operations, purpose


def test_the_copy_in_the_documents_is_true() -> None:
    printed = run_here("policy", "matrix", "--markdown").stdout
    assert MATRIX.read_text().endswith(printed)


def test_the_command_prints_the_permitted_cells_and_counts_the_others() -> None:
    lines = [line.split("\t") for line in run_here("policy", "matrix").stdout.splitlines()]
    permitted = {(purpose, kind, operation) for purpose, kind, operation, word, _ in lines if word == "permitted"}
    assert permitted == {(c.purpose, c.kind, c.operation) for c in cells(packaged_policies()) if c.permitted}
    refused = {purpose: clause for purpose, _, _, word, clause in lines if word == "refused"}
    assert set(refused) == set(KeyPurpose)
    assert refused["root-oca"].startswith("G2.60")


def test_the_command_names_every_cell_in_json() -> None:
    how: Callable[..., Any] = run_here
    told = run_json("policy", "matrix", how=how)["cells"]
    assert len(told) == len(KeyPurpose) * len(ContentKind) * len(OPERATIONS)
    assert all(cell["clause"] and bool(cell["rules"]) is not cell["permitted"] for cell in told)


KEY_AGREEMENT = {
    KeyPurpose.ACCESS_CONTROL_BROKER_MAC,
    KeyPurpose.USER_KEY_AGREEMENT,
    KeyPurpose.SUPPLIER_PREPAYMENT,
}
NOBODYS = (KeyPurpose.AUDIT_CHECKPOINT, KeyPurpose.CONTINGENCY_SYMMETRIC)
"""No caller of a deployment is entitled to such a key."""

HOMES = {kind: purpose for purpose, (_, kinds) in reversed(PERMITTED.items()) for kind in kinds} | {
    ContentKind.CERTIFICATE_SIGNING_REQUEST: KeyPurpose.SUPPLIER_PRE_COMMAND
}
"""A purpose whose good content of the kind is offered to the keys of those that may not have it."""


def permitted(purpose: KeyPurpose, kind: ContentKind) -> bool:
    return kind in PERMITTED[purpose][1] or (
        kind is ContentKind.CERTIFICATE_SIGNING_REQUEST and purpose not in SIGN_NO_REQUEST
    )


def good(offers: Offers, purpose: KeyPurpose, kind: ContentKind) -> pb.SignItem | bytes:
    """Good content of the kind for a key of the purpose, or where no such key may have it, for another's.

    Octets alone for the two kinds that no request carries.
    """
    match kind:
        case ContentKind.AUDIT_CHECKPOINT:
            return encode_checkpoint(origin="keybroker.example/TEST", tree_size=1, root_hash=bytes(32))
        case ContentKind.ROOT_CERTIFICATE:
            return offers.certificate("root").tbs_certificate_bytes
        case _:
            return offers.good(purpose if permitted(purpose, kind) else HOMES[kind], kind).item("")


def through(content: pb.SignItem | bytes, rpc: type[Message], key: str, request_id: str) -> pb.SignItem | None:
    """The same octets, and what accompanies them, by another RPC; None for the one that has no field for octets."""
    given: Any = None if isinstance(content, bytes) else getattr(content, content.WhichOneof("request") or "")
    if isinstance(given, rpc):
        asked: Any = given
    elif rpc is pb.MakePrepaymentTokenRequest:
        return None
    else:
        asked = declared(content if isinstance(content, bytes) else FORMS[type(given)].octets(given), given, rpc)
    asked.request_id, asked.key = request_id, key
    arm = next(field.name for field in pb.SignItem.DESCRIPTOR.fields if field.message_type is rpc.DESCRIPTOR)
    return pb.SignItem(**{arm: asked})


def declared(octets: bytes, given: Any, rpc: type[Message]) -> Any:
    asked: Any = rpc()
    if isinstance(asked, pb.SignTlsHandshakeRequest):
        asked.tls12_certificate_verify.handshake_messages = octets
        return asked
    setattr(asked, FORMS[rpc].named, octets)
    if isinstance(asked, pb.ProtectSmets1InstructionRequest | pb.OpenSmets1ResponseRequest):
        asked.device = DEVICE.octets
    for name in FORMS[rpc].beside:
        value = getattr(given, name, None)
        if value and name != FORMS[type(given)].named:
            asked.MergeFrom(rpc(**{name: value if isinstance(value, bytes) else list(value)}))
    return asked


@dataclass(frozen=True)
class Offered:
    """Content of ``kind`` through the RPC that carries ``by``, and what became of it."""

    kind: ContentKind
    by: ContentKind
    outcome: Answer | KeybrokerError


def offered_to(purpose: KeyPurpose, offers: Offers) -> list[Offered]:
    """Every kind of content through every RPC to the purpose's key, in one batch, by a caller who may use the key."""
    places, items = [], []
    for kind in ContentKind:
        for rpc, form in FORMS.items():
            name = f"matrix-{purpose}-{kind}-{form.kind}"
            item = through(good(offers, purpose, kind), rpc, KEYS[purpose].label, name)
            if item is not None:
                places.append((kind, form.kind))
                items.append(item)
    with a_channel(offers.deployment, caller_of(purpose)) as channel:
        response = signing_pb2_grpc.SigningServiceStub(channel).SignBatch(pb.SignBatchRequest(items=items))
    outcomes = [outcome_from(outcome) for outcome in response.outcomes]
    return [Offered(*place, outcome) for place, outcome in zip(places, outcomes, strict=True)]


def a_channel(deployment: RunningDeployment, caller: str) -> grpc.Channel:
    made = deployment.deployment
    credentials = grpc.ssl_channel_credentials(
        made.anchors.read_bytes(), made.private_key(caller).read_bytes(), made.certificate(caller).read_bytes()
    )
    return grpc.secure_channel(made.target, credentials)


@pytest.mark.clause("G2.56", "G2.60", "G2.60(a)", "G2.61", "G2.61(a)", "G3.22", "G3.23(a)(iii)", shows="refusal")
@pytest.mark.hsm
@pytest.mark.parametrize("purpose", [purpose for purpose in KeyPurpose if purpose not in NOBODYS])
def test_exactly_the_permitted_cells_are_signed_or_processed_and_all_others_refused(
    purpose: KeyPurpose, deployment: RunningDeployment
) -> None:
    clause = packaged_policies()[purpose].use_clause
    for each in offered_to(purpose, Offers(deployment)):
        allowed = each.kind is each.by and permitted(purpose, each.kind)
        if not isinstance(each.outcome, KeybrokerError):
            assert allowed, each
        elif each.kind is not each.by:
            # Not what it was declared to be; or the purpose is for neither.
            assert isinstance(each.outcome, ContentMalformed | NotPermitted), each
        elif allowed:
            # A Key Agreement key signs its one request on the way to its certificate, which these have.
            assert purpose in KEY_AGREEMENT, each
            assert each.kind is ContentKind.CERTIFICATE_SIGNING_REQUEST, each
            assert failing(each.outcome) == {"key-state-active": "G5.13(a), G5.24(a)"}, each
        else:
            assert failing(each.outcome)["content-kind-for-purpose"] == clause, each
            assert failing(each.outcome)["operation-for-purpose"] == clause, each


@pytest.mark.hsm
@pytest.mark.parametrize("purpose", SENSITIVE)
def test_what_a_user_may_have_signed_is_refused_without_its_supply_sensitive_check_and_signed_once_with_it(
    purpose: KeyPurpose, deployment: RunningDeployment
) -> None:
    request = Offers(deployment).good(purpose, ContentKind.PRE_COMMAND)
    assert isinstance(request, SigningRequest)
    without = replace(request, supply_sensitive_checks=())
    broker = deployment.broker(caller_of(purpose))
    refused, signed, again = (broker.sign_batch([each])[0] for each in (without, request, request))
    assert isinstance(refused, CheckNotShown)
    assert refused.clause == "G3.25"
    assert not isinstance(signed, KeybrokerError)
    assert isinstance(again, EvidenceSpent), again


@pytest.mark.hsm
@pytest.mark.parametrize("purpose", NOBODYS)
def test_no_request_reaches_a_key_that_is_for_the_broker_or_a_ceremony_alone(
    purpose: KeyPurpose, deployment: RunningDeployment
) -> None:
    for each in offered_to(purpose, Offers(deployment)):
        assert isinstance(each.outcome, NotPermitted), each
        assert set(failing(each.outcome)) == {"caller-entitled-to-key"}, each


def failing(error: KeybrokerError) -> dict[str, str]:
    """The rules that refused, with their clauses."""
    assert isinstance(error, NotPermitted), error
    return {finding.rule: finding.clause for finding in error.findings}
