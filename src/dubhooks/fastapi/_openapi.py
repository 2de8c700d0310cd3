"""What a delivery looks like, for an OpenAPI document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ..errors import ConfigurationError
from ..events._base import Event

if TYPE_CHECKING:
    from typing import TypeAlias

    JsonSchema: TypeAlias = dict[str, Any]

__all__ = ["operation_of"]


def operation_of(events: tuple[object, ...]) -> dict[str, Any]:
    """Return the request body and the signature header of these events.

    Raises:
        ConfigurationError: there is no event, or one of them is not an event class.
    """
    schemas = [_schema_of(event) for event in events]
    if not schemas:
        raise ConfigurationError("name the events: openapi_extra=openapi(SaleCreated)")
    schema = schemas[0] if len(schemas) == 1 else {"oneOf": schemas}
    return {
        "parameters": [
            {
                "name": "Dub-Signature",
                "in": "header",
                "required": True,
                "description": "HMAC-SHA256 of the raw body, in hex.",
                "schema": {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
            }
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
    }


def _schema_of(event: object) -> JsonSchema:
    if not isinstance(event, type) or not issubclass(event, Event):
        raise ConfigurationError("openapi() takes event classes, such as SaleCreated")
    schema = event.model_json_schema()
    return _inlined(schema, schema.pop("$defs", {}))


def _inlined(schema: JsonSchema, definitions: dict[str, JsonSchema]) -> JsonSchema:
    # In an OpenAPI document "#/$defs/..." points to its root, where there are none.
    beside = {key: value for key, value in schema.items() if key != "$ref"}
    if "$ref" in schema:
        beside = {**definitions[schema["$ref"].removeprefix("#/$defs/")], **beside}
    return {key: _within(value, definitions) for key, value in beside.items()}


def _within(value: object, definitions: dict[str, JsonSchema]) -> Any:
    if isinstance(value, list):
        return [_within(one, definitions) for one in cast("list[object]", value)]
    return _inlined(cast("JsonSchema", value), definitions) if isinstance(value, dict) else value
