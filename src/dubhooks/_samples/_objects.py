"""The objects that several events carry, with every key that Dub sends, in its order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from ._sample import Sample

__all__ = [
    "applicant",
    "click",
    "commission_customer",
    "conversion_customer",
    "link",
    "link_ref",
    "partner_link",
    "postback_customer",
    "webhook_partner",
]


def link(sample: Sample, *, new: bool = False) -> dict[str, Any]:
    """Return a partner's link; a ``new`` one has no clicks yet."""
    return {**_target(sample), **_options(sample), **_utm_and_test(), **_record(sample, new)}


def _target(sample: Sample) -> dict[str, Any]:
    return {
        "id": sample.link_id,
        "domain": sample.domain,
        "key": sample.key,
        "url": sample.url,
        "trackConversion": True,
        "externalId": None,
        "tenantId": sample.tenant_id,
        "programId": sample.program_id,
        "partnerId": sample.partner_id,
    }


def _options(sample: Sample) -> dict[str, Any]:
    return {
        "archived": False,
        "expiresAt": None,
        "expiredUrl": None,
        "disabledAt": None,
        "password": None,
        "proxy": False,
        "title": None,
        "description": None,
        "image": None,
        "video": None,
        "rewrite": False,
        "doIndex": False,
        "ios": None,
        "android": None,
        "geo": None,
        "publicStats": False,
        "tags": [{"id": sample.tag_id, "name": "Partners", "color": "blue"}],
        "folderId": sample.folder_id,
        "comments": None,
        "shortLink": sample.short_link,
        "qrCode": f"https://api.dub.co/qr?url={sample.short_link}?qr=1",
    }


def _utm_and_test() -> dict[str, Any]:
    return {
        "utm_source": "partner",
        "utm_medium": "referral",
        "utm_campaign": None,
        "utm_term": None,
        "utm_content": None,
        "testVariants": None,
        "testStartedAt": None,
        "testCompletedAt": None,
    }


def _record(sample: Sample, new: bool) -> dict[str, Any]:
    created_at = sample.ago(seconds=2) if new else sample.ago(days=90)
    return {
        "userId": sample.user_id,
        "workspaceId": sample.workspace_id,
        "clicks": 0 if new else sample.clicks,
        "leads": 0 if new else sample.leads,
        "conversions": 0 if new else sample.sales,
        "sales": 0 if new else sample.sales,
        "saleAmount": 0 if new else sample.sales * sample.amount,
        "lastClicked": None if new else sample.ago(seconds=30),
        "createdAt": created_at,
        "updatedAt": created_at if new else sample.ago(seconds=2),
        "tagId": sample.tag_id,
        "projectId": sample.workspace_id,
        "webhookIds": [],
    }


def link_ref(sample: Sample) -> dict[str, Any]:
    """Return the same link in short."""
    return {
        "id": sample.link_id,
        "shortLink": sample.short_link,
        "domain": sample.domain,
        "key": sample.key,
    }


def partner_link(sample: Sample) -> dict[str, Any]:
    """Return the same link as ``partner.enrolled`` lists it."""
    return {
        "id": sample.link_id,
        "domain": sample.domain,
        "key": sample.key,
        "shortLink": sample.short_link,
        "url": sample.url,
        "clicks": sample.clicks,
        "leads": sample.leads,
        "conversions": sample.sales,
        "sales": sample.sales,
        "saleAmount": sample.sales * sample.amount,
    }


def click(sample: Sample, timestamp: datetime) -> dict[str, Any]:
    """Return a click on the link."""
    country, city, region, continent = sample.place
    return {
        "id": sample.click_id,
        "timestamp": timestamp,
        "url": sample.url,
        "country": country,
        "city": city,
        "region": region,
        "continent": continent,
        "device": "Desktop",
        "browser": "Chrome",
        "os": "Mac OS",
        "ua": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 "
        "(KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
        "trigger": "link",
        "referer": "blog.example.com",
        "refererUrl": "https://blog.example.com/review",
        "qr": False,
        "ip": f"203.0.113.{sample.number(1, 254)}",
    }


def commission_customer(
    sample: Sample, created_at: datetime, first_sale_at: datetime | None = None
) -> dict[str, Any]:
    """Return the customer, with one earlier sale if there is a date of it."""
    return {
        "id": sample.customer_id,
        "name": sample.customer_name,
        "email": f"{sample.customer_external_id}@example.com",
        "avatar": f"https://example.com/avatars/{sample.customer_id}.png",
        "externalId": sample.customer_external_id,
        "stripeCustomerId": None,
        "country": sample.place[0],
        "sales": 1 if first_sale_at else 0,
        "saleAmount": sample.amount if first_sale_at else 0,
        "createdAt": created_at,
        "firstSaleAt": first_sale_at,
        "subscriptionCanceledAt": None,
    }


def conversion_customer(
    sample: Sample, created_at: datetime, first_sale_at: datetime | None = None
) -> dict[str, Any]:
    """Return the same customer as leads and sales show it."""
    customer = commission_customer(sample, created_at, first_sale_at)
    del customer["country"]  # removed by the sender too
    return customer


def postback_customer(
    sample: Sample, created_at: datetime, first_sale_at: datetime | None = None
) -> dict[str, Any]:
    """Return the customer as partners get to see it."""
    return {
        "id": sample.customer_id,
        "country": sample.place[0],
        "createdAt": created_at,
        "firstSaleAt": first_sale_at,
        "subscriptionCanceledAt": None,
    }


def webhook_partner(sample: Sample) -> dict[str, Any]:
    """Return the partner of a conversion; the link is the partner's only one."""
    return {
        "id": sample.partner_id,
        "name": sample.partner_name,
        "email": sample.partner_email,
        "image": sample.partner_image,
        "payoutsEnabledAt": sample.ago(days=180),
        "country": sample.partner_country,
        "groupId": sample.group_id,
        "totalClicks": sample.clicks,
        "totalLeads": sample.leads,
        "totalConversions": sample.sales,
        "totalSales": sample.sales,
        "totalSaleAmount": sample.sales * sample.amount,
        "totalCommissions": sample.sales * sample.earnings,
    }


def applicant(sample: Sample, *, website: str) -> dict[str, Any]:
    """Return the partner who applies, as both application events show it."""
    return {
        "id": sample.partner_id,
        "name": sample.partner_name,
        "companyName": None,
        "email": sample.partner_email,
        "image": sample.partner_image,
        "description": "I review tools for small teams.",
        "country": sample.partner_country,
        "groupId": sample.group_id,
        "status": "pending",
        "website": website,
        "youtube": sample.partner_handle,
        "twitter": None,
        "linkedin": None,
        "instagram": None,
        "tiktok": None,
    }
