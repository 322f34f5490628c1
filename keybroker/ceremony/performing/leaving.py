"""Can this key leave this module for that one at all? Asked before it is given up, so that nobody loses its use for
nothing. SEC G2.22G.
"""

from __future__ import annotations

from keybroker.ceremony.package_form import Offer
from keybroker.ceremony.performing.conducted import objects_of
from keybroker.ceremony.performing.stage import Stage
from keybroker.errors import ConfigurationInvalid, ContentMalformed, ModuleDisagrees, NotPermitted
from keybroker.hsm.attributes import KeyAttribute
from keybroker.hsm.connection import ObjectKind
from keybroker.hsm.held_keys import authentication_label
from keybroker.hsm.profile_sections import Payload
from keybroker.hsm.security_officer import Officer
from keybroker.hsm.trusted_keys import read_recipient
from keybroker.hsm.wrap_mechanism import WrapMechanism
from keybroker.hsm.wrapping import check_may_leave
from keybroker.policy.model import RegisteredKey
from keybroker.terms import KeyAlgorithm

_PRIVATE = frozenset({ObjectKind.PRIVATE_KEY, ObjectKind.SECRET_KEY})


def check_can_leave(stage: Stage, key: RegisteredKey, offer: Offer) -> None:
    """By wrapping, to that offer. Raises: NotPermitted, ConfigurationInvalid, ModuleDisagrees, ModuleFault."""
    policy, token = stage.hall.line.policies[key.purpose], stage.hall.token
    check_may_leave(policy)
    officer_of(stage)
    common_oaep(stage, offer)
    payload = Payload.RAW if policy.algorithm is KeyAlgorithm.AES_GCM else token.profile.wrapping.payload
    if payload.value not in offer.payloads:
        raise ConfigurationInvalid(f"the destination takes no {payload}, which this module gives")
    if objects_of(token, authentication_label(key.label)) and not offer.keeps_data:
        raise ConfigurationInvalid(f"the destination keeps no data objects, so not {key.label}'s authentication key")
    try:
        read_recipient(bytes.fromhex(offer.wrapping_key or ""))
    except ContentMalformed as error:
        raise NotPermitted(f"the offer holds no wrapping key that can be used: {error.sentence}") from error
    private = [each for each in objects_of(token, key.label) if each.kind in _PRIVATE]
    for attribute in (KeyAttribute.EXTRACTABLE, KeyAttribute.WRAP_WITH_TRUSTED):
        if len(private) != 1 or private[0].attributes.get(attribute) is not True:
            raise ModuleDisagrees(f"{key.label} was not made to be wrapped under a trusted key: it stays, and in use")


def officer_of(stage: Stage) -> Officer:
    """Raises: ConfigurationInvalid where there is none, or one that makes no trusted keys."""
    profile = stage.hall.token.profile
    if profile.wrapping.trusted_by == "nobody":
        raise ConfigurationInvalid(f"{profile.title}: it keeps no wrapping key trusted, so no key leaves it wrapped")
    if stage.hall.officer is None:
        raise ConfigurationInvalid("expected the module's security officer, who makes the wrapping key; found none")
    return stage.hall.officer


def common_oaep(stage: Stage, offer: Offer) -> WrapMechanism:
    """The first of this module's that the destination's does too. Raises: ConfigurationInvalid."""
    own = stage.hall.token.profile.wrapping.oaep
    both = [each for each in own if each in offer.oaep]
    if not both:
        raise ConfigurationInvalid(
            f"the two modules have no RSA-OAEP in common: here {', '.join(own)}, there {', '.join(offer.oaep)}"
        )
    return WrapMechanism(both[0])
