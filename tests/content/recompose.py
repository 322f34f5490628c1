"""A decoded Command written again from its fields alone: equal to the octets it came from, or it had two readings."""

from __future__ import annotations

from keybroker.content.model import GbcsCommand
from tests.messages import compose_command


def recompose(command: GbcsCommand) -> bytes:
    supplementary = None
    if command.supplementary_party is not None and command.supplementary_counter is not None:
        supplementary = (command.supplementary_party, command.supplementary_counter)
    return compose_command(
        command.message_code.value,
        command.originator,
        command.recipient,
        command.originator_counter,
        content=command.message[command.content_offset :],
        supplementary=supplementary,
        null_signature=command.null_signature,
    )
