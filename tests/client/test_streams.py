"""Transparent streaming: calls are carried together, answers find their asker, and only what is safe is asked again."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from keybroker import errors
from keybroker.client import BrokerUnreachable
from keybroker.errors import KeybrokerError
from keybroker.pb import signing_pb2 as pb
from tests.client.scripted_broker import ScriptedBroker, refused, scripted, sign_all, signed

Items = list[pb.SignPreCommandRequest]


def octets(number: int) -> bytes:
    return b"\xdf" + number.to_bytes(4, "big")


REFUSALS: list[KeybrokerError] = [
    errors.NotPermitted("no"),
    errors.RequestRepeated("taken"),
    errors.ContentMalformed(offset=1, expected="a", found="b", source="c"),
    errors.ThresholdExceeded("enough", gate="anomaly-threshold", clause="G6.3"),
    errors.OutcomeUnknown("the key may have been used"),
    errors.ModuleDisagrees("it does not verify"),
    errors.LedgerBroken("it contradicts itself"),
]


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: error.reason)
async def test_what_does_not_pass_is_raised_and_never_asked_again(error: KeybrokerError) -> None:
    async def refuse(broker: ScriptedBroker, context: Any, items: Items) -> None:
        await context.write(pb.SignStreamResponse(outcomes=[refused(item, error) for item in items]))

    async with scripted(refuse) as (broker, client):
        with pytest.raises(type(error)):
            await client.sign_pre_command(key="supplier-a", octets=octets(1))
        assert len(broker.asked) == 1


@pytest.mark.parametrize(
    "error",
    [
        errors.ModuleBusy("busy"),
        errors.ModuleUnavailable("away"),
        errors.LedgerUnavailable("full"),
        errors.BrokerStopping("stopping"),
    ],
    ids=lambda error: error.reason,
)
async def test_a_fault_that_passes_is_asked_again_under_the_same_request_id(error: KeybrokerError) -> None:
    async def once(broker: ScriptedBroker, context: Any, items: Items) -> None:
        answer = sign_all if len(broker.messages) > 1 else _refuse_with(error)
        await answer(broker, context, items)

    async with scripted(once) as (broker, client):
        result = await client.sign_pre_command(key="supplier-a", octets=octets(1))
        assert result.octets == octets(1) + b"\x40"
        assert len(broker.asked) == 2
        assert len(set(broker.asked)) == 1


async def test_a_fault_that_does_not_pass_before_the_deadline_is_raised_as_what_it_is() -> None:
    async with scripted(_refuse_with(errors.ModuleBusy("busy")), timeout=0.5) as (broker, client):
        with pytest.raises(errors.ModuleBusy):
            await client.sign_pre_command(key="supplier-a", octets=octets(1))
        assert 1 < len(broker.asked) < 10


async def test_a_stream_that_ends_with_calls_unanswered_is_opened_again_and_they_are_asked_again() -> None:
    async def answer_half_then_end(broker: ScriptedBroker, context: Any, items: Items) -> None:
        if len(broker.messages) > 1:
            await sign_all(broker, context, items)
            return
        await context.write(pb.SignStreamResponse(outcomes=[signed(item) for item in items[::2]]))
        await context.abort(grpc.StatusCode.UNAVAILABLE, "GOAWAY")

    async with scripted(answer_half_then_end, channels=1) as (broker, client):
        results = await asyncio.gather(
            *(client.sign_pre_command(key="supplier-a", octets=octets(each)) for each in range(20))
        )
        assert [result.octets for result in results] == [octets(each) + b"\x40" for each in range(20)]
        assert broker.streams == 2
        assert len(broker.asked) == 30
        assert len(set(broker.asked)) == 20


async def test_no_answer_before_the_deadline_is_an_unknown_outcome_that_names_the_request() -> None:
    async def silence(broker: ScriptedBroker, context: Any, items: Items) -> None:
        return

    async with scripted(silence, timeout=0.4) as (broker, client):
        with pytest.raises(errors.OutcomeUnknown, match="ask again with request_id mine"):
            await client.sign_pre_command(key="supplier-a", octets=octets(1), request_id="mine")
        assert broker.asked == ["mine"]


async def test_a_stream_that_ends_for_a_reason_that_does_not_pass_leaves_an_unknown_outcome() -> None:
    async def break_down(broker: ScriptedBroker, context: Any, items: Items) -> None:
        await context.abort(grpc.StatusCode.INTERNAL, "something broke")

    async with scripted(break_down) as (broker, client):
        with pytest.raises(errors.OutcomeUnknown, match="something broke"):
            await client.sign_pre_command(key="supplier-a", octets=octets(1))
        assert len(broker.asked) == 1


async def test_nobody_there_is_unreachable_and_nothing_was_signed() -> None:
    async with scripted(timeout=0.5) as (_, client):
        client_of_nobody = type(client)(
            "127.0.0.1:1", certificate=b"", private_key=b"", anchors=b"", channels=1, timeout=0.5
        )
        async with client_of_nobody:
            with pytest.raises(BrokerUnreachable):
                await client_of_nobody.sign_pre_command(key="supplier-a", octets=octets(1))
            with pytest.raises(BrokerUnreachable):
                await client_of_nobody.list_keys()


async def test_concurrent_calls_are_carried_together_over_several_connections() -> None:
    async with scripted(channels=3) as (broker, client):
        results = await asyncio.gather(
            *(client.sign_pre_command(key="supplier-a", octets=octets(each)) for each in range(300))
        )
        assert [result.octets for result in results] == [octets(each) + b"\x40" for each in range(300)]
        assert len(broker.peers) == 3
        assert broker.streams == 3
        assert len(broker.messages) == 3


async def test_calls_that_come_while_others_fly_gather_into_the_next_messages() -> None:
    async def slowly(broker: ScriptedBroker, context: Any, items: Items) -> None:
        await asyncio.sleep(0.05)
        await sign_all(broker, context, items)

    async with scripted(slowly, channels=1) as (broker, client):

        async def ask(number: int) -> None:
            await asyncio.sleep(number * 0.001)
            await client.sign_pre_command(key="supplier-a", octets=octets(number))

        await asyncio.gather(*(ask(each) for each in range(100)))
        assert len(broker.asked) == 100
        assert len(broker.messages) < 20


async def test_answers_in_any_order_find_their_asker() -> None:
    held: list[pb.SignPreCommandRequest] = []

    async def backwards_at_last(broker: ScriptedBroker, context: Any, items: Items) -> None:
        held.extend(items)
        if len(held) == 50:
            for item in reversed(held):
                await context.write(pb.SignStreamResponse(outcomes=[signed(item)]))

    async with scripted(backwards_at_last, channels=1) as (_, client):
        results = await asyncio.gather(
            *(client.sign_pre_command(key="supplier-a", octets=octets(each)) for each in range(50))
        )
        assert [result.octets for result in results] == [octets(each) + b"\x40" for each in range(50)]


async def test_one_request_id_is_never_out_twice_at_once() -> None:
    async def slowly(broker: ScriptedBroker, context: Any, items: Items) -> None:
        assert len({item.request_id for item in items}) == len(items)
        await asyncio.sleep(0.02)
        await sign_all(broker, context, items)

    async with scripted(slowly) as (broker, client):
        asks = (client.sign_pre_command(key="supplier-a", octets=octets(each), request_id="same") for each in range(4))
        results = await asyncio.gather(*asks)
        assert [result.octets for result in results] == [octets(each) + b"\x40" for each in range(4)]
        assert [len(message) for message in broker.messages] == [1, 1, 1, 1]


async def test_a_caller_that_goes_away_takes_nobody_with_it() -> None:
    async def slowly(broker: ScriptedBroker, context: Any, items: Items) -> None:
        await asyncio.sleep(0.05)
        await sign_all(broker, context, items)

    async with scripted(slowly, channels=1) as (_, client):
        goes = asyncio.create_task(client.sign_pre_command(key="supplier-a", octets=octets(1)))
        stays = asyncio.create_task(client.sign_pre_command(key="supplier-a", octets=octets(2)))
        await asyncio.sleep(0.02)
        goes.cancel()
        assert (await stays).octets == octets(2) + b"\x40"


def _refuse_with(error: KeybrokerError) -> Any:
    async def refuse(broker: ScriptedBroker, context: Any, items: Items) -> None:
        await context.write(pb.SignStreamResponse(outcomes=[refused(item, error) for item in items]))

    return refuse
