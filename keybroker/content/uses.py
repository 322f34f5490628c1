"""From Content to what the module is asked to do, for every use that is no signature."""

from __future__ import annotations

from keybroker.content.contents import Content
from keybroker.content.encrypted_response import EncryptedResponse, encrypted_response_use
from keybroker.content.inner_command import InnerCommand, inner_command_use
from keybroker.content.prepayment import PrepaymentTopUp, prepayment_use
from keybroker.content.protected_response import ProtectedResponse, protected_response_use
from keybroker.content.smets1_instruction import Smets1Instruction, smets1_instruction_use
from keybroker.content.smets1_response import Smets1Response, smets1_response_use
from keybroker.content.use import Use
from keybroker.terms import EntityIdentifier


def use_of(content: Content, counter: int | None, eui: EntityIdentifier | None) -> Use:
    """``counter`` is the number that the ledger gave (``Intent.counter``), where the use claims one; ``eui`` is what
    the register says of the key (``RegisteredKey.eui``): the system title under which a SMETS1 instruction goes out.

    Raises: TypeError for content that is signed, or that lacks its counter or the key's EUI.
    """
    match content:
        case InnerCommand():
            return inner_command_use(content)
        case ProtectedResponse():
            return protected_response_use(content)
        case EncryptedResponse():
            return encrypted_response_use(content)
        case PrepaymentTopUp():
            return prepayment_use(content)
        case Smets1Instruction() if counter is not None and eui is not None:
            return smets1_instruction_use(content, counter, eui)
        case Smets1Response():
            return smets1_response_use(content)
        case _:
            raise TypeError(f"{content.kind} is signed, or lacks its counter or the key's EUI")
