"""What a shop may set of its platform: names that the platform leaves to each shop. Pure.

A shop's settings are texts by name, stored as one JSON object; each adapter has the model of its
own.
"""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, ValidationError

from app.base.errors import AppError
from app.base.text import quoted


class PlatformSettings(BaseModel):
    """The settings of a platform that has none; others inherit from it.

    Every field is a text or None, and its validators raise ValueError with the end of a sentence
    that begins with the setting's name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


def read_settings(model: type[PlatformSettings], stored: Mapping[str, str]) -> PlatformSettings:
    """The settings that are stored with a shop; names that this version does not know are left out.

    Raises pydantic's ValidationError for a value that cannot be.
    """
    return model(**{name: value for name, value in stored.items() if name in model.model_fields})


def changed_settings(
    platform: str, model: type[PlatformSettings], stored: Mapping[str, str], changes: Mapping[str, str | None]
) -> dict[str, str]:
    """What is stored after these changes: None removes a setting, what is left out stays.

    Raises `AppError` `bad_platform_setting` for a name that the platform does not have, and for a
    value that cannot be.
    """
    for name in changes:
        if name not in model.model_fields:
            raise AppError(
                "bad_platform_setting",
                f"A {platform} shop has no setting {quoted(name)}; its settings: {', '.join(model.model_fields) or 'none'}.",
            )
    wanted = {name: value for name, value in {**stored, **changes}.items() if value is not None}
    try:
        return read_settings(model, wanted).model_dump(exclude_none=True)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        problem = wrong.get("ctx", {}).get("error") or wrong["msg"]
        raise AppError("bad_platform_setting", f"{wrong['loc'][0]} {problem}.") from None
