"""What a delivery looks like, for an OpenAPI document."""

from __future__ import annotations

from typing import Any, TypeAlias, cast

from ..errors import ConfigurationError
from ..events._base import Event

JsonSchema: TypeAlias = dict[str, Any]


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
    return cast("JsonSchema", _inline(schema, schema.pop("$defs", {})))


def _inline(value: object, definitions: dict[str, JsonSchema]) -> object:
    # In an OpenAPI document "#/$defs/..." points to its root, where there are none.
    if isinstance(value, list):
        return [_inline(one, definitions) for one in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    schema = dict(cast("JsonSchema", value))
    if "$ref" in schema:
        schema = definitions[schema.pop("$ref").removeprefix("#/$defs/")] | schema
    return {key: _inline(one, definitions) for key, one in schema.items()}
