"""The ``data`` of every postback event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._objects import click, link_ref, postback_customer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ._sample import Sample

__all__ = ["POSTBACKS"]


def _lead_created(sample: Sample) -> dict[str, Any]:
    return {
        "eventName": "Sign up",
        "click": click(sample, sample.ago(minutes=10)),
        "link": link_ref(sample),
        "customer": postback_customer(sample, sample.ago(seconds=5)),
    }


def _sale_created(sample: Sample) -> dict[str, Any]:
    clicked_at = sample.ago(days=40).replace(microsecond=0)  # the sender drops milliseconds here
    return {
        "eventName": "Purchase",
        "click": click(sample, clicked_at),
        "link": link_ref(sample),
        "customer": postback_customer(sample, sample.ago(days=39), sample.ago(days=30)),
        "sale": {"amount": sample.amount, "currency": "usd"},
    }


def _commission_created(sample: Sample) -> dict[str, Any]:
    return {
        "id": sample.id("cm"),
        "type": "sale",
        "amount": sample.amount,
        "earnings": sample.earnings,
        "currency": "usd",
        "status": "pending",
        "description": None,
        "quantity": 1,
        "createdAt": sample.ago(seconds=2),
        "link": link_ref(sample),
        "customer": postback_customer(sample, sample.ago(days=39), sample.ago(days=30)),
    }


POSTBACKS: Mapping[str, Callable[[Sample], dict[str, Any]]] = {
    "lead.created": _lead_created,
    "sale.created": _sale_created,
    "commission.created": _commission_created,
}
"""What makes the ``data`` of an event, by its name."""
