"""Nothing of a payload, a signature or a secret in what error trackers send, nor in any repr.

They send the local variables of every frame that an error came through, and of
those that are on the stack when a handler reports something itself.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import dubhooks
from dubhooks import (
    ConfigurationError,
    DeadLetterDirectory,
    MemoryStore,
    Postbacks,
    Webhooks,
    postbacks,
    sign,
    verify,
    webhooks,
)
from dubhooks._body import BodyReader, Request
from dubhooks.receiver._settings import UNSET, Settings
from dubhooks.signature import Keyring, raw_body
from dubhooks.webhooks import SaleCreated
from tests.support.frames import find_leaks, frames_of_caller, frames_of_coroutine, frames_of_error
from tests.support.receiving import MARKERS, SECRET, Outage, changed, sale, signed, unfit
from tests.support.worlds import WORLDS, build_world

BODY, HEADERS = signed(sale())
SIGNATURE = HEADERS["Dub-Signature"]
HIDDEN = (*MARKERS, SIGNATURE[:32])
"""Parts of the body, the secret, and the signature."""


@pytest.mark.parametrize("kind", WORLDS, ids="-".join)
def test_while_a_handler_runs(kind: tuple[str, str, str]) -> None:
    """No frame on the stack of a handler, and none that waits for it, shows what came."""
    world = build_world(*kind)
    hooks, leaks = world.build_receiver(), list[str]()
    tasks: list[Any] = []

    def look() -> None:
        leaks.extend(find_leaks(frames_of_caller(), HIDDEN))
        for task in tasks:
            leaks.extend(find_leaks(frames_of_coroutine(task.get_coro()), HIDDEN))

    class Looking(list[Any]):
        def append(self, event: Any) -> None:
            super().append(event)
            look()

    world.seen = Looking()
    hooks.on(SaleCreated)(world.build_handler([None]))

    async def main() -> str:
        tasks.append(asyncio.ensure_future(hooks.ahandle(BODY, HEADERS)))
        outcome: str = (await tasks[0]).outcome
        return outcome

    outcome = asyncio.run(main()) if kind[0] == "ahandle" else hooks.handle(BODY, HEADERS).outcome
    assert outcome == "handled"
    assert len(world.seen) == 1
    assert not leaks


@pytest.mark.parametrize("kind", WORLDS, ids="-".join)
def test_what_leaves_a_handler_or_a_store(kind: tuple[str, str, str]) -> None:
    """No frame that an error of a handler, or an interrupt in a store, came through shows it."""
    for method in ("claim", "complete", "release", None):
        world = build_world(*kind)
        if method is not None and world.store is None:
            continue
        hooks = world.build_receiver()
        error = ValueError("boom") if method in ("release", None) else None
        hooks.on(SaleCreated)(world.build_handler([error]))
        if method is not None:
            world.store.fails[method] = KeyboardInterrupt() if method != "release" else Outage()
        with pytest.raises((ValueError, KeyboardInterrupt)) as raised:
            world.deliver(hooks, (BODY, HEADERS))
        assert not find_leaks(frames_of_error(raised.value), HIDDEN), method


def unreachable() -> str:
    """Fail, as a vault does that is away."""
    raise ConnectionError("the vault is away")


FAULTS: dict[str, tuple[bytes, Any]] = {
    "no signature": (BODY, {}),
    "malformed": (BODY, {"Dub-Signature": f"sha256={SIGNATURE}"}),
    "mismatch": (BODY + b" ", HEADERS),
    "two": (BODY, [("Dub-Signature", SIGNATURE)] * 2),
    "compressed": (BODY, HEADERS | {"Content-Encoding": "gzip"}),
    "not JSON": signed(BODY[:-1]),
    "no envelope": signed(b"[" + BODY + b"]"),
    "invalid": signed(unfit(sale())),
    "too old": signed(changed(sale(), createdAt="2020-01-01T00:00:00.000Z")),
    "too large": (BODY + b" " * 16_000, HEADERS),
    "no headers": (BODY, f"Dub-Signature: {SIGNATURE}"),
    "headers of numbers": (BODY, [("Dub-Signature", SIGNATURE), (5, SIGNATURE)]),
    "no bytes": (BODY.decode(), HEADERS),  # type: ignore[dict-item]
}


def parse_only(family: Any) -> Callable[[bytes, Any], object]:
    """Return a function that parses, if the fault is in the body."""
    return lambda body, _: family.parse(body)


ENTRANCES: dict[str, Callable[[bytes, Any], object]] = {
    "unwrap": lambda *it: Webhooks(SECRET, max_age=60, max_body=16_000).unwrap(*it),
    "unwrap postback": lambda *it: Postbacks(SECRET, max_age=60, max_body=16_000).unwrap(*it),
    "unwrap, no secret": lambda *it: Webhooks(unreachable).unwrap(*it),
    "handle": lambda *it: Webhooks(SECRET).handle(*it),
    "ahandle": lambda *it: asyncio.run(Webhooks(SECRET).ahandle(*it)),
    "verify": lambda body, headers: verify(body, dict(headers)["Dub-Signature"], SECRET),
    "verify, bad secret": lambda body, _: verify(body, SIGNATURE, [SECRET, ""]),
    "verify, no secret": lambda body, _: verify(body, SIGNATURE, unreachable),
    "sign": lambda body, _: sign(body, SECRET),
    "sign, bad secret": lambda body, _: sign(body, f" {SECRET}"),
    "raw_body": lambda body, _: raw_body(body),
    "parse": parse_only(webhooks),
    "parse postback": parse_only(postbacks),
}


@pytest.mark.parametrize("entrance", ENTRANCES.values(), ids=ENTRANCES.keys())
def test_what_leaves_an_entrance(entrance: Callable[[bytes, Any], object]) -> None:
    """Whatever an entrance raises, no frame of ours that it came through shows what came."""
    raised: dict[str, Exception] = {}
    for fault, request in FAULTS.items():
        try:
            entrance(*request)
        except Exception as error:  # noqa: BLE001 - which one it is, other tests say
            raised[fault] = error
    assert raised
    for fault, one in raised.items():
        assert not find_leaks(frames_of_error(one), HIDDEN), fault
        assert not any(marker in f"{one!r} {one.args!r}" for marker in HIDDEN), fault


BAD_RECEIVERS: dict[str, Callable[[Any], object]] = {
    "blank": lambda cls: cls(f" {SECRET}"),
    "one of several": lambda cls: cls([SECRET, ""]),
    "in a list": lambda cls: cls([[SECRET]]),
    "not encodable": lambda cls: cls(SECRET + "\ud83d"),
    "bytearray": lambda cls: cls(bytearray(SECRET.encode())),
    "mapping": lambda cls: cls({"secret": SECRET}),
    "namespace": lambda cls: cls(SECRET, namespace="a b"),
    "store": lambda cls: cls(SECRET, store="x.db"),
    "lease": lambda cls: cls([SECRET, SECRET], lease=0),
    "observers": lambda cls: cls(lambda: SECRET, observers=[None]),
}


@pytest.mark.parametrize("make", BAD_RECEIVERS.values(), ids=BAD_RECEIVERS.keys())
@pytest.mark.parametrize("cls", [Webhooks, Postbacks])
def test_a_receiver_that_cannot_be_made(make: Callable[[Any], object], cls: Any) -> None:
    """The frames of its making show no secret, and every repr in them works."""
    with pytest.raises(ConfigurationError) as raised:
        make(cls)
    # Which calls the repr of each variable, the half-made receiver and its settings included.
    assert not find_leaks(frames_of_error(raised.value), MARKERS)


def test_a_half_made_receiver() -> None:
    """What ``__init__`` never finished has a repr, too."""
    assert repr(object.__new__(Webhooks)) == "<Webhooks>"
    assert repr(object.__new__(Postbacks)) == "<Postbacks>"
    assert repr(object.__new__(Settings)).startswith("<dubhooks.receiver._settings.Settings")


def look_through(value: object, seen: dict[int, object]) -> Iterator[object]:
    """Yield everything that is reachable by attributes and members from ``value``."""
    if id(value) in seen:
        return
    seen[id(value)] = value
    yield value
    inside: list[object] = []
    if isinstance(value, dict):
        inside = [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple, set, frozenset)):
        inside = [*value]
    elif type(value).__module__.startswith("dubhooks") and not isinstance(value, type):
        inside = [*getattr(value, "__dict__", {}).values()]
        for cls in type(value).__mro__:
            inside += [getattr(value, name, None) for name in getattr(cls, "__slots__", ())]
    for one in inside:
        yield from look_through(one, seen)


@pytest.mark.parametrize(
    "secret", [SECRET, SECRET.encode(), [SECRET, "whsec_marker_2"], (SECRET.encode(),)], ids=repr
)
@pytest.mark.parametrize("cls", [Webhooks, Postbacks])
def test_a_receiver_keeps_no_secret(cls: Any, secret: Any) -> None:
    """Nothing in a receiver holds a secret, before and after a delivery; every repr works."""
    hooks = cls(secret, store=MemoryStore(), dead_letters=DeadLetterDirectory("letters"))
    hooks.on_unhandled(print_nothing)
    for _ in range(2):
        for value in look_through(hooks, {}):
            assert not any(marker in repr(value) for marker in MARKERS)
            if isinstance(value, (str, bytes)):
                assert b"marker" not in (value if isinstance(value, bytes) else value.encode())
        assert hooks.handle(BODY, HEADERS).status == 200


def print_nothing(_: Any) -> None:
    """Do nothing."""


def test_reprs() -> None:
    """What our frames hold says what it is, and nothing of what is in it."""
    hooks = Webhooks(SECRET, store=MemoryStore(), namespace="shop")
    request = Request(BODY, HEADERS)
    reader = BodyReader(1000, None)
    reader.add(b"marker")
    opened = hooks._pipeline.open(request)
    parts = (request, reader, opened, Keyring(SECRET), UNSET)
    shown = [repr(it) for it in parts]
    assert shown[0] == "<Request>"
    assert shown[1] == "<BodyReader of 6 bytes>"
    assert shown[2].startswith("Delivery(event=SaleCreated(id='evt_")
    assert shown[3:] == ["<Keyring>", "<retention when there is a store, else None>"]
    assert not any(marker in one for one in shown for marker in MARKERS)
    assert repr(hooks).startswith("<Webhooks namespace='shop' store=<")
    assert repr(Webhooks(SECRET)) == "<Webhooks namespace='default' store=None>"


def test_a_foreign_event_in_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    """An id that is not Dub's cannot begin a line of its own in the log."""
    caplog.set_level(logging.INFO, "dubhooks")
    hooks = dubhooks.Webhooks(SECRET)
    hooks.on(SaleCreated)(print_nothing)
    hooks.handle(*signed(sale(id="evt_1\nERROR it is all lost")))
    assert "\n" not in caplog.messages[0]
