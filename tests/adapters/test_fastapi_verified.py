"""The verifying dependency, the router's own traits, and the OpenAPI description."""

import json
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI

from dubhooks import MemoryStore, Webhooks
from dubhooks.fastapi import openapi, router, verified, webhook
from dubhooks.webhooks import LeadCreated, PayoutConfirmed, SaleCreated
from tests.support.adapters.clients import AsgiClient, Client
from tests.support.adapters.situations import (
    LINK,
    PAYOUT_REQUEST,
    SALE,
    SALE_REQUEST,
    SECRET,
    Request,
    with_signature,
)

hooks = Webhooks(SECRET, store=MemoryStore())
VerifiedSale = Annotated[SaleCreated, Depends(verified(hooks, SaleCreated))]
seen: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    seen.clear()


def depends() -> str:
    """Be a dependency."""
    seen.append("dependency")
    return "dependency"


@pytest.fixture
def client() -> Client:
    """Serve a route that takes a verified sale."""
    app = FastAPI()

    @app.post("/webhooks/dub", status_code=202)
    def sale(event: VerifiedSale, other: Annotated[str, Depends(depends)]) -> dict[str, str]:
        seen.append(event.id)
        return {"id": event.id}

    return AsgiClient(app)


def test_verified_event(client: Client) -> None:
    """The route gets the typed event and answers by itself, every delivery: nothing is claimed."""
    for _ in range(2):
        response = SALE_REQUEST.send(client)
        assert (response.status, json.loads(response.body)) == (202, {"id": SALE.id})
    assert seen == ["dependency", SALE.id] * 2


@pytest.mark.parametrize(
    ("request_", "status", "body"),
    [
        (with_signature(), 401, b'{"detail":"signature_missing"}'),
        (with_signature("0" * 64), 401, b'{"detail":"signature_mismatch"}'),
        (Request(b""), 400, b'{"detail":"body_empty"}'),
        (Request(b"{"), 400, b'{"detail":"invalid_json"}'),
        (LINK, 200, b'{"detail":"ignored"}'),
        (PAYOUT_REQUEST, 501, b'{"detail":"unhandled_payout"}'),
    ],
)
def test_refused(client: Client, request_: Request, status: int, body: bytes) -> None:
    """What is refused, or is another event, gets our status and code and runs nothing else."""
    response = request_.send(client)
    assert (response.status, response.body) == (status, body)
    assert seen == []


def test_another_event_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The log says which dependency an event came to that it does not take, once."""
    app, hooks = FastAPI(), Webhooks(SECRET)

    @app.post("/webhooks/dub")
    def sale(event: Annotated[SaleCreated, Depends(verified(hooks, SaleCreated))]) -> None: ...

    for _ in range(2):
        assert LINK.send(AsgiClient(app)).status == 200
    (line,) = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert "link.clicked came to verified(SaleCreated), which does not take it" in line


@pytest.mark.parametrize("path", ["/webhooks/dub", "/webhooks/dub/"])
def test_router_redirects_no_slash(path: str) -> None:
    """Both spellings of the path work, because Dub takes a redirect for a payout as paid."""
    for mounted in ("/webhooks/dub", "/webhooks/dub/"):
        app = FastAPI()
        app.include_router(router(hooks, path=mounted))
        assert SALE_REQUEST.send(AsgiClient(app, path)).status == 200


@pytest.mark.parametrize("path", ["/api", "/api/"])
def test_router_with_a_prefix(path: str) -> None:
    """A prefix of the inclusion counts, and its dependencies do not."""
    app = FastAPI()
    app.include_router(router(hooks, path="/"), prefix="/api", dependencies=[Depends(depends)])
    if path == "/api/":
        assert SALE_REQUEST.send(AsgiClient(app, path)).status == 200
    app = FastAPI()
    app.include_router(router(hooks, path="/dub"), prefix="/api", dependencies=[Depends(depends)])
    assert SALE_REQUEST.send(AsgiClient(app, path.rstrip("/") + "/dub")).status == 200
    assert seen == []


def test_openapi() -> None:
    """The document describes the body and the header, and refers to nothing that is not there."""
    app = FastAPI()
    receiver = Webhooks(SECRET)

    @app.post("/webhooks/dub", openapi_extra=openapi(SaleCreated))
    @webhook(receiver, SaleCreated)
    def sale(event: SaleCreated) -> None: ...

    @app.post("/two", openapi_extra=openapi(LeadCreated, PayoutConfirmed))
    @webhook(receiver, LeadCreated, PayoutConfirmed)
    def two(event: LeadCreated | PayoutConfirmed) -> None: ...

    document = app.openapi()
    operation = document["paths"]["/webhooks/dub"]["post"]
    assert [parameter["name"] for parameter in operation["parameters"]] == ["Dub-Signature"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert schema["properties"]["event"]["const"] == "sale.created"
    sale_schema = schema["properties"]["data"]["properties"]["sale"]["properties"]
    assert "paymentProcessor" in sale_schema
    body = document["paths"]["/two"]["post"]["requestBody"]["content"]["application/json"]
    assert [one["title"] for one in body["schema"]["oneOf"]] == ["LeadCreated", "PayoutConfirmed"]
    assert "$ref" not in json.dumps(schema)
    assert "$ref" not in json.dumps(body)
