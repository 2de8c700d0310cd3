"""Verify, parse, both, reject and import, beside their floors and beside other libraries.

Run it with ``python tests/benchmarks/bench_core.py``.  Everything is measured in
turn in one run, and the fastest rounds are compared, so that only the
ratios count.  Other libraries are measured when they are installed.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

sys.path.insert(0, str(Path(__file__).parents[2]))

import pydantic
from pydantic import BaseModel, ConfigDict, Field, create_model

import dubhooks
from dubhooks import webhooks
from dubhooks._samples import load_abridged
from dubhooks.events._fields import Open
from tests.benchmarks import bodies

ROUNDS, SECONDS_A_ROUND = 60, 0.01
SECRET = "whsec_" + "0123456789abcdef" * 2


def main() -> None:
    """Print the tables."""
    print(f"Python {sys.version.split()[0]}, pydantic {pydantic.VERSION}")
    sale = bodies.sale()
    small = load_abridged(seed=1)["partner.enrolled abridged"]
    for name, body in (("sale.created", sale), ("a small partner.enrolled", small)):
        _print_core(name, body)
    _print_others(sale)
    _print_imports()


def _print_core(name: str, body: bytes) -> None:
    key = hmac.new(SECRET.encode(), b"", hashlib.sha256)
    signature = dubhooks.sign(body, SECRET)
    digest = bytes.fromhex(signature)
    wrong = bytes(32).hex()
    event = webhooks.parse(body)
    floor_model = _plain(type(event))
    floor_model.model_rebuild()
    validate = floor_model.__pydantic_validator__.validate_json
    validate(body)

    def verify_floor() -> bool:
        copy = key.copy()
        copy.update(body)
        return hmac.compare_digest(copy.digest(), digest)

    def untyped() -> Any:
        computed = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        return json.loads(body) if hmac.compare_digest(computed, signature) else None

    def ours() -> Any:
        dubhooks.verify(body, signature, SECRET)
        return webhooks.parse(body)

    def reject() -> None:
        try:
            dubhooks.verify(body, wrong, SECRET)
        except dubhooks.SignatureMismatch:
            return

    times = _measured(
        {
            "verify floor": verify_floor,
            "hmac.new": lambda: hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest(),
            "verify": lambda: dubhooks.verify(body, signature, SECRET),
            "reject": reject,
            "parse floor": lambda: validate(body),
            "json.loads": lambda: json.loads(body),
            "parse": lambda: webhooks.parse(body),
            "both floors": lambda: (verify_floor(), validate(body)),
            "untyped": untyped,
            "verify + parse": ours,
        }
    )
    print(f"\n{name}, {len(body)} bytes (microseconds, ratio)")
    _row(times, "verify", "verify floor", 1.10)
    _row(times, "verify", "hmac.new")
    _row(times, "reject", "verify floor", 1.10)
    _row(times, "parse", "parse floor", 1.08 if len(body) > 1000 else 1.12)
    _row(times, "parse", "json.loads")
    _row(times, "verify + parse", "both floors", 1.10)
    _row(times, "verify + parse", "untyped", 0.95)


def _plain(model: type[BaseModel]) -> type[BaseModel]:
    """Return a model of the same fields in plain pydantic types: the floor of parsing."""
    if model not in _PLAIN:
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
        _PLAIN[model] = create_model(f"Plain{model.__name__}", __config__=config, **fields)
    return _PLAIN[model]


_PLAIN: dict[type[BaseModel], type[BaseModel]] = {}


def _plain_type(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _plain(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is None or origin is Literal:
        return annotation
    if origin is Annotated:
        is_open = any(isinstance(extra, Open) for extra in arguments[1:])
        return str if is_open else _plain_type(arguments[0])
    plain = tuple(_plain_type(argument) for argument in arguments)
    return Union[plain] if origin in (Union, UnionType) else origin[plain]  # noqa: UP007


def _print_others(body: bytes) -> None:
    signature = dubhooks.sign(body, SECRET)

    def verified() -> object:
        dubhooks.verify(body, signature, SECRET)
        return webhooks.parse(body)

    ours: dict[str, Callable[[], Any]] = {"verify + parse": verified}
    targets = {"stripe": 27.0, "hmac + dub": 34.0, "openai": 7.5, "svix": 1.6}
    others = {name: made for name, make in _OTHERS.items() if (made := make(body)) is not None}
    times = _measured({**ours, **others})
    print("\nother libraries (microseconds, how many times ours)")
    for name in others:
        ratio = times[name] / times["verify + parse"]
        wanted = f", wanted >= {targets[name]}" if name in targets else ""
        print(f"  {name:24} {times[name]:9.2f}  {ratio:6.2f}{wanted}")
    for name in sorted(set(_OTHERS) - set(others)):
        print(f"  {name:24} not installed")


def _stripe(body: bytes) -> Callable[[], Any] | None:
    try:
        import stripe
    except ImportError:
        return None
    now = int(time.time())
    payload = body.decode().replace('{"id"', '{"object":"event","id"', 1)
    signed = hmac.new(SECRET.encode(), f"{now}.{payload}".encode(), hashlib.sha256).hexdigest()
    header = f"t={now},v1={signed}"
    return lambda: stripe.Webhook.construct_event(payload, header, SECRET, tolerance=10**6)


def _svix(body: bytes) -> Callable[[], Any] | None:
    try:
        from svix.webhooks import Webhook
    except ImportError:
        return None
    from datetime import datetime, timezone

    hook = Webhook("whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    when = datetime.now(timezone.utc)
    text = body.decode()
    headers = {
        "svix-id": "msg_1",
        "svix-timestamp": str(int(when.timestamp())),
        "svix-signature": hook.sign("msg_1", when, text),
    }

    def run() -> Any:
        hook.verify(text, headers)
        return json.loads(text)

    return run


def _openai(body: bytes) -> Callable[[], Any] | None:
    try:
        import openai
    except ImportError:
        return None
    import base64

    secret = "whsec_" + base64.b64encode(b"0" * 32).decode()
    client = openai.OpenAI(api_key="none", webhook_secret=secret)
    now = str(int(time.time()))
    payload = json.dumps(
        {
            "id": "evt_1",
            "object": "event",
            "created_at": 1,
            "type": "response.completed",
            "data": {"id": "resp_1", **json.loads(body)["data"]},
        }
    )
    mac = hmac.new(b"0" * 32, f"msg_1.{now}.{payload}".encode(), hashlib.sha256).digest()
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": now,
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }
    return lambda: client.webhooks.unwrap(payload, headers)


def _dub(body: bytes) -> Callable[[], Any] | None:
    try:
        from dub.models import components
        from dub.utils import unmarshal_json
    except ImportError:
        return None
    text = body.decode()
    unmarshal_json(text, components.WebhookEvent)

    def run() -> Any:
        hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        return unmarshal_json(text, components.WebhookEvent)

    return run


_OTHERS: dict[str, Callable[[bytes], Callable[[], Any] | None]] = {
    "stripe": _stripe,
    "svix": _svix,
    "openai": _openai,
    "hmac + dub": _dub,
}


def _print_imports() -> None:
    floor = "from pydantic import BaseModel, TypeAdapter"
    programs = {
        "pydantic": floor,
        "one pydantic model": f"{floor}\nclass One(BaseModel):\n    x: int",
        "import dubhooks": "import dubhooks",
        "all models": "import dubhooks.webhooks, dubhooks.postbacks",
        "all models, built": (
            "from dubhooks import webhooks, postbacks\nwebhooks.warm_up()\npostbacks.warm_up()"
        ),
    }
    empty = _cpu_milliseconds("pass")
    times = {name: _cpu_milliseconds(code) - empty for name, code in programs.items()}
    print("\nimport (CPU milliseconds beyond an empty program, ratio to pydantic)")
    wanted = {"import dubhooks": 0.2, "all models": 1.25, "all models, built": 1.3}
    for name, spent in times.items():
        target = f", wanted <= {wanted[name]}" if name in wanted else ""
        print(f"  {name:24} {spent:9.2f}  {spent / times['pydantic']:6.2f}{target}")


def _cpu_milliseconds(code: str) -> float:
    import resource

    spent = []
    for _ in range(11):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(spent) * 1e3


def _measured(calls: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Return the microseconds of each call in its fastest of many short rounds, taken in turn."""
    counts = {name: _calls_a_round(call) for name, call in calls.items()}
    rounds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            repeats = range(counts[name])
            start = time.perf_counter()
            for _ in repeats:
                call()
            rounds[name].append((time.perf_counter() - start) / len(repeats) * 1e6)
    # The fastest: what else the machine does can only add to it.
    return {name: min(taken) for name, taken in rounds.items()}


def _calls_a_round(call: Callable[[], Any]) -> int:
    start = time.perf_counter()
    for _ in range(20):
        call()
    return max(20, int(SECONDS_A_ROUND / ((time.perf_counter() - start) / 20)))


def _row(times: dict[str, float], name: str, base: str, target: float | None = None) -> None:
    wanted = f", wanted <= {target}" if target else ""
    label = f"{name} / {base}"
    print(f"  {label:32} {times[name]:8.2f} / {times[base]:8.2f} = ", end="")
    print(f"{times[name] / times[base]:5.2f}{wanted}")


if __name__ == "__main__":
    main()
