"""What comes from the other side is relied on as a whole, of this very plan, in answer to what went there: or not."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybroker.ceremony.package import Flaw, PackageUnfit, read_offer, read_package, read_proof, read_wrapped
from keybroker.ceremony.package_form import MovedKey
from keybroker.ceremony.plan import CeremonyKind, Side, read_plan
from tests.ceremony import made, packed
from tests.ceremony.made import a_plan, a_transcript, as_dict, as_octets
from tests.ceremony.packed import (
    KEY,
    PLAN,
    SOURCE_SERIAL,
    WRAPPED,
    a_package,
    a_proof,
    an_offer,
    moved,
    offered,
    the_plan,
)

OTHER = "cd" * 32
OTHER_POINT = "04" + "11" * 64
ANOTHER_PLAN = a_plan(CeremonyKind.TRANSFER, keys=[KEY], reason="Another reason.")


def refused(read: Callable[[], object], flaw: Flaw) -> None:
    with pytest.raises(PackageUnfit) as unfit:
        read()
    assert unfit.value.flaw is flaw, unfit.value.sentence


def offer(octets: bytes) -> object:
    return read_offer(octets, the_plan())


def package(octets: bytes) -> object:
    return read_package(octets, the_plan(), offer_sha256=offered().entry_sha256)


def proof(octets: bytes) -> object:
    good = packed.packed()
    return read_proof(octets, the_plan(), package_sha256=good.sha256, withheld_sha256=good.withheld_sha256)


def spoilt(octets: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    read = as_dict(octets)
    change(read)
    return as_octets(read)


def last_signature(read: dict[str, Any]) -> dict[str, str]:
    signatures: dict[str, str] = read["steps"][-1]["signatures"]
    return signatures


def unsigned(read: dict[str, Any]) -> None:
    del last_signature(read)["wilma"]


def signed_by_a_stranger(read: dict[str, Any]) -> None:
    entry = read["steps"][-1]["entry"].encode()
    stranger = made.TestPerson(name="mallory")
    last_signature(read)["wilma"] = base64.b64encode(stranger.sign_at(entry, made.BEGAN)).decode()


def certified_as_a_stranger(read: dict[str, Any]) -> None:
    signed_by_a_stranger(read)
    own = next(each for each in read["people"] if each["name"] == "wilma")
    own["certificate"] = base64.b64encode(made.TestPerson(name="mallory").certificate).decode()


def unapproved(read: dict[str, Any]) -> None:
    read["approvals"] = [each for each in read["approvals"] if each is not read["approvals"][0]]


@pytest.mark.clause("G2.22I(a)(i)", "G2.22I(a)(ii)", shows="refusal")
@pytest.mark.parametrize(
    ("octets", "flaw"),
    [
        (b"", Flaw.UNREADABLE),
        (b"{}", Flaw.UNREADABLE),
        (an_offer()[:-1], Flaw.UNREADABLE),
        (an_offer() + b"\n", Flaw.UNREADABLE),
        (WRAPPED, Flaw.UNREADABLE),
        (a_transcript(ANOTHER_PLAN, side=Side.DESTINATION, steps=3), Flaw.ANOTHER_CEREMONY),
        (a_package(), Flaw.ANOTHER_SIDE),
        (an_offer(steps=2), Flaw.NOT_YET),
        (spoilt(an_offer(), unsigned), Flaw.NOT_SHOWN),
        (spoilt(an_offer(), signed_by_a_stranger), Flaw.NOT_SHOWN),
        (spoilt(an_offer(), certified_as_a_stranger), Flaw.NOT_SHOWN),
        (spoilt(an_offer(), unapproved), Flaw.NOT_SHOWN),
        (an_offer({"offer-wrapping-key": {"mechanism": "luna-cloning"}}), Flaw.ANOTHER_MECHANISM),
        (an_offer({"offer-wrapping-key": {"module": {"serial": "FAKE-0003"}}}), Flaw.ANOTHER_MODULE),
        (an_offer({"offer-wrapping-key": {"module": {}}}), Flaw.ANOTHER_MODULE),
        (an_offer({"offer-wrapping-key": {"wrapping_key": None}}), Flaw.ALTERED),
        (an_offer({"offer-wrapping-key": {"wrapping_key": "3000"}}), Flaw.ALTERED),
        (an_offer({"offer-wrapping-key": {"more": 1}}), Flaw.UNREADABLE),
    ],
)
def test_refuses_an_offer(octets: bytes, flaw: Flaw) -> None:
    refused(lambda: offer(octets), flaw)


@pytest.mark.clause("G2.22H(a)", "G2.22H(b)", shows="refusal")
@pytest.mark.parametrize(
    ("octets", "flaw"),
    [
        (a_transcript(ANOTHER_PLAN, side=Side.SOURCE, steps=5), Flaw.ANOTHER_CEREMONY),
        (an_offer(), Flaw.ANOTHER_SIDE),
        (a_package(steps=4), Flaw.NOT_YET),
        (spoilt(a_package(), unsigned), Flaw.NOT_SHOWN),
        (spoilt(a_package(), signed_by_a_stranger), Flaw.NOT_SHOWN),
        (a_package({"withhold-key": {"offer": OTHER}}), Flaw.ANOTHER_OFFER),
        (a_package({"wrap-key": {"offer": OTHER}}), Flaw.ANOTHER_OFFER),
        (a_package({"wrap-key": {"withheld": OTHER}}), Flaw.ANOTHER_OFFER),
        (a_package({"wrap-key": {"mechanism": "luna-cloning"}}), Flaw.ANOTHER_MECHANISM),
        (a_package({"wrap-key": {"serial": "FAKE-0003"}}), Flaw.ANOTHER_MODULE),
        (a_package({"withhold-key": {"destination": "dcc-live-systems-c"}}), Flaw.ANOTHER_MODULE),
        (a_package({"withhold-key": {"keys": []}}), Flaw.OTHER_KEYS),
        (a_package({"wrap-key": {"keys": []}}), Flaw.OTHER_KEYS),
        (a_package({"wrap-key": {"keys": [moved(), moved()]}}), Flaw.OTHER_KEYS),
        (a_package({"wrap-key": {"keys": [moved(key="other")]}}), Flaw.OTHER_KEYS),
        (a_package({"wrap-key": {"keys": [moved(public_key=OTHER_POINT)]}}), Flaw.OTHER_KEYS),
        (a_package({"wrap-key": {"keys": [moved(purpose="root-oca")]}}), Flaw.OTHER_KEYS),
        (a_package({"wrap-key": {"keys": [moved(party="supplier-a")]}}), Flaw.OTHER_KEYS),
        (a_package({"wrap-key": {"keys": [moved(challenge="ab")]}}), Flaw.UNREADABLE),
        (a_package({"wrap-key": {"keys": [moved(witness="ab")]}}), Flaw.UNREADABLE),
        (a_package({"wrap-key": {"keys": [moved(uses=-1)]}}), Flaw.UNREADABLE),
        (a_package({"wrap-key": {"keys": [moved(chain=["0"])]}}), Flaw.UNREADABLE),
    ],
)
def test_refuses_a_package(octets: bytes, flaw: Flaw) -> None:
    refused(lambda: package(octets), flaw)


@pytest.mark.clause("G2.22G", shows="refusal")
def test_refuses_a_package_in_answer_to_an_offer_that_was_not_given_from_here() -> None:
    refused(lambda: read_package(a_package(), the_plan(), offer_sha256=OTHER), Flaw.ANOTHER_OFFER)


@pytest.mark.clause("G2.22I(b)", shows="refusal")
@pytest.mark.parametrize(
    ("octets", "flaw"),
    [
        (a_package(), Flaw.ANOTHER_SIDE),
        (an_offer(), Flaw.NOT_YET),
        (a_proof(steps=4), Flaw.NOT_YET),
        (spoilt(a_proof(), unsigned), Flaw.NOT_SHOWN),
        (a_proof({"import-key": {"package": OTHER}}), Flaw.ANOTHER_OFFER),
        (a_proof({"import-key": {"withheld": OTHER}}), Flaw.ANOTHER_OFFER),
        (a_proof({"activate-transferred": {"withheld": OTHER}}), Flaw.ANOTHER_OFFER),
        (a_proof({"import-key": {"serial": SOURCE_SERIAL}}), Flaw.ANOTHER_MODULE),
        (a_proof({"import-key": {"keys": []}}), Flaw.OTHER_KEYS),
        (a_proof({"activate-transferred": {"keys": []}}), Flaw.OTHER_KEYS),
    ],
)
def test_refuses_a_proof(octets: bytes, flaw: Flaw) -> None:
    refused(lambda: proof(octets), flaw)


@pytest.mark.parametrize(
    ("octets", "changes", "flaw"),
    [
        (WRAPPED[:-1], {}, Flaw.ALTERED),
        (WRAPPED.replace(b"00", b"01", 1), {}, Flaw.ALTERED),
        (WRAPPED, {"wrapped_sha256": None}, Flaw.ALTERED),
        (WRAPPED, {"public_key": OTHER_POINT}, Flaw.OTHER_KEYS),
        (WRAPPED, {"key": "other"}, Flaw.OTHER_KEYS),
        (WRAPPED, {"purpose": "root-oca"}, Flaw.OTHER_KEYS),
        (bytes(70_000), {}, Flaw.UNREADABLE),
    ],
)
def test_refuses_a_wrapped_key(octets: bytes, changes: dict[str, Any], flaw: Flaw) -> None:
    refused(lambda: read_wrapped(octets, MovedKey.model_validate(moved(**changes)), SOURCE_SERIAL), flaw)


def test_refuses_a_wrapped_key_from_another_module() -> None:
    refused(lambda: read_wrapped(WRAPPED, MovedKey.model_validate(moved()), "FAKE-0003"), Flaw.OTHER_KEYS)


@pytest.mark.clause("G2.22G", "G2.22H(a)", "G2.22H(b)", shows="refusal")
@pytest.mark.parametrize(
    ("read", "octets"),
    [(offer, an_offer()), (package, a_package()), (proof, a_proof())],
    ids=("offer", "package", "proof"),
)
@settings(max_examples=60)
@given(chance=st.data())
def test_whatever_octet_is_changed_is_caught(
    read: Callable[[bytes], object], octets: bytes, chance: st.DataObject
) -> None:
    place = chance.draw(st.integers(0, len(octets) - 1))
    other = chance.draw(st.integers(1, 255))
    changed = octets[:place] + bytes([octets[place] ^ other]) + octets[place + 1 :]
    with pytest.raises(PackageUnfit):
        read(changed)


@pytest.mark.clause("G2.22H(a)", "G2.22H(b)", shows="acceptance")
def test_a_good_offer_package_and_proof_are_read() -> None:
    given_offer = read_offer(an_offer(), read_plan(PLAN))
    given_package = packed.packed()
    given_proof = read_proof(
        a_proof(), the_plan(), package_sha256=given_package.sha256, withheld_sha256=given_package.withheld_sha256
    )
    assert given_offer.offer.wrapping_key == packed.spki().hex()
    assert given_package.key("recovery").uses == 7
    assert given_proof.activated.keys[0].by == "request"
    wrapped = read_wrapped(WRAPPED, given_package.key("recovery"), given_package.wrapped.serial)
    assert wrapped.label == "recovery"
