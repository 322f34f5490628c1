"""What of a key lives in the login session alone, and is it gone? (PKCS#11 v3.0 §4.4, CKA_TOKEN false)"""

from __future__ import annotations

from keybroker.errors import ModuleDisagrees
from keybroker.hsm.attributes import KeyAttribute
from keybroker.hsm.connection import ObjectAttribute, Template, Wrapping


def destroy_session_objects(wrapping: Wrapping, label: str) -> None:
    """Every one of this label; objects of the token are not touched. Raises: ModuleDisagrees where one is still shown;
    CallFailed."""
    looked_for: Template = {ObjectAttribute.LABEL: label.encode(), KeyAttribute.TOKEN: False}
    for handle in wrapping.find(looked_for):
        wrapping.destroy(handle)
    if wrapping.find(looked_for):
        raise ModuleDisagrees("the module still shows a session key that it was told to destroy")
