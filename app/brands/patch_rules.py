"""JSON merge patches (RFC 7396) of the programme. Pure."""

from collections.abc import Mapping
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model
from pydantic.fields import FieldInfo

from app.brands.programme import Programme


def patched(programme: Programme, patch: Mapping[str, JsonValue]) -> Programme:
    """The programme with a merge patch applied.

    What the patch leaves out stays. Null brings back a field's default, except where null is itself
    a value of the field (`quiet_hours`, `max_per_day`, `fallback_days.paid` …): there it sets null,
    since otherwise no patch could. Raises pydantic's ValidationError.
    """
    return Programme.model_validate(merged(programme.as_json(), patch, Programme))


def merged(
    target: Mapping[str, JsonValue], patch: Mapping[str, JsonValue], model: type[BaseModel] | None
) -> dict[str, JsonValue]:
    """The JSON object `target` of a model (None: of no model) with a patch applied."""
    fields = {} if model is None else _by_alias(model)
    result = dict(target)
    for name, value in patch.items():
        field = fields.get(name)
        if isinstance(value, dict):
            old = result.get(name)
            result[name] = merged(old if isinstance(old, dict) else {}, value, _inner(field))
        elif value is None and (model is None or (field is not None and not _may_be_null(field))):
            result.pop(name, None)
        else:
            result[name] = value
    return result


def patch_between(before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The merge patch that makes `after` of `before`; empty where they are equal.

    A name that `after` lacks is null.
    """
    patch: dict[str, JsonValue] = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if name in before and old == value:
            continue
        patch[name] = (
            patch_between(old if isinstance(old, dict) else {}, value) if isinstance(value, dict) else value
        )
    return patch


def differences(before: Programme, after: Programme) -> dict[str, tuple[JsonValue, JsonValue]]:
    """The terms that differ, by their place such as `survey.delay_hours`, with both values.

    An amount by currency is one value, and so is a part that one of them lacks.
    """
    found: dict[str, tuple[JsonValue, JsonValue]] = {}
    _collect(before.as_json(), after.as_json(), Programme, "", found)
    return found


def _collect(
    before: Mapping[str, JsonValue],
    after: Mapping[str, JsonValue],
    model: type[BaseModel],
    place: str,
    found: dict[str, tuple[JsonValue, JsonValue]],
) -> None:
    for name, field in _by_alias(model).items():
        old, new, inner = before[name], after[name], _inner(field)
        if inner is not None and isinstance(old, dict) and isinstance(new, dict):
            _collect(old, new, inner, f"{place}{name}.", found)
        elif old != new:
            found[f"{place}{name}"] = old, new


def _by_alias(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _may_be_null(field: FieldInfo) -> bool:
    return type(None) in get_args(field.annotation)


def _inner(field: FieldInfo | None) -> type[BaseModel] | None:
    """The model of a field's value, also of one that may be null."""
    if field is None:
        return None
    for each in (field.annotation, *get_args(field.annotation)):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each
    return None


def patch_model(model: type[BaseModel]) -> type[BaseModel]:
    """The model of a patch of `model`, for the documentation: fields may be left out or null."""
    fields: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        inner = _inner(field)
        # The empty `Field()` is there since `Annotated` needs one at least.
        kind = patch_model(inner) if inner else Annotated[field.annotation, Field(), *field.metadata]
        fields[name] = (kind | None, Field(default=None, alias=field.alias))
    made: type[BaseModel] = create_model(
        f"{model.__name__}Patch",
        __config__=ConfigDict(extra="forbid", populate_by_name=True),
        __doc__=f"A merge patch of `{model.__name__}`: what is left out stays.",
        **fields,
    )
    return made
