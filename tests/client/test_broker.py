"""The client against a real broker with a real token; signatures are checked by code that shares nothing with it."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from keybroker import errors
from keybroker.cli.dev.sample import sample_pre_command
from keybroker.client import AsyncBroker, BrokerUnreachable, SignedMessage, SigningRequest
from keybroker.terms import ContentKind, EntityIdentifier
from tests.conftest import RunningDeployment
from tests.messages import compose_command

pytestmark = pytest.mark.hsm

DEVICE = EntityIdentifier(bytes.fromhex("027E5700000D0002"))
_counters = itertools.count(1_000)


def pre_command(deployment: RunningDeployment) -> bytes:
    return sample_pre_command(EntityIdentifier(deployment.eui("supplier-a")), DEVICE, next(_counters))


def check_signed(public_key: ec.EllipticCurvePublicKey, message: bytes, signed: SignedMessage) -> None:
    """GBCS: message || 0x40 || r || s, over everything after the 0xDF (handbook 1.5). Raises: InvalidSignature."""
    assert signed.octets == message + b"\x40" + signed.signature
    r, s = (int.from_bytes(signed.octets[start : start + 32]) for start in (-64, -32 + len(signed.octets)))
    public_key.verify(encode_dss_signature(r, s), message[1:], ec.ECDSA(hashes.SHA256()))


def test_refuses_a_key_of_another_party_as_one_that_does_not_exist(deployment: RunningDeployment) -> None:
    sentences = set()
    for key in ("recovery", "there-is-none"):
        with pytest.raises(errors.NotPermitted) as refused:
            deployment.broker("supplier-a").sign_pre_command(key=key, octets=pre_command(deployment))
        sentences.add(refused.value.sentence)
    assert len(sentences) == 1


def test_refuses_malformed_octets_with_offset_and_source(deployment: RunningDeployment) -> None:
    with pytest.raises(errors.ContentMalformed) as refused:
        deployment.broker("supplier-a").sign_pre_command(key="supplier-a", octets=pre_command(deployment)[:-1])
    assert refused.value.offset > 0
    assert "GBCS" in refused.value.clause


def test_refuses_another_originator_with_clause_and_findings(deployment: RunningDeployment) -> None:
    message = sample_pre_command(EntityIdentifier(deployment.eui("network-operator-a")), DEVICE, 1)
    with pytest.raises(errors.NotPermitted) as refused:
        deployment.broker("supplier-a").sign_pre_command(key="supplier-a", octets=message)
    failing = {str(finding.rule): finding for finding in refused.value.findings}
    assert failing["originator-is-keys-eui"].offset == 12
    assert "caller-speaks-for-originator" in failing
    assert refused.value.clause == failing["originator-is-keys-eui"].clause


def test_refuses_a_request_id_that_another_request_has(deployment: RunningDeployment) -> None:
    broker = deployment.broker("supplier-a")
    broker.sign_pre_command(key="supplier-a", octets=pre_command(deployment), request_id="taken-once")
    with pytest.raises(errors.RequestRepeated):
        broker.sign_pre_command(key="supplier-a", octets=pre_command(deployment), request_id="taken-once")


def test_refuses_a_caller_whose_certificate_no_anchor_knows(
    deployment: RunningDeployment, tmp_path_factory: pytest.TempPathFactory
) -> None:
    arguments = deployment.client_arguments("supplier-a")
    arguments["certificate"] = deployment.directory / "pki" / "supplier-a.pem"

    async def ask() -> None:
        async with AsyncBroker(deployment.target, **arguments, timeout=1.0, channels=1) as stranger:
            await stranger.list_keys()

    with pytest.raises(BrokerUnreachable):
        asyncio.run(ask())


def test_signs_a_pre_command_and_gives_the_same_signature_again(deployment: RunningDeployment) -> None:
    broker, message = deployment.broker("supplier-a"), pre_command(deployment)
    first = broker.sign_pre_command(key="supplier-a", octets=message)
    check_signed(deployment.key("supplier-a"), message, first)
    again = broker.sign_pre_command(key="supplier-a", octets=message, request_id=first.request_id)
    assert (again.signature, again.given_again) == (first.signature, True)
    assert again.receipt.leaf_index > first.receipt.leaf_index


def test_signs_a_command_for_a_dcc_service(deployment: RunningDeployment) -> None:
    message = compose_command(0x0008, EntityIdentifier(deployment.eui("cos-party")), DEVICE, 7)
    signed = deployment.broker("dcc").sign_command(key="cos-party", octets=message)
    check_signed(deployment.key("cos-party"), message, signed)


def test_the_receipt_names_a_record_that_its_party_can_read(deployment: RunningDeployment) -> None:
    broker = deployment.broker("supplier-a")
    signed = broker.sign_pre_command(key="supplier-a", octets=pre_command(deployment))
    record = broker.get_record(signed.receipt.leaf_index)
    assert record.leaf_hash == signed.receipt.leaf_hash == hashlib.sha256(b"\0" + record.octets).digest()
    assert json.loads(record.octets)["signature"] == signed.signature.hex()


def test_a_batch_gives_each_item_its_own_outcome(deployment: RunningDeployment) -> None:
    messages = [pre_command(deployment) for _ in range(5)]
    messages[2] = messages[2][:-1]
    requests = [SigningRequest(kind=ContentKind.PRE_COMMAND, key="supplier-a", octets=each) for each in messages]
    outcomes = deployment.broker("supplier-a").sign_batch(requests)
    assert isinstance(outcomes[2], errors.ContentMalformed)
    for message, outcome in zip(messages, outcomes, strict=True):
        if isinstance(outcome, SignedMessage):
            check_signed(deployment.key("supplier-a"), message, outcome)
    assert sum(isinstance(outcome, SignedMessage) for outcome in outcomes) == 4


def test_explains_without_signing(deployment: RunningDeployment) -> None:
    broker, message = deployment.broker("supplier-a"), pre_command(deployment)
    explained = broker.explain(kind=ContentKind.PRE_COMMAND, key="supplier-a", octets=message)
    assert explained.would_sign
    assert explained.error is None
    assert explained.content is not None
    assert explained.content.sha256 == hashlib.sha256(message[1:]).digest()
    assert all(finding.passed and finding.clause for finding in explained.findings)
    refused = broker.explain(kind=ContentKind.COMMAND, key="supplier-a", octets=message)
    assert not refused.would_sign
    assert isinstance(refused.error, errors.NotPermitted)


def test_lists_a_partys_own_keys_and_all_to_an_auditor(deployment: RunningDeployment) -> None:
    own = deployment.broker("supplier-a").list_keys()
    labels = ["supplier-a", "supplier-a-agreement", "supplier-a-prepayment", "supplier-a-xml"]
    assert [(key.label, key.usable) for key in own] == [(label, True) for label in labels]
    everybodys = deployment.broker("auditor").list_keys()
    assert {key.label for key in everybodys} == set(deployment.deployment.keys)
    assert [key.label for key in everybodys if not key.usable] == []


def test_gives_the_public_key_that_is_in_the_token(deployment: RunningDeployment) -> None:
    found = deployment.broker("supplier-a").get_public_key("supplier-a")
    assert load_der_public_key(found.subject_public_key_info) == deployment.key("supplier-a")
    assert len(found.certificates) == 2


def test_threads_share_one_client(deployment: RunningDeployment) -> None:
    broker, messages = deployment.broker("supplier-a"), [pre_command(deployment) for _ in range(200)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda octets: broker.sign_pre_command(key="supplier-a", octets=octets), messages))
    for message, signed in zip(messages, answers, strict=True):
        check_signed(deployment.key("supplier-a"), message, signed)


async def test_tasks_share_one_client(deployment: RunningDeployment) -> None:
    messages = [pre_command(deployment) for _ in range(200)]
    async with deployment.async_broker("supplier-a") as broker:
        answers = await asyncio.gather(
            *(broker.sign_pre_command(key="supplier-a", octets=octets) for octets in messages)
        )
    for message, signed in zip(messages, answers, strict=True):
        check_signed(deployment.key("supplier-a"), message, signed)
    assert len({signed.receipt.leaf_index for signed in answers}) == 200


def test_a_client_that_was_closed_can_be_closed_again(deployment: RunningDeployment) -> None:
    broker = deployment.new_broker("supplier-a")
    broker.list_keys()
    broker.close()
    broker.close()


async def test_nothing_is_noticed_of_connections_that_grow_old(
    new_deployment: Callable[..., RunningDeployment],
) -> None:
    running = new_deployment(limits={"connection_age_seconds": 1, "connection_grace_seconds": 1})
    running.start()
    signed = 0
    async with asyncio.timeout(60), running.async_broker("supplier-a") as broker:
        ends = asyncio.get_running_loop().time() + 4

        async def ask() -> None:
            nonlocal signed
            while asyncio.get_running_loop().time() < ends:
                message = pre_command(running)
                answer = await broker.sign_pre_command(key="supplier-a", octets=message)
                check_signed(running.key("supplier-a"), message, answer)
                signed += 1

        await asyncio.gather(*(ask() for _ in range(8)))
    assert signed > 100
