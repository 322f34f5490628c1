"""Certificates with a GBCS role that G2.58 refuses: their key is for other purposes."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from keybroker.policy.g2_57 import GBCS_PURPOSES
from keybroker.terms import KeyPurpose
from tests import messages
from tests.lists import AT
from tests.policy.certificate_cases import LIVE, OF_ACB, OF_DCC_SUPPLIER, Case, in_recovery, registered, settings
from tests.situations import a_certificate

REFUSED_ROLES = (
    *(
        Case(
            rule="gbcs-role-for-gbcs-purposes",
            **OF_ACB,
            situation=registered(purpose),
            found=f"a key of purpose {purpose}",
            offset=True,
        )
        for purpose in KeyPurpose
        if purpose not in GBCS_PURPOSES
    ),
    Case(
        rule="gbcs-role-for-gbcs-purposes",
        policy=OF_DCC_SUPPLIER,
        situation=registered(KeyPurpose.DSP_XML),
        found="a key of purpose dsp-xml",
        offset=True,
    ),
    Case(
        rule="gbcs-role-for-gbcs-purposes",
        **OF_ACB,
        policy=settings(service_live_date=LIVE, applied_from=AT),
        situation=registered(KeyPurpose.DSP_XML),
        found="a key of purpose dsp-xml",
        offset=True,
    ),
    *(
        Case(
            rule="gbcs-role-for-gbcs-purposes",
            **OF_ACB,
            situation=situation,
            found="a key of purpose dsp-xml",
            offset=True,
        )
        for situation in (
            in_recovery(registered(KeyPurpose.DSP_XML), last=1),
            in_recovery(registered(KeyPurpose.DSP_XML), role="02"),
            in_recovery(registered(KeyPurpose.DSP_XML), eui=str(messages.ACCESS_CONTROL_BROKER)),
            in_recovery(
                registered(KeyPurpose.DSP_XML, certificate=replace(a_certificate(), der=(b"one that stands",))),
                certificate_sha256=hashlib.sha256(b"one that stands").hexdigest(),
            ),
        )
    ),
)
