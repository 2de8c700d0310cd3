"""A read-only view of the claims, for projects with ``django.contrib.admin``."""

from __future__ import annotations

from datetime import datetime, timezone

from django.conf import settings
from django.contrib import admin
from django.utils.timezone import make_naive

from .models import Claim


def _refuse(self: object, request: object, obj: object = None) -> bool:  # noqa: ARG001
    return False


class _ClaimAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Shows claims: whoever wants an event to run again uses ``manage.py dubhooks_forget``."""

    list_display = ("claim_key", "state", "attempt", "held_since", "held_until", "kept_until")
    list_filter = ("done",)
    # By the index, and what came last first: all claims are kept for as long.
    ordering = ("-keep_until",)
    search_fields = ("claim_key__contains",)
    show_full_result_count = False  # it counts every row
    fields = (*list_display, "fingerprint")
    readonly_fields = fields
    actions = None

    @admin.display(description="state", ordering="done")
    def state(self, claim: Claim) -> str:
        """Return in words what became of it."""
        if claim.done:
            return "done"
        return "held" if claim.lease_until else "free"

    @admin.display(description="since", ordering="since")
    def held_since(self, claim: Claim) -> datetime | None:
        """Return when it was claimed."""
        return _to_datetime(claim.since)

    @admin.display(description="lease until", ordering="lease_until")
    def held_until(self, claim: Claim) -> datetime | None:
        """Return when another delivery may take it over."""
        return None if claim.done else _to_datetime(claim.lease_until)

    @admin.display(description="kept until", ordering="keep_until")
    def kept_until(self, claim: Claim) -> datetime | None:
        """Return when it counts as absent."""
        return _to_datetime(claim.keep_until)

    # Nobody makes, changes or deletes a claim by hand: its handler may be running.
    has_add_permission = has_change_permission = has_delete_permission = _refuse


def _to_datetime(milliseconds: int) -> datetime | None:
    if not milliseconds:
        return None
    moment = datetime.fromtimestamp(milliseconds / 1000, tz=timezone.utc)
    return moment if settings.USE_TZ else make_naive(moment)


admin.site.register(Claim, _ClaimAdmin)
