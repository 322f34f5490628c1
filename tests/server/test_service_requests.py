"""Over real TLS and a real token: who is let in, what is refused and with which reason, what is signed and recorded."""

from __future__ import annotations

import json
import queue
import subprocess
from collections.abc import Iterator
from functools import partial
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from google.rpc import error_details_pb2

from keybroker.pb import keys_pb2, keys_pb2_grpc, records_pb2, records_pb2_grpc, signing_pb2_grpc
from keybroker.pb import signing_pb2 as pb
from tests.deployments import create_deployment
from tests.server.broker import RunningBroker, edit, items, reason, refusal, running, wait_until

pytestmark = pytest.mark.hsm
LIMITS = {"message_octets": 2048, "batch_items": 8, "queued_items": 16}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    deployment = create_deployment(tmp_path_factory.mktemp("service"), limits=LIMITS)
    # load-controller-a keeps its certificate and loses its place in the table.
    edit(deployment, "urn:keybroker:load-controller-a:", "urn:keybroker:nobody:")
    with running(deployment) as broker:
        yield broker


@pytest.fixture(scope="module")
def supplier(broker: RunningBroker) -> Iterator[grpc.Channel]:
    with broker.channel("supplier-a") as channel:
        yield channel


@pytest.fixture(scope="module")
def stub(supplier: grpc.Channel) -> signing_pb2_grpc.SigningServiceStub:
    return signing_pb2_grpc.SigningServiceStub(supplier)


def records(broker: RunningBroker, kind: str) -> list[dict[str, Any]]:
    """The newest records of a kind, read as an auditor does."""
    with broker.channel("auditor") as channel:
        stub = records_pb2_grpc.RecordServiceStub(channel)
        found: list[dict[str, Any]] = []
        index = 0
        while True:
            try:
                record = json.loads(stub.GetRecord(records_pb2.GetRecordRequest(leaf_index=index)).record)
            except grpc.RpcError:
                return found
            if record["kind"] == "read" and record["body"]["looked_at"].get("leaf_index") == 0:
                return found
            if record["kind"] == kind:
                found.append(record)
            index += 1


# ---- the handshake


def test_refuses_tls_1_2_and_counts_it(broker: RunningBroker) -> None:
    before = broker.metric("keybroker_handshakes_failed_total")
    ended = s_client(broker, "-tls1_2")
    assert ended.returncode != 0
    assert b"Cipher is (NONE)" in ended.stdout
    wait_until(lambda: broker.metric("keybroker_handshakes_failed_total") > before, seconds=5, otherwise=broker.log)


def test_refuses_a_peer_without_certificate_in_the_handshake_and_counts_it(broker: RunningBroker) -> None:
    before = broker.metric("keybroker_handshakes_failed_total")
    with broker.channel(None) as channel:
        stub = signing_pb2_grpc.SigningServiceStub(channel)
        assert refusal(lambda: stub.SignPreCommand(broker.request("x")))[0] is grpc.StatusCode.UNAVAILABLE
    wait_until(lambda: broker.metric("keybroker_handshakes_failed_total") > before, seconds=5, otherwise=broker.log)


def test_openssl_connects_with_tls_1_3_and_a_client_certificate(broker: RunningBroker) -> None:
    assert b"Protocol version: TLSv1.3" in s_client(broker, "-tls1_3", "-brief").stderr


def s_client(broker: RunningBroker, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    deployment = broker.deployment
    command = ["openssl", "s_client", "-connect", deployment.target, "-alpn", "h2", *arguments]
    command += ["-cert", str(deployment.certificate("supplier-a")), "-key", str(deployment.private_key("supplier-a"))]
    return subprocess.run(command, input=b"Q", capture_output=True, timeout=10, check=False)


# ---- refusals


def test_refuses_a_stranger_and_records_it(broker: RunningBroker) -> None:
    with broker.channel("load-controller-a") as channel:
        stub = signing_pb2_grpc.SigningServiceStub(channel)
        code, why, _ = refusal(lambda: stub.SignPreCommand(broker.request("stranger")))
    assert (code, why) == (grpc.StatusCode.UNAUTHENTICATED, "CALLER_UNKNOWN")
    bodies = [record["body"] for record in records(broker, "refusal") if "body" in record]
    assert any(body["reason"] == "CALLER_UNKNOWN" and "load-controller-a" in str(body["peer"]) for body in bodies)


@pytest.mark.parametrize(
    ("changes", "code", "why", "detail"),
    [
        ({"request_id": ""}, "INVALID_ARGUMENT", "REQUEST_MALFORMED", "BadRequest"),
        ({"request_id": "two words"}, "INVALID_ARGUMENT", "REQUEST_MALFORMED", "BadRequest"),
        ({"key": "Not A Label"}, "INVALID_ARGUMENT", "REQUEST_MALFORMED", "BadRequest"),
        ({"pre_command": b""}, "INVALID_ARGUMENT", "REQUEST_MALFORMED", "BadRequest"),
        ({"pre_command": bytes(2049)}, "INVALID_ARGUMENT", "REQUEST_MALFORMED", "BadRequest"),
        ({"pre_command": bytes(64 * 2048)}, "INVALID_ARGUMENT", "REQUEST_MALFORMED", "BadRequest"),
        ({"pre_command": b"\xdf\x09"}, "INVALID_ARGUMENT", "CONTENT_MALFORMED", "ErrorInfo"),
        ({"key": "no-such-key"}, "PERMISSION_DENIED", "NOT_PERMITTED", "ErrorInfo"),
        ({"key": "network-operator-a"}, "PERMISSION_DENIED", "NOT_PERMITTED", "ErrorInfo"),
    ],
)
def test_refuses_pre_command(
    broker: RunningBroker,
    stub: signing_pb2_grpc.SigningServiceStub,
    request: pytest.FixtureRequest,
    changes: dict[str, object],
    code: str,
    why: str,
    detail: str,
) -> None:
    asked = broker.request(f"refused-{hash(request.node.name)}", **changes)
    found_code, found_why, details = refusal(lambda: stub.SignPreCommand(asked))
    assert (found_code.name, found_why) == (code, why)
    assert detail in details
    assert details["info"].domain == "keybroker"


def test_an_unknown_key_and_another_partys_key_sound_the_same(
    broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub
) -> None:
    answers = [
        refusal(partial(stub.SignPreCommand, broker.request(f"oracle-{key}", key=key)))
        for key in ("no-such-key", "network-operator-a")
    ]
    assert answers[0][0] == answers[1][0]
    assert answers[0][2]["sentence"] == answers[1][2]["sentence"]


@pytest.mark.clause("G2.56(a)", "G3.29(a)", shows="refusal")
def test_refuses_the_wrong_rpc_for_the_purpose_with_every_failing_finding(
    broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub
) -> None:
    good = broker.request("wrong-rpc")
    command = pb.SignCommandRequest(request_id="wrong-rpc", key="supplier-a", command=good.pre_command)
    code, why, details = refusal(lambda: stub.SignCommand(command))
    assert (code, why) == (grpc.StatusCode.PERMISSION_DENIED, "NOT_PERMITTED")
    assert details["info"].metadata["clause"]
    rules = {violation.subject for violation in _violations(details)}
    assert {"caller-entitled-to-operation", "operation-for-purpose"} <= rules


def test_refuses_an_oversized_request_itself_and_records_it(
    broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub
) -> None:
    asked = broker.request("oversized", pre_command=bytes(64 * 2048 + 1000))
    code, why, details = refusal(lambda: stub.SignPreCommand(asked))
    assert (code, why) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_MALFORMED")
    assert "BadRequest" in details


def test_refuses_an_unknown_field(broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub) -> None:
    asked = broker.request("unknown-field")
    asked.MergeFromString(b"\x9a\x06\x01x")  # field 99
    assert refusal(lambda: stub.SignPreCommand(asked))[1] == "REQUEST_MALFORMED"


def test_refuses_a_repeated_id_with_another_request(
    broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub
) -> None:
    stub.SignPreCommand(broker.request("repeated"))
    code, why, _ = refusal(lambda: stub.SignPreCommand(broker.request("repeated")))
    assert (code, why) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_REPEATED")


def test_refuses_a_batch_that_is_too_long(broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub) -> None:
    asked = pb.SignBatchRequest(items=items(*(broker.request(f"long-{n}") for n in range(9))))
    code, why, details = refusal(lambda: stub.SignBatch(asked))
    assert (code, why) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_MALFORMED")
    assert "found 9" in details["sentence"]


def test_refuses_a_record_of_another_party_as_if_there_were_none(
    broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub
) -> None:
    index = stub.SignPreCommand(broker.request("record-of-another")).signed.receipt.leaf_index
    with broker.channel("network-operator-a") as channel:
        records_stub = records_pb2_grpc.RecordServiceStub(channel)
        answers = [
            refusal(partial(records_stub.GetRecord, records_pb2.GetRecordRequest(leaf_index=i)))
            for i in (index, 2**40, 2**63)
        ]
    assert {(code, why, details["sentence"]) for code, why, details in answers} == {
        (grpc.StatusCode.PERMISSION_DENIED, "NOT_PERMITTED", "this caller may not see a record at that index")
    }


def test_refuses_another_partys_public_key(broker: RunningBroker, supplier: grpc.Channel) -> None:
    stub = keys_pb2_grpc.KeyServiceStub(supplier)
    asked = keys_pb2.GetPublicKeyRequest(key="network-operator-a")
    assert refusal(lambda: stub.GetPublicKey(asked))[1] == "NOT_PERMITTED"


# ---- what is signed


@pytest.mark.clause("G2.56(a)", "G3.29(a)", shows="acceptance")
def test_signs_a_pre_command_that_a_device_would_accept(
    broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub
) -> None:
    asked = broker.request("good")
    signed = stub.SignPreCommand(asked).signed
    assert signed.signed_message == asked.pre_command + b"\x40" + signed.signature
    r, s = (int.from_bytes(part, "big") for part in (signed.signature[:32], signed.signature[32:]))
    public_key = broker.deployment.keys["supplier-a"].public_key
    public_key.verify(utils.encode_dss_signature(r, s), asked.pre_command[1:], ec.ECDSA(hashes.SHA256()))


def test_gives_the_recorded_signature_again(broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub) -> None:
    asked = broker.request("again")
    first, second = (stub.SignPreCommand(asked).signed for _ in range(2))
    assert second.given_again
    assert second.signed_message == first.signed_message
    assert second.receipt.leaf_index > first.receipt.leaf_index


def test_a_party_reads_its_record_and_an_auditor_too(
    broker: RunningBroker, supplier: grpc.Channel, stub: signing_pb2_grpc.SigningServiceStub
) -> None:
    index = stub.SignPreCommand(broker.request("read-record")).signed.receipt.leaf_index
    asked = records_pb2.GetRecordRequest(leaf_index=index)
    own = records_pb2_grpc.RecordServiceStub(supplier).GetRecord(asked)
    assert json.loads(own.record)["kind"] == "outcome"
    with broker.channel("auditor") as channel:
        assert records_pb2_grpc.RecordServiceStub(channel).GetRecord(asked) == own


def test_each_item_of_a_batch_has_its_own_outcome(
    broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub
) -> None:
    good = broker.request("b-good")
    asked = items(
        good,
        broker.request("b-key", key="no-such-key"),
        broker.request("b-content", pre_command=b"\x00"),
        broker.request("b id", request_id="b id"),
        good,
        broker.request("b-good"),
    )
    outcomes = stub.SignBatch(pb.SignBatchRequest(items=[*asked, pb.SignItem()])).outcomes
    assert [reason(outcome) for outcome in outcomes] == [
        "SIGNED",
        "NOT_PERMITTED",
        "CONTENT_MALFORMED",
        "REQUEST_MALFORMED",
        "SIGNED",
        "REQUEST_REPEATED",
        "REQUEST_MALFORMED",
    ]
    assert [outcome.request_id for outcome in outcomes[:3]] == ["b-good", "b-key", "b-content"]
    assert outcomes[4].signed.given_again
    assert outcomes[4].signed.signature == outcomes[0].signed.signature


def test_a_stream_answers_every_item_by_its_request_id_with_more_items_than_may_be_unanswered(
    broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub
) -> None:
    names = [f"s-{n}" for n in range(40)]

    def messages() -> Iterator[pb.SignStreamRequest]:
        for n in range(0, 40, 4):
            yield pb.SignStreamRequest(items=items(*(broker.request(name) for name in names[n : n + 4])))

    outcomes = [outcome for reply in stub.SignStream(messages()) for outcome in reply.outcomes]
    assert sorted(outcome.request_id for outcome in outcomes) == sorted(names)
    assert {reason(outcome) for outcome in outcomes} == {"SIGNED"}


def test_a_caller_taken_out_of_the_table_is_refused_on_its_open_stream_and_let_in_again(broker: RunningBroker) -> None:
    asked: queue.SimpleQueue[pb.SignStreamRequest | None] = queue.SimpleQueue()
    with broker.channel("network-operator-a") as channel:
        replies = signing_pb2_grpc.SigningServiceStub(channel).SignStream(iter(asked.get, None))

        def ask(name: str) -> str:
            asked.put(pb.SignStreamRequest(items=items(broker.request(name, key="network-operator-a"))))
            return reason(next(replies).outcomes[0])

        # Its octets are the supplier's: refused by the rules, so the caller is known.
        assert ask("known") == "NOT_PERMITTED"
        _reload(broker, "urn:keybroker:network-operator-a:", "urn:keybroker:gone:")
        assert ask("gone") == "CALLER_UNKNOWN"
        _reload(broker, "urn:keybroker:gone:", "urn:keybroker:network-operator-a:")
        assert ask("known-again") == "NOT_PERMITTED"
        asked.put(None)
        assert list(replies) == []


def _reload(broker: RunningBroker, old: str, new: str) -> None:
    taken = len(broker.events("reload taken"))
    edit(broker.deployment, old, new)
    broker.reload()
    broker.wait_for("reload taken", times=taken + 1)


def _violations(details: dict[str, Any]) -> list[Any]:
    failure = error_details_pb2.PreconditionFailure()
    details["PreconditionFailure"].Unpack(failure)
    return list(failure.violations)


# ---- looking


def test_explain_shows_every_rule_and_uses_no_key(
    broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub
) -> None:
    item = items(broker.request("inside"))[0]
    explained = stub.Explain(pb.ExplainRequest(request_id="explain-1", item=item))
    assert explained.would_sign
    assert explained.content.use_case == "ECS70"
    assert all(finding.passed for finding in explained.findings)
    assert len(explained.policy_sha256) == 32
    # The id is free: nothing was intended under it.
    assert not stub.SignPreCommand(broker.request("explain-1")).signed.given_again


def test_explain_shows_what_would_refuse(broker: RunningBroker, stub: signing_pb2_grpc.SigningServiceStub) -> None:
    good = broker.request("explain-2")
    command = pb.SignItem(sign_command=pb.SignCommandRequest(key="supplier-a", command=good.pre_command))
    explained = stub.Explain(pb.ExplainRequest(request_id="explain-2", item=command))
    assert not explained.would_sign
    assert {finding.passed for finding in explained.findings} == {True, False}
    assert explained.error.code == grpc.StatusCode.PERMISSION_DENIED.value[0]
    assert explained.content.use_case == "ECS70"
    assert (explained.key_purpose, len(explained.policy_sha256)) == ("supplier-pre-command", 32)


@pytest.mark.parametrize(
    ("changes", "use_case", "purpose"),
    [
        ({"pre_command": b"\xdf"}, "", "supplier-pre-command"),
        ({"key": "network-operator-a"}, "ECS70", ""),
        ({"key": "no-such-key"}, "ECS70", ""),
    ],
)
def test_explain_tells_of_what_it_refuses_only_what_is_known_and_the_callers_own(
    broker: RunningBroker,
    stub: signing_pb2_grpc.SigningServiceStub,
    changes: dict[str, object],
    use_case: str,
    purpose: str,
) -> None:
    item = items(broker.request("inside", **changes))[0]
    explained = stub.Explain(pb.ExplainRequest(request_id="explain-3", item=item))
    assert not explained.would_sign
    assert (explained.content.use_case, explained.key_purpose) == (use_case, purpose)


def test_a_party_lists_its_own_keys_and_an_auditor_all_by_pages(broker: RunningBroker, supplier: grpc.Channel) -> None:
    own = keys_pb2_grpc.KeyServiceStub(supplier).ListKeys(keys_pb2.ListKeysRequest())
    labels_of_own = ["supplier-a", "supplier-a-agreement", "supplier-a-prepayment", "supplier-a-xml"]
    assert [(key.label, key.usable, key.unusable_because) for key in own.keys] == [
        (it, True, "") for it in labels_of_own
    ]
    with broker.channel("auditor") as channel:
        stub = keys_pb2_grpc.KeyServiceStub(channel)
        labels: list[str] = []
        token = ""
        while True:
            page = stub.ListKeys(keys_pb2.ListKeysRequest(page_size=4, page_token=token))
            labels += [key.label for key in page.keys]
            token = page.next_page_token
            if not token:
                break
    assert labels == sorted(broker.deployment.keys)


def test_a_public_key_comes_with_its_certificate_chain(broker: RunningBroker, supplier: grpc.Channel) -> None:
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    found = keys_pb2_grpc.KeyServiceStub(supplier).GetPublicKey(keys_pb2.GetPublicKeyRequest(key="supplier-a"))
    assert load_der_public_key(found.subject_public_key_info) == broker.deployment.keys["supplier-a"].public_key
    assert len(found.certificates) >= 1
