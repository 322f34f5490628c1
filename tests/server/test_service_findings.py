"""A broker with two gates shut at once: each says what is required, by which clause, what was found and what to do.

What the rules refuse says so of its gates too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import grpc
import pytest
from grpc_status import rpc_status

from keybroker.cli.dev.sample import sample_pre_command
from keybroker.client.refusals import error_from, finding_from
from keybroker.errors import GateShut, KeybrokerError, NotPermitted
from keybroker.gates import EXISTING_GATES
from keybroker.pb import signing_pb2 as pb
from keybroker.pb import signing_pb2_grpc
from keybroker.terms import EntityIdentifier, Finding, KeyPurpose
from tests.deployments import create_deployment
from tests.messages import NETWORK_OPERATOR, OPEN_LOAD_SWITCH
from tests.server.broker import DEVICE, RunningBroker, edit, items, running
from tests.situations import packaged_policies

pytestmark = pytest.mark.hsm

Stub = signing_pb2_grpc.SigningServiceStub
SUPPLIER = KeyPurpose.SUPPLIER_PRE_COMMAND
SHUT = {"uk-location": "G3.23", "supply-sensitive-check": "G3.25"}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """Its machine stands where nobody has said that it is in the United Kingdom."""
    deployment = create_deployment(tmp_path_factory.mktemp("findings"))
    edit(deployment, 'name = "dev-node"\nsite = "dev-site"', 'name = "dev-node"\nsite = "elsewhere"')
    with running(deployment) as broker:
        yield broker


@pytest.fixture(scope="module")
def stub(broker: RunningBroker) -> Iterator[Stub]:
    with broker.channel("supplier-a") as channel:
        yield Stub(channel)


def unchecked(broker: RunningBroker, originator: EntityIdentifier | None = None) -> pb.SignPreCommandRequest:
    """What disconnects supply, without a Supply Sensitive Check."""
    eui = originator or broker.deployment.keys["supplier-a"].eui
    assert eui is not None
    name = f"unchecked-{os.urandom(8).hex()}"
    return broker.request(name, pre_command=sample_pre_command(eui, DEVICE, 1, OPEN_LOAD_SWITCH))


def alone(stub: Stub, asked: pb.SignPreCommandRequest) -> KeybrokerError:
    with pytest.raises(grpc.RpcError) as refused:
        stub.SignPreCommand(asked)
    status = rpc_status.from_call(refused.value)
    assert status is not None
    return error_from(status.code, status.message, status.details)


def of_item(outcome: pb.SignOutcome) -> KeybrokerError:
    return error_from(outcome.error.code, outcome.error.message, outcome.error.details)


def in_a_batch(stub: Stub, asked: pb.SignPreCommandRequest) -> KeybrokerError:
    return of_item(stub.SignBatch(pb.SignBatchRequest(items=items(asked))).outcomes[0])


def on_a_stream(stub: Stub, asked: pb.SignPreCommandRequest) -> KeybrokerError:
    (reply,) = stub.SignStream(iter([pb.SignStreamRequest(items=items(asked))]))
    return of_item(reply.outcomes[0])


def explained(stub: Stub, asked: pb.SignPreCommandRequest) -> pb.ExplainResponse:
    return stub.Explain(pb.ExplainRequest(request_id=f"why-{asked.request_id}", item=items(asked)[0]))


def by_explain(stub: Stub, asked: pb.SignPreCommandRequest) -> KeybrokerError:
    error = explained(stub, asked).error
    return error_from(error.code, error.message, error.details)


WAYS = (alone, in_a_batch, on_a_stream, by_explain)


@pytest.mark.parametrize("ask", WAYS, ids=lambda ask: ask.__name__)
def test_both_gates_say_what_to_do_whichever_way_it_is_asked(
    broker: RunningBroker, stub: Stub, ask: Callable[[Stub, pb.SignPreCommandRequest], KeybrokerError]
) -> None:
    asked = unchecked(broker)
    refusal = ask(stub, asked)
    assert isinstance(refusal, GateShut)
    assert {str(each.rule): each.clause for each in refusal.findings} == SHUT
    assert all(each.expected and each.found and each.reason and each.remedy for each in refusal.findings)
    assert len({each.remedy for each in refusal.findings}) == len(SHUT)
    assert refusal.gate == refusal.findings[0].rule
    assert refusal.findings == failing(explained(stub, asked))


@pytest.mark.parametrize("ask", WAYS, ids=lambda ask: ask.__name__)
def test_what_the_rules_refuse_tells_of_the_shut_gates_behind_them_and_explain_of_the_open_ones_too(
    broker: RunningBroker, stub: Stub, ask: Callable[[Stub, pb.SignPreCommandRequest], KeybrokerError]
) -> None:
    asked = unchecked(broker, NETWORK_OPERATOR)
    refusal = ask(stub, asked)
    assert isinstance(refusal, NotPermitted)
    told = [str(each.rule) for each in refusal.findings]
    rules = [rule for rule in told if rule not in EXISTING_GATES]
    assert "originator-is-keys-eui" in rules
    # Nobody set thresholds for that originator.
    assert told == [*rules, *SHUT, "anomaly-threshold"]
    assert refusal.clause == refusal.findings[0].clause
    every = explained(stub, asked).findings
    assert refusal.findings == tuple(finding_from(each) for each in every if not each.passed)
    gates = [each for each in every if each.rule in EXISTING_GATES]
    assert [each.rule for each in gates] == [gate.gate for gate in packaged_policies()[SUPPLIER].gates]
    assert all(each.clause and each.expected and each.found for each in gates)


def failing(explained: pb.ExplainResponse) -> tuple[Finding, ...]:
    return tuple(finding_from(each) for each in explained.findings if not each.passed)
