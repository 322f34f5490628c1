"""Does this file have the form that is demanded? TOML in UTF-8, read strictly: nothing unknown, missing or mistyped."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from keybroker.errors import ConfigurationInvalid
from keybroker.policy.strict_toml import read_toml

Form = TypeVar("Form", bound=BaseModel)


def read_form(octets: bytes, form: type[Form], *, where: str, of_tuples: bool = True) -> Form:
    """``of_tuples``: what the form has of several is a tuple, and not a list.

    Raises: ConfigurationInvalid, which names ``where`` and each key that is amiss; never a value.
    """
    try:
        read = read_toml(octets)
    except ValueError as error:
        raise ConfigurationInvalid(f"expected TOML in UTF-8: {error}", where=where) from error
    try:
        return form.model_validate(_tuples(read) if of_tuples else read)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, each['loc'])) or where}: {each['msg']}" for each in error.errors())
        raise ConfigurationInvalid(told, where=where) from error


def _tuples(value: object) -> object:
    """Strict mode takes no list for a tuple."""
    match value:
        case dict():
            return {key: _tuples(item) for key, item in value.items()}
        case list():
            return tuple(_tuples(item) for item in value)
        case _:
            return value
