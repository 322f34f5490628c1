"""What is a table of keybroker.toml made of? Strict types: an unknown key refuses, nothing is coerced."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")]

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Table(BaseModel):
    """Strict types, but TOML's strings for enums: unknown keys refuse, nothing is coerced from another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
