"""A Root OCA key at a terminal: it is made, signs its own certificate, and is active once that is an anchor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keybroker.ceremony.plan import CeremonyKind, PlanFile
from keybroker.client.certificates import Authority, Certified, new_serial_number, root_certificate
from keybroker.config import read_configuration, reading
from keybroker.keys.register import Register
from keybroker.policy.model import RegisteredKey
from keybroker.terms import KeyLabel, KeyPurpose, KeyState, RemotePartyRole
from tests import messages
from tests.ceremony.at_terminal import PAUSED, outputs, rehearse, verified
from tests.ceremony.plans import a_key, a_plan
from tests.situations import packaged_policies

pytestmark = [pytest.mark.hsm, pytest.mark.timeout(300)]
LABEL = KeyLabel("root-new")
# RFC 5934 section 6.1; its ciphertext is nothing: what wraps it is another key's to show.
APEX = messages.der(
    0x30, messages.der(0x30, bytes.fromhex("060b2a864886f70d0109100306")), messages.der(0x04, bytes(104))
)


def registered(place: Path) -> RegisteredKey:
    configuration = read_configuration(place / "keybroker.toml")
    with reading(configuration) as ledger:
        return Register(ledger, configuration.anchors).refresh().keys[LABEL]


def to_be_signed(public_key: bytes) -> bytes:
    settings = packaged_policies()[KeyPurpose.ROOT_OCA].settings.certificates
    assert settings is not None
    assert settings.apex_contingency_key_oid is not None
    now = datetime.now(UTC).replace(microsecond=0)
    certified = Certified(
        public_key=public_key,
        serial=new_serial_number(),
        not_before=now,
        not_after=now + timedelta(days=50 * 365),
        policies=(min(settings.policy_oids),),
    )
    subject = Authority(common_name="Root TEST", role=RemotePartyRole.ROOT)
    return root_certificate(certified, subject, apex_oid=settings.apex_contingency_key_oid, apex_contingency_key=APEX)


def trust(place: Path, certificate: Path) -> None:
    """As an operator does: the certificate is an anchor of this deployment from the next start on."""
    (place / "pki" / "root-new.pem").write_bytes(certificate.read_bytes())
    configuration = place / "keybroker.toml"
    text = configuration.read_text()
    configuration.write_text(text.replace('"pki/root.pem"', '"pki/root.pem", "pki/root-new.pem"'))


def life(directory: Path, plan_file: PlanFile, *, tbs: str = "stop", chain: str = "stop") -> tuple[int, str]:
    return rehearse(directory, plan_file, {"certificate to be signed": tbs, r"The certificate\?": chain})


@pytest.mark.clause("G2.56", "G2.60", "G2.61", shows="acceptance")
def test_a_root_oca_key_signs_its_own_certificate_and_is_active_when_that_is_an_anchor(tmp_path: Path) -> None:
    plan_file = a_plan(CeremonyKind.GENERATE, a_key(KeyPurpose.ROOT_OCA, LABEL, common_name="Root TEST"))
    place, given = tmp_path / "place" / "here", outputs(tmp_path, plan_file)
    assert life(tmp_path, plan_file)[0] == PAUSED
    (given / "root.tbs").write_bytes(to_be_signed(registered(place).public_key))
    assert life(tmp_path, plan_file, tbs="root.tbs")[0] == PAUSED
    trust(place, given / f"{LABEL}.pem")
    status, screen = life(tmp_path, plan_file, chain=f"{LABEL}.pem")
    assert status == 0, screen
    verified(tmp_path, plan_file)
    assert registered(place).state is KeyState.ACTIVE
