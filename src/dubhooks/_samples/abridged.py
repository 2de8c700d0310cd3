"""Bodies that are shorter than what Dub sends today, all the same valid."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ._sample import Sample
from ._stringify import stringify
from ._webhooks import WEBHOOKS

if TYPE_CHECKING:
    from typing import TypeAlias

    Shape: TypeAlias = dict[str, "Shape | None"]

__all__ = ["abridged"]


def _keys(names: str, **objects: Shape) -> Shape:
    return {name: objects.get(name) for name in names.split()}


_CUSTOMER = _keys("id externalId name email avatar createdAt")
_LINK = _keys("id domain key url shortLink")
_PARTNER = _keys("id email")

_SHAPES: dict[str, Shape] = {
    "link.clicked": _keys(
        "click link",
        click=_keys(
            "id timestamp url country city region continent device browser os referer refererUrl "
            "qr ip"
        ),
        link=_keys(
            "id domain key url trackConversion partnerId programId shortLink qrCode "
            "utm_source utm_medium utm_campaign createdAt updatedAt"
        ),
    ),
    "lead.created": _keys(
        "eventName customer click link partner metadata",
        customer=_CUSTOMER,
        click=_keys("id timestamp url country city device browser os referer ip"),
        link=_keys("id domain key url partnerId programId shortLink"),
        partner=_PARTNER,
    ),
    "sale.created": _keys(
        "eventName customer click link sale partner metadata",
        customer=_CUSTOMER,
        click=_keys("id timestamp country city device browser ip"),
        link=_LINK,
        sale=_keys("amount currency paymentProcessor invoiceId"),
        partner=_PARTNER,
    ),
    "partner.enrolled": _keys("id email name image programId status links createdAt", links=_LINK),
}


def abridged(*, seed: int | None = None) -> dict[str, bytes]:
    """Return bodies as abridged as the samples that documentation prints, by a description.

    ``seed`` is that of :func:`dubhooks.testing.make_event`: without one the
    ids are random and the times are now; with one only ``createdAt`` is.
    """
    bodies = {f"{name} abridged": _abridged(name, shape, seed) for name, shape in _SHAPES.items()}
    bodies["commission.created with partnerId"] = _commission(seed)
    return bodies


def _abridged(name: str, shape: Shape, seed: int | None) -> bytes:
    sample = Sample(f"abridged:{name}", seed)
    return _body(sample, name, _only(shape, WEBHOOKS[name](sample)))


def _only(shape: Shape, value: object) -> object:
    if isinstance(value, list):
        return [_only(shape, item) for item in cast("list[object]", value)]
    members = cast("dict[str, object]", value)
    return {
        key: members[key] if inner is None else _only(inner, members[key])
        for key, inner in shape.items()
    }


def _commission(seed: int | None) -> bytes:
    """Return the shape that third-party documentation prints: neither partner nor earnings."""
    sample = Sample("abridged:commission.created", seed)
    data = {
        "id": sample.id("cm"),
        "partnerId": sample.partner_id,
        "amount": sample.amount,
        "currency": "usd",
        "status": "pending",
        "saleId": sample.id("sale"),
        "createdAt": sample.ago(seconds=3),
    }
    return _body(sample, "commission.created", data)


def _body(sample: Sample, name: str, data: object) -> bytes:
    envelope = {
        "id": sample.event_id(),
        "event": name,
        "createdAt": sample.created_at,
        "data": data,
    }
    return stringify(envelope)
