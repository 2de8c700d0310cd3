"""Tests of code that receives Dub events: realistic events, signed requests.

body, headers = signed_request(make_event("sale.created"), "whsec_test")
reply = hooks.handle(body, headers)
"""

from __future__ import annotations

from . import samples
from ._factory import make_event, make_postback
from ._overrides import ABSENT
from ._signing import signed_request
from .contract import StoreContract

__all__ = ["ABSENT", "StoreContract", "make_event", "make_postback", "samples", "signed_request"]
