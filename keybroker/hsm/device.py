"""Is this the device that the profile describes? What C_GetInfo and C_GetTokenInfo say, held against it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from keybroker.errors import ConfigurationInvalid
from keybroker.hsm.connection import TokenDescription
from keybroker.hsm.profile import Profile


def library_parameters(profile: Profile, environment: Mapping[str, str]) -> bytes | None:
    """What C_Initialize is given, None for nothing. Raises: ConfigurationInvalid for a variable that is not set."""
    try:
        return profile.library.initialise_parameters.format_map(environment).encode() or None
    except KeyError as error:
        raise ConfigurationInvalid(f"module.environment: the profile needs {error.args[0]}") from error


def check_device(expected: Profile, told: TokenDescription) -> None:
    """Raises: ConfigurationInvalid, which says what the profile expects and what was found."""
    for what, pattern, found in (
        ("library manufacturer", expected.library.manufacturer, told.library_manufacturer),
        ("token manufacturer", expected.token.manufacturer, told.manufacturer),
        ("token model", expected.token.model, told.model),
    ):
        if not re.fullmatch(pattern, found):
            raise ConfigurationInvalid(f"module.profile: {what}: {expected.name} expects {pattern!r}, found {found!r}")
