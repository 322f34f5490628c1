"""How is a key moved by the maker's own tool? People move it; what the tool showed is kept, and the key is looked for.

Modules that wrap no private key (Luna's cloning, an nShield Security World, a CloudHSM back-up) have a way of their own
from one to another. The profile has the maker's commands; the ceremony prints them, has each key looked for before and
after, and takes in what shows that they were carried out (SEC G2.22I(a)(ii), (b)(i)).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from keybroker.ceremony.performing.stage import Stage
from keybroker.clause import clause
from keybroker.errors import ModuleDisagrees, NotPermitted
from keybroker.hsm.attributes import expected
from keybroker.hsm.generate import IDENTIFIER_OCTETS, check_made
from keybroker.hsm.inventory import StoredObject, list_objects
from keybroker.hsm.profile_sections import TransferAdapter
from keybroker.hsm.token_module import Token
from keybroker.policy.model import Policy
from keybroker.terms import KeyLabel, Provenance


@clause("G2.22I(a)(i)", "G2.22I(a)(ii)")
def adapter_of(stage: Stage) -> TransferAdapter:
    """The mechanism that was approved, which is this module's own. Raises: NotPermitted."""
    terms, facts = stage.plan.transfer, stage.hall.token.profile.wrapping
    planned = "none" if terms is None else terms.mechanism
    if planned != facts.adapter.value or facts.adapter is TransferAdapter.NONE:
        title = stage.hall.token.profile.title
        raise NotPermitted(
            f"the mechanism {planned} was approved, and {title} moves keys by {facts.adapter} (G2.22I(a)(ii)):"
            " have the mechanism approved by which both modules move keys"
        )
    return facts.adapter


def show_commands(stage: Stage, adapter: TransferAdapter) -> None:
    """The maker's commands, as the profile has them; what stands in braces is for people to fill in."""
    facts = stage.hall.token.profile.wrapping
    tell_commands(stage, f"The keys are moved by {adapter}, the maker's own way.", facts.commands, tried=facts.tried)


def tell_commands(stage: Stage, what: str, commands: Sequence[str], *, tried: bool) -> None:
    stage.room.tell(f"{what} Carry out, and keep what each shows:")
    for command in commands:
        stage.room.tell(f"    {command}")
    if not tried:
        stage.room.tell("These commands were never tried here: hold each against the maker's manual first.")


def ask_evidence(stage: Stage, label: str) -> list[str]:
    """SHA-256 of what the tool showed when people did with this key what they were told."""
    told = (
        "The name of a file: what the maker's tool showed, as it was saved or photographed. Its digest goes into the"
        " transcript; keep the file with it."
    )
    shown = stage.room.ask_file(f"What did the tool show for {label}?", told, lambda octets: octets)
    return [sha256(shown).hexdigest()]


def check_held(token: Token, label: KeyLabel, public_key: bytes) -> None:
    """The module shows the key of this label, and it is that one. Raises: ModuleDisagrees; ModuleFault."""
    if not _is_key(objects_of(token, label), public_key):
        raise ModuleDisagrees("the module does not show the key that the register has; nothing was moved")


def _is_key(objects: tuple[StoredObject, ...], public_key: bytes) -> bool:
    if len(public_key) == IDENTIFIER_OCTETS:
        return any(each.identifier == public_key for each in objects)
    return any(each.point == public_key for each in objects)


def check_arrived(token: Token, label: KeyLabel, policy: Policy, public_key: bytes) -> None:
    """The key stands here once, under its label and CKA_ID, with what its purpose demands. Raises: ModuleDisagrees;
    ModuleFault."""
    demanded = expected(policy, Provenance.UNWRAPPED, token.profile.keeping)
    with token.exclusively() as connection:
        check_made(connection, label, public_key, demanded)


def objects_of(token: Token, label: str) -> tuple[StoredObject, ...]:
    """Raises: ModuleFault."""
    return tuple(each for each in list_objects(token) if each.label == label)
