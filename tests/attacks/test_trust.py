"""Attacks on whom the broker relies on: chains, anchors and lists chosen by whoever sends them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from keybroker.policy.certificates import CertificateUnfit
from keybroker.policy.model import Situation
from keybroker.policy.relying import rely_on, rely_on_device
from keybroker.policy.revocation import read_revocation_list
from keybroker.policy.trust import Anchor
from keybroker.terms import DeploymentKind
from tests import duis, lists
from tests.policy import authorities, chains

ROOT, ISSUING = authorities.ROOT, authorities.ISSUING
SIGNER = duis.a_certificate(41, "87")
ISSUING_REVOKED = lists.an_arl(entries=(lists.entry(0x1234),))
BOTH = (*authorities.ANCHORS, Anchor(der=ISSUING, test=True))
CHAINS = {
    "without the Issuing OCA": (SIGNER,),
    "with it": (SIGNER, ISSUING),
    "with the root as well": (SIGNER, ISSUING, ROOT),
}


def relying(anchors: Sequence[Anchor] = authorities.ANCHORS, *, arl: bytes | None = None) -> Situation:
    trust = replace(authorities.a_trust(arl=arl), organisation=tuple(anchors))
    return authorities.a_situation(trust=trust)


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
@pytest.mark.parametrize("anchors", [BOTH, BOTH[::-1]], ids=["the root first", "the root last"])
def test_an_anchor_that_another_anchor_revoked_is_not_relied_on_whatever_chain_is_sent(
    chain: tuple[bytes, ...], anchors: tuple[Anchor, ...]
) -> None:
    assert rely_on(chain, relying(anchors)).serials == (0x2000 + 41, 0x1234)
    with pytest.raises(CertificateUnfit, match="serial 1234 revoked"):
        rely_on(chain, relying(anchors, arl=ISSUING_REVOKED))


def test_an_anchor_for_live_under_one_for_test_is_no_anchor_of_either() -> None:
    mixed = (*authorities.ANCHORS, Anchor(der=ISSUING, test=False))
    for deployment in DeploymentKind:
        with pytest.raises(CertificateUnfit, match="either for test or for live"):
            rely_on((SIGNER,), replace(relying(mixed), deployment=deployment))


def test_what_was_relied_on_once_is_judged_anew_by_time_lists_anchors_and_deployment() -> None:
    good = relying()
    spoilt = (
        replace(good, at=chains.UNTIL.replace(year=2036)),
        replace(good, at=lists.UNTIL + lists.HOUR),
        replace(good, trust=replace(good.trust, lists={})),
        replace(good, deployment=DeploymentKind.LIVE),
        relying((Anchor(der=chains.a_root(serial=9), test=False),)),
        relying(()),
        relying(arl=ISSUING_REVOKED),
    )
    for situation in spoilt:
        rely_on((SIGNER, ISSUING), good)
        with pytest.raises(CertificateUnfit):
            rely_on((SIGNER, ISSUING), situation)


NO_SIGNERS = {
    "nothing": (),
    "the root": (ROOT,),
    "an Issuing OCA": (ISSUING,),
    "a certificate twice": (SIGNER, SIGNER, ISSUING),
    "an octet too many": (SIGNER + b"\x00", ISSUING),
    "one that an Organisation issued": (
        duis.a_certificate(42, "87", signer=chains.a_private_key(41), issuer=chains.SUBJECT),
        SIGNER,
        ISSUING,
    ),
}


@pytest.mark.parametrize("chain", NO_SIGNERS.values(), ids=NO_SIGNERS)
def test_what_is_no_organisations_certificate_signs_nothing(chain: tuple[bytes, ...]) -> None:
    with pytest.raises(CertificateUnfit):
        rely_on(chain, relying())


def test_an_organisations_certificate_is_no_devices_under_whatever_anchors() -> None:
    situation = relying()
    crossed = replace(situation, trust=replace(situation.trust, device=authorities.ANCHORS))
    with pytest.raises(CertificateUnfit):
        rely_on_device((SIGNER, ISSUING), crossed)
    with pytest.raises(CertificateUnfit):
        rely_on((SIGNER, ISSUING), replace(situation, trust=replace(situation.trust, organisation=(), device=BOTH)))


def test_a_list_that_another_ca_signed_in_an_issuers_name_is_not_that_issuers() -> None:
    forged = lists.sign(lists.compose(entries=None), chains.ROOT_KEY)
    with pytest.raises(CertificateUnfit, match="signature"):
        read_revocation_list(forged, (ROOT, ISSUING))
