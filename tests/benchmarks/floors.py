"""The least that the same work can cost, and what everybody writes by hand."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, create_model

from dubhooks.events._fields import Open

_plain_models: dict[type[BaseModel], type[BaseModel]] = {}


def verify_floor(body: bytes, secrets: Sequence[str], signature: str) -> Callable[[], bool]:
    """Return a call that copies one prepared HMAC for each secret, and compares."""
    keys = [hmac.new(secret.encode(), b"", hashlib.sha256) for secret in secrets]
    digest = bytes.fromhex(signature)

    def verify() -> bool:
        is_match = False
        for key in keys:
            copy = key.copy()
            copy.update(body)
            is_match |= hmac.compare_digest(copy.digest(), digest)
        return is_match

    return verify


def verify_by_hand(body: bytes, secrets: Sequence[str], signature: str) -> Callable[[], bool]:
    """Return a call of ``hmac.new`` for each secret."""

    def verify() -> bool:
        is_match = False
        for secret in secrets:
            computed = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
            is_match |= hmac.compare_digest(computed, signature)
        return is_match

    return verify


def receive_by_hand(body: bytes, secret: str, signature: str) -> Callable[[], Any]:
    """Return a call that verifies with ``hmac.new`` and reads untyped JSON."""

    def receive() -> Any:
        computed = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return json.loads(body) if hmac.compare_digest(computed, signature) else None

    return receive


def parse_floor(model: type[BaseModel]) -> Callable[[bytes], Any]:
    """Return the validator of a model with the same fields in plain types of pydantic."""
    plain = _make_plain(model)
    plain.model_rebuild()
    validate: Callable[[bytes], Any] = plain.__pydantic_validator__.validate_json
    return validate


def _make_plain(model: type[BaseModel]) -> type[BaseModel]:
    if model not in _plain_models:
        fields: dict[str, Any] = {}
        for name, field in model.model_fields.items():
            is_open = any(isinstance(extra, Open) for extra in field.metadata)
            options: dict[str, Any] = {"alias": field.alias}
            if field.default_factory is not None:
                options["default_factory"] = field.default_factory
            elif not field.is_required():
                options["default"] = field.default
            annotation = str if is_open else _plain_type(field.annotation)
            if field.default_factory is not None:
                annotation = annotation | None  # Dub writes null for an empty list
            fields[name] = (annotation, Field(**options))
        config = ConfigDict(extra="allow", frozen=True, cache_strings="none")
        _plain_models[model] = create_model(f"Plain{model.__name__}", __config__=config, **fields)
    return _plain_models[model]


def _plain_type(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _make_plain(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is None or origin is Literal:
        return annotation
    if origin is Annotated:
        is_open = any(isinstance(extra, Open) for extra in arguments[1:])
        return str if is_open else _plain_type(arguments[0])
    plain = tuple(_plain_type(argument) for argument in arguments)
    return Union[plain] if origin in (Union, UnionType) else origin[plain]  # noqa: UP007
