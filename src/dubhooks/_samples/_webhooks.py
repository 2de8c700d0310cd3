"""The ``data`` of every webhook event."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ._objects import (
    applicant,
    click,
    commission_customer,
    conversion_customer,
    link,
    link_ref,
    partner_link,
    webhook_partner,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from ._sample import Sample

__all__ = ["WEBHOOKS"]


def _link_clicked(sample: Sample) -> dict[str, Any]:
    return {"click": click(sample, sample.ago(seconds=40)), "link": link(sample)}


def _lead_created(sample: Sample) -> dict[str, Any]:
    return {
        "eventName": "Sign up",
        "customer": conversion_customer(sample, sample.ago(seconds=5)),
        "click": click(sample, sample.ago(minutes=10)),
        "link": link(sample),
        "partner": webhook_partner(sample),
        "metadata": {"plan": "pro"},
    }


def _sale_created(sample: Sample) -> dict[str, Any]:
    return {
        "eventName": "Purchase",
        "customer": conversion_customer(sample, sample.ago(days=39), sample.ago(days=30)),
        "click": click(sample, sample.ago(days=40)),
        "link": link(sample),
        "sale": {
            "amount": sample.amount,
            "currency": "usd",
            # Stripe's and Shopify's own sales carry no metadata.
            "paymentProcessor": "custom",
            "invoiceId": sample.invoice_id,
        },
        "partner": webhook_partner(sample),
        "metadata": {"plan": "pro"},
    }


def _commission_created(sample: Sample) -> dict[str, Any]:
    created_at = sample.ago(seconds=3)
    return {
        "id": sample.id("cm"),
        "type": "sale",
        "amount": sample.amount,
        "earnings": sample.earnings,
        "currency": "usd",
        "status": "pending",
        "invoiceId": sample.invoice_id,
        "description": None,
        "quantity": 1,
        "userId": None,
        "metadata": {"plan": "pro"},
        "createdAt": created_at,
        "updatedAt": created_at,
        "partner": webhook_partner(sample),
        "customer": commission_customer(sample, sample.ago(days=39), sample.ago(days=30)),
        "link": link_ref(sample),
    }


def _application(sample: Sample, partner: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": sample.id("pga"),
        "createdAt": sample.ago(seconds=3),
        "partner": partner,
        "applicationFormData": [
            {"label": "How will you promote us?", "value": "In a video and a newsletter"},
            {"label": "Anything else?", "value": None},
        ],
    }


def _partner_application_submitted(sample: Sample) -> dict[str, Any]:
    # The old event repeats what was typed into the form, the new one cleans it up.
    raw = sample.partner_site.removeprefix("https://")
    return _application(sample, applicant(sample, website=raw))


def _program_application_created(sample: Sample) -> dict[str, Any]:
    partner = {
        **applicant(sample, website=sample.partner_site),
        "networkStatus": "approved",
        "defaultPayoutMethod": "connect",
        "payoutsEnabledAt": sample.ago(days=180),
        "platforms": [
            {
                "type": "website",
                "identifier": sample.partner_site,
                "verifiedAt": sample.ago(days=170),
            },
            {"type": "youtube", "identifier": sample.partner_handle, "verifiedAt": None},
        ],
    }
    return _application(sample, partner)


def _partner_enrolled(sample: Sample) -> dict[str, Any]:
    return {**_profile(sample), **_enrollment(sample), **_performance(sample), **_socials(sample)}


def _profile(sample: Sample) -> dict[str, Any]:
    return {
        "id": sample.partner_id,
        "name": sample.partner_name,
        "username": sample.partner_handle,
        "email": sample.partner_email,
        "image": sample.partner_image,
        "description": "I review tools for small teams.",
        "country": sample.partner_country,
        "companyName": None,
        "networkStatus": "approved",
        "defaultPayoutMethod": "connect",
        "paypalEmail": None,
        "stripeConnectId": f"acct_{sample.token(16)}",
        "payoutsEnabledAt": sample.ago(days=180),
        "identityVerifiedAt": sample.ago(days=181),
    }


def _enrollment(sample: Sample) -> dict[str, Any]:
    return {
        "programId": sample.program_id,
        "groupId": sample.group_id,
        "partnerId": sample.partner_id,
        "tenantId": sample.tenant_id,
        "createdAt": sample.ago(seconds=3),
        "status": "approved",
        "links": [partner_link(sample)],
        "totalCommissions": sample.sales * sample.earnings,
        "clickRewardId": None,
        "leadRewardId": None,
        "saleRewardId": sample.id("rw"),
        "referralRewardId": None,
        "customRewardId": None,
        "discountId": sample.id("disc"),
        "applicationId": sample.id("pga"),
        "bannedAt": None,
        "bannedReason": None,
    }


def _performance(sample: Sample) -> dict[str, Any]:
    sale_amount = sample.sales * sample.amount
    commissions = sample.sales * sample.earnings
    return {
        "totalClicks": sample.clicks,
        "totalLeads": sample.leads,
        "totalConversions": sample.sales,
        "totalSales": sample.sales,
        "totalSaleAmount": sale_amount,
        "netRevenue": sale_amount - commissions,
        "earningsPerClick": commissions / sample.clicks,
        "averageLifetimeValue": sale_amount / sample.sales,
        "clickToLeadRate": sample.leads / sample.clicks,
        "clickToConversionRate": sample.sales / sample.clicks,
        "leadToConversionRate": sample.sales / sample.leads,
        "returnOnAdSpend": sale_amount / commissions,
    }


def _socials(sample: Sample) -> dict[str, Any]:
    return {
        "website": sample.partner_site,
        "youtube": sample.partner_handle,
        "twitter": None,
        "linkedin": None,
        "instagram": None,
        "tiktok": None,
        "trustedAt": None,
    }


def _partner_merged(sample: Sample) -> dict[str, Any]:
    return {
        "sourcePartner": {
            "id": sample.id("pn"),
            "tenantId": None,
            "email": f"old-{sample.partner_email}",
        },
        "targetPartner": {
            "id": sample.partner_id,
            "tenantId": sample.tenant_id,
            "email": sample.partner_email,
        },
        "targetAlreadyEnrolled": False,
    }


def _bounty(
    sample: Sample,
    *,
    name: str,
    kind: str,
    starts_at: datetime,
    condition: dict[str, Any] | None = None,
    requirements: dict[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "id": sample.id("bnty"),
        "name": name,
        "description": "Thank you for spreading the word.",
        "type": kind,
        "startsAt": starts_at,
        "endsAt": None,
        "startMode": "absolute",
        "endsAfterDays": None,
        "submissionsOpenAt": None,
        "submissionFrequency": None,
        "maxSubmissions": 1,
        "rewardAmount": sample.amount,
        "rewardDescription": None,
        "performanceCondition": condition,
        "performanceScope": "new" if condition else None,
        "submissionRequirements": requirements,
        "socialMetricsLastSyncedAt": None,
        "groups": [{"id": sample.group_id}],
        "partnerTags": [{"id": sample.id("ptag")}],
    }


def _bounty_created(sample: Sample) -> dict[str, Any]:
    return _bounty(
        sample,
        name="Make a video about us",
        kind="submission",
        starts_at=sample.ago(seconds=3),
        requirements={
            "image": {"max": 4},
            "url": {"max": 1, "domains": ["video.example.com"]},
            "socialMetrics": {
                "platform": "youtube",
                "metric": "views",
                "minCount": 1_000,
                "incrementalBonus": {
                    "incrementCount": 1_000,
                    "bonusPerIncrement": 500,
                    "maxCount": 10_000,
                },
            },
        },
    )


def _bounty_updated(sample: Sample) -> dict[str, Any]:
    return _bounty(
        sample,
        name="Bring ten leads",
        kind="performance",
        starts_at=sample.ago(days=7),
        condition={"attribute": "totalLeads", "operator": "gte", "value": 10},
    )


def _payout(sample: Sample) -> dict[str, Any]:
    return {
        "id": sample.id("po"),
        "invoiceId": sample.id("inv"),
        "amount": sample.sales * sample.earnings,
        "currency": "USD",
        "status": "processing",
        "description": None,
        "periodStart": sample.ago(days=61),
        "periodEnd": sample.ago(days=31),
        "createdAt": sample.ago(days=30),
        "updatedAt": sample.ago(seconds=3),
        "initiatedAt": sample.ago(minutes=5),
        "paidAt": None,
        "mode": "external",
        "method": None,
        "partner": {
            "id": sample.partner_id,
            "name": sample.partner_name,
            "email": sample.partner_email,
            "image": sample.partner_image,
            "country": sample.partner_country,
            "tenantId": sample.tenant_id,
            "status": "approved",
        },
    }


def _discount_code(sample: Sample) -> dict[str, Any]:
    return {
        "id": sample.id("dcode"),
        "code": sample.partner_handle.upper(),
        "partnerId": sample.partner_id,
        "linkId": sample.link_id,
        "disabledAt": None,
        "discount": {
            "id": sample.id("disc"),
            "amount": 20,
            "type": "percentage",
            "maxDuration": 12,
            "provider": "custom",
        },
    }


def _message_received(sample: Sample) -> dict[str, Any]:
    sent_at = sample.ago(seconds=3)
    file = f"{sample.program_id}/{sample.token(12)}/draft.png"
    signature = sample.token(64, "0123456789abcdef")
    return {
        "id": sample.id("msg"),
        "text": "Hi! Here is a draft of my post. Is it all right?",
        "readInApp": None,
        "readInEmail": None,
        "createdAt": sent_at,
        "updatedAt": sent_at,
        "attachments": [
            {
                "name": "draft.png",
                "size": sample.number(10_000, 2_000_000),
                "type": "image/png",
                "url": f"https://dubassets.com/messages/{file}"
                f"?X-Amz-Expires=3600&X-Amz-Signature={signature}",
            }
        ],
        "sourceType": "partner",
        "partner": {
            "id": sample.partner_id,
            "name": sample.partner_name,
            "email": sample.partner_email,
            "image": sample.partner_image,
        },
    }


WEBHOOKS: Mapping[str, Callable[[Sample], dict[str, Any]]] = {
    "link.created": partial(link, new=True),
    "link.updated": link,
    "link.deleted": link,
    "link.clicked": _link_clicked,
    "lead.created": _lead_created,
    "sale.created": _sale_created,
    "commission.created": _commission_created,
    "partner.enrolled": _partner_enrolled,
    "partner.application_submitted": _partner_application_submitted,
    "program_application.created": _program_application_created,
    "partner.merged": _partner_merged,
    "bounty.created": _bounty_created,
    "bounty.updated": _bounty_updated,
    "payout.confirmed": _payout,
    "external_payout.confirmed": _payout,
    "discount_code.created": _discount_code,
    "discount_code.deleted": _discount_code,
    "message.received": _message_received,
}
"""What makes the ``data`` of an event, by its name."""
