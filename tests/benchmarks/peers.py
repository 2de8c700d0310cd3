"""Other libraries that receive webhooks, each with a body that is signed as it wants."""

# They are installed in an environment of their own.
# pyright: reportMissingImports=false, reportUnknownParameterType=false
from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from tests.benchmarks.bodies import SECRET

REQUIREMENTS = (
    "stripe>=16.1",
    "svix>=2.9",
    "standardwebhooks>=1.1",
    "openai>=3.57",
    "githubkit>=0.16.1",
    "hishel<2",  # githubkit allows 2.0, and cannot be imported with it
    "dub>=0.39",
)
"""What pip installs."""
IMPORTS = {
    "stripe": "import stripe",
    "svix": "from svix.webhooks import Webhook",
    "standardwebhooks": "from standardwebhooks.webhooks import Webhook",
    "openai": "import openai",
    "githubkit": "import githubkit.webhooks",
    "dub": "from dub.models import components",
}
"""What a program that receives webhooks with it begins with."""

KEY = b"0123456789abcdef" * 2
ENCODED_KEY = "whsec_" + base64.b64encode(KEY).decode()


class Peer:
    """One library: what it does with one body; ``None`` where it has no such function."""

    verify: Callable[[], Any] | None = None
    reject: Callable[[], Any] | None = None
    parse: Callable[[], Any] | None = None
    receive: Callable[[], Any] | None = None
    """Verify and parse, as its documentation tells to."""


class Stripe(Peer):
    """Verifies text with a time, and builds a dynamic object."""

    def __init__(self, body: bytes) -> None:
        import stripe

        now = int(time.time())
        text = body.decode().replace('{"id"', '{"object":"event","id"', 1)
        signed = hmac.new(SECRET.encode(), f"{now}.{text}".encode(), hashlib.sha256).hexdigest()
        header, forged = f"t={now},v1={signed}", f"t={now},v1={'0' * 64}"
        check = stripe.WebhookSignature.verify_header
        self.verify = lambda: check(text, header, SECRET, tolerance=10**6)
        self.reject = lambda: check(text, forged, SECRET, tolerance=10**6)
        self.parse = lambda: stripe.Event.construct_from(json.loads(text), "none")
        construct = stripe.Webhook.construct_event
        self.receive = lambda: construct(text, header, SECRET, tolerance=10**6)


class Svix(Peer):
    """Verifies text; reading the JSON is left to the caller."""

    prefix = "svix"

    def __init__(self, body: bytes) -> None:
        hook = self.make_hook()
        text, now = body.decode(), datetime.now(timezone.utc)
        headers = {
            f"{self.prefix}-id": "msg_1",
            f"{self.prefix}-timestamp": str(int(now.timestamp())),
            f"{self.prefix}-signature": hook.sign("msg_1", now, text),
        }
        wrong = base64.b64encode(bytes(32)).decode()
        forged = {**headers, f"{self.prefix}-signature": f"v1,{wrong}"}
        self.verify = lambda: self.check(hook, text, headers)
        self.reject = lambda: self.check(hook, text, forged)

        def receive() -> Any:
            self.check(hook, text, headers)
            return json.loads(text)

        self.receive = receive

    def make_hook(self) -> Any:
        """Return its object for one secret."""
        from svix.webhooks import Webhook

        return Webhook(ENCODED_KEY)

    def check(self, hook: Any, text: str, headers: dict[str, str]) -> None:
        """Verify without reading the JSON."""
        hook.verify(text, headers)


class StandardWebhooks(Svix):
    """The reference library, which Svix is built on."""

    prefix = "webhook"

    def make_hook(self) -> Any:
        """Return its object for one secret."""
        from standardwebhooks.webhooks import Webhook

        return Webhook(ENCODED_KEY)

    def check(self, hook: Any, text: str, headers: dict[str, str]) -> None:
        """Verify without reading the JSON."""
        hook.verify(text, headers, json_parse=False)


class OpenAI(Peer):
    """Verifies, and builds an event of its own with the data of ours."""

    def __init__(self, body: bytes) -> None:
        import openai

        hooks = openai.OpenAI(api_key="none", webhook_secret=ENCODED_KEY).webhooks
        now = str(int(time.time()))
        envelope = {"id": "evt_1", "object": "event", "created_at": 1, "type": "response.completed"}
        data = {"id": "resp_1", **json.loads(body)["data"]}
        text = json.dumps({**envelope, "data": data}, separators=(",", ":"))
        digest = hmac.new(KEY, f"msg_1.{now}.{text}".encode(), hashlib.sha256).digest()
        headers = {
            "webhook-id": "msg_1",
            "webhook-timestamp": now,
            "webhook-signature": "v1," + base64.b64encode(digest).decode(),
        }
        wrong = base64.b64encode(bytes(32)).decode()
        forged = {**headers, "webhook-signature": f"v1,{wrong}"}
        self.verify = lambda: hooks.verify_signature(text, headers)
        self.reject = lambda: hooks.verify_signature(text, forged)
        self.receive = lambda: hooks.unwrap(text, headers)


class GitHubKit(Peer):
    """Verifies bytes; its models are those of GitHub, so the JSON stays untyped here."""

    def __init__(self, body: bytes) -> None:
        from githubkit import webhooks

        signature, forged = webhooks.sign(SECRET, body, "sha256"), f"sha256={'0' * 64}"

        def check(value: str) -> None:
            if not webhooks.verify(SECRET, body, value):
                raise ValueError

        def receive() -> Any:
            check(signature)
            return json.loads(body)

        self.verify = lambda: check(signature)
        self.reject = lambda: check(forged)
        self.receive = receive


class Dub(Peer):
    """Dub's own library has models and no verification: ``hmac`` by hand."""

    def __init__(self, body: bytes) -> None:
        from dub.models import components
        from dub.utils import unmarshal_json

        text = body.decode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()

        def receive() -> Any:
            computed = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
            assert hmac.compare_digest(computed, signature)
            return unmarshal_json(text, components.WebhookEvent)

        self.parse = lambda: unmarshal_json(text, components.WebhookEvent)
        self.receive = receive


NAMES: dict[str, Callable[[bytes], Peer]] = {
    "stripe": Stripe,
    "svix": Svix,
    "standardwebhooks": StandardWebhooks,
    "openai": OpenAI,
    "githubkit": GitHubKit,
    "dub": Dub,
}


def calls(kind: str, body: bytes) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Return what the installed libraries do with a body.

    A library that is not there, or has no such function, is left out.

    Args:
        kind: ``verify``, ``reject``, ``parse`` or ``receive``.
        body: as Dub sends it.
    """
    for name, make in NAMES.items():
        with suppress(ImportError):
            call: Callable[[], Any] | None = getattr(make(body), kind)
            if call is not None:
                yield name, _swallowing(call) if kind == "reject" else call


def versions() -> dict[str, str]:
    """Return the versions of what is installed."""
    found: dict[str, str] = {}
    for name in NAMES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _swallowing(call: Callable[[], Any]) -> Callable[[], bool]:
    def run() -> bool:
        try:
            call()
        except Exception:  # noqa: BLE001 - each library has an error of its own
            return True
        return False

    # Checked once, so that nothing is measured that accepts.
    assert run(), "a forged signature was accepted"
    return run
