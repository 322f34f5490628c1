"""What may stand in ``[checkpoints]`` and ``[witnesses]``? How the ledger is shown outside, and who remembers it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from keybroker.config.table import Name, Seconds, Table, Text
from keybroker.errors import ContentMalformed
from keybroker.ledger.note_keys import CosignatureKey, read_vkey


class CheckpointsTable(Table):
    """Signed checkpoints of the ledger (SEC G2.27): by which key, how often, and where they are published, if at all.

    ``publish_entries``: the records themselves beside the hashes. They hold parties' data: whoever reaches the port or
    the directory reads all of them.
    """

    key: Name
    every_records: Annotated[int, Field(ge=16)]
    every_seconds: Annotated[Seconds, Field(ge=1, le=86400)]
    tiles: Text | None = None
    listen: Annotated[str, Field(pattern=r"^.+:[0-9]{1,5}$")] | None = None
    publish_entries: bool = False

    @model_validator(mode="after")
    def _publishes_from_a_directory(self) -> Self:
        if self.tiles is None and (self.listen is not None or self.publish_entries):
            raise ValueError("checkpoints.listen and checkpoints.publish_entries need checkpoints.tiles, a directory")
        return self


class WitnessTable(Table):
    """One witness: where it is asked, and the key that its cosignatures verify under (C2SP signed-note, vkey).

    ``anchors``: a PEM file of the authorities behind its certificate, for https; the system's where there is none.
    """

    url: Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9._\[\]:-]+(/[A-Za-z0-9._~/-]*)?$")]
    vkey: Text
    anchors: Text | None = None

    @field_validator("vkey")
    @classmethod
    def _is_a_witnesss(cls, vkey: str) -> str:
        try:
            key = read_vkey(vkey)
        except ContentMalformed as error:
            raise ValueError(error.sentence) from error
        if not isinstance(key, CosignatureKey):
            raise ValueError("the verifier key is of no witness: expected type 04")  # noqa: TRY004 - pydantic's
        return vkey

    @property
    def key(self) -> CosignatureKey:
        key = read_vkey(self.vkey)
        assert isinstance(key, CosignatureKey)  # noqa: S101 - as validated
        return key


class WitnessesTable(Table):
    """Who else remembers the ledger (invariant 5), how many of them must, and how far behind they may be.

    With ``demanded`` 0 witnesses are asked, and nothing waits for them. ``clock_seconds`` is by how much the time in a
    cosignature may differ from the broker's clock: one that is further off does not count.
    """

    demanded: Annotated[int, Field(ge=0)]
    at_most_behind_seconds: Annotated[Seconds, Field(ge=1, le=86400)]
    at_most_behind_records: Annotated[int, Field(ge=16)]
    clock_seconds: Annotated[Seconds, Field(le=60)]
    timeout_seconds: Annotated[Seconds, Field(le=60)]
    witness: Annotated[list[WitnessTable], Field(min_length=1, max_length=16)]

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        names = {each.key.name for each in self.witness}
        if len(names) < len(self.witness):
            raise ValueError("witnesses: two have one name; each witness has its own")
        if self.demanded > len(self.witness):
            raise ValueError(f"witnesses.demanded is {self.demanded}, and there are {len(self.witness)}")
        if self.at_most_behind_seconds <= 2 * self.timeout_seconds:
            raise ValueError(
                "witnesses.at_most_behind_seconds is not longer than two of witnesses.timeout_seconds: one answer that"
                " does not come would shut the gates"
            )
        return self
