"""The store in an SQLite file."""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from coverage import Coverage

from dubhooks import SQLiteStore, Webhooks
from dubhooks.errors import ConfigurationError
from dubhooks.idempotency import Claim
from dubhooks.stores import _boot_clock, sqlite
from dubhooks.testing import StoreContract, make_event, signed_request

SECRET = "whsec_" + "0" * 32
FINGERPRINT = "f" * 64
PATIENCE = 30.0


class TestContract(StoreContract):
    """An SQLite store keeps the contract."""

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = tmp_path / "claims.db"

    def make_store(self) -> SQLiteStore:
        """Return another handle on the test's file."""
        return SQLiteStore(self.path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A place for the file."""
    return tmp_path / "claims.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    """A store on that file."""
    with closing(SQLiteStore(path)) as store:
        yield store


def claim(
    store: SQLiteStore, key: str, owner: str = "one", lease: float = 600.0, keep: float = 3600.0
) -> Claim:
    """Claim ``key``."""
    return store.claim(key, owner, fingerprint=FINGERPRINT, lease=lease, retention=keep)


def rows_in(path: Path) -> int:
    """Return how many rows the file has."""
    with closing(sqlite3.connect(path)) as connection:
        count: int = connection.execute("SELECT count(*) FROM dubhooks_sqlite_claims").fetchone()[0]
        return count


def open_files(path: Path) -> int:
    """Return how often this process has the file open."""
    links = Path("/proc/self/fd").iterdir()
    return sum(os.path.realpath(link) == str(path) for link in links)


def in_thread(call: Callable[[], object]) -> None:
    """Call in a thread of its own, to its end."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - raised again in the test's own thread
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    if errors:
        raise errors[0]


def in_child(call: Callable[[], object]) -> None:
    """Call in a forked process; fail unless it comes to its end."""
    child = os.fork()
    if child == 0:
        # A deadlock must not hang the test.
        signal.alarm(int(PATIENCE))
        code = 1
        try:
            call()
            code = 0
        finally:
            try:
                measuring = Coverage.current()
                if measuring is not None:
                    measuring.save()
            finally:
                os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


@contextmanager
def locked(path: Path) -> Generator[None, None, None]:
    """Hold the file's write lock, as another process does."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


# -- file and connections -----------------------------------------------------------------------


def test_claims_outlive_the_store(path: Path) -> None:
    """Another store object on the same file knows what was claimed and done."""
    with closing(SQLiteStore(path)) as first:
        for key in ("done", "held"):
            claim(first, key)
        first.complete("done", "one", retention=3600.0)
    with closing(SQLiteStore(str(path).encode())) as second:  # type: ignore[arg-type]
        assert claim(second, "done", "two").state == "done"
        assert claim(second, "held", "two").state == "busy"
        assert claim(second, "held", "one") == Claim("acquired", 1, FINGERPRINT, 0.0)


def test_file_is_safe_against_power_cuts(store: SQLiteStore, path: Path) -> None:
    """The file is in WAL mode, and every commit waits for the disk."""
    claim(store, "key")
    with store._connections.writing() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_every_thread_has_its_connection(store: SQLiteStore) -> None:
    """Threads that live at the same time use different connections, each thread its own."""
    seen: dict[int, set[int]] = {}
    everyone = threading.Barrier(4)

    def use() -> None:
        for _ in range(3):
            with store._connections.writing() as connection:
                seen.setdefault(threading.get_ident(), set()).add(id(connection))
            everyone.wait(PATIENCE)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert [len(connections) for connections in seen.values()] == [1] * 4
    assert len(set.union(*seen.values())) == 4


def test_connections_of_ended_threads_are_closed(store: SQLiteStore, path: Path) -> None:
    """A server that starts a thread for every request does not run out of files."""
    everyone = threading.Barrier(8)

    def use(number: int) -> None:
        claim(store, f"{threading.get_ident()}-{number}")
        everyone.wait(PATIENCE)

    for number in range(5):
        threads = [threading.Thread(target=use, args=(number,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
    # Of the database itself SQLite keeps descriptors for later, so its log is counted.
    log = path.with_name(f"{path.name}-wal")
    assert open_files(log) <= 8
    claim(store, "a new thread")
    assert open_files(log) == 1
    store.close()
    assert open_files(log) == open_files(path) == 0


def test_closed_store_opens_again(store: SQLiteStore) -> None:
    """Closing gives the file back; the next claim opens it again."""
    claim(store, "key")
    store.close()
    assert claim(store, "key", "two").state == "busy"


def test_change_of_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path means the same file after the process changes its directory."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with closing(SQLiteStore("claims.db")) as store:
        claim(store, "key")
        monkeypatch.chdir(tmp_path / "elsewhere")
        in_thread(lambda: claim(store, "other"))
    assert rows_in(tmp_path / "claims.db") == 2
    assert repr(store) == f"SQLiteStore({str(tmp_path / 'claims.db')!r})"


# -- fork ---------------------------------------------------------------------------------------


def test_store_made_before_fork(store: SQLiteStore) -> None:
    """A store that the parent made and never used works in both processes."""
    in_child(lambda: claim(store, "key"))
    assert claim(store, "key", "two").state == "busy"


def test_fork_while_threads_claim(store: SQLiteStore, path: Path) -> None:
    """Children of a process whose threads are claiming can claim, and nothing is lost."""
    stop = threading.Event()
    done: list[str] = []

    def work(number: int) -> None:
        count = 0
        while not stop.is_set():
            key, count = f"parent:{number}:{count}", count + 1
            assert claim(store, key).state == "acquired"
            assert store.complete(key, "one", retention=3600.0)
            done.append(key)

    def use(key: str) -> None:
        assert claim(store, key).state == "acquired"
        assert claim(store, key, "two").state == "busy"
        assert store.complete(key, "one", retention=3600.0)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(25):
            in_child(lambda key=f"child:{number}": use(key))  # type: ignore[misc]
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)
    done += [f"child:{number}" for number in range(25)]
    assert [key for key in done if claim(store, key, "three").state != "done"] == []
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_child_and_parent_go_on(store: SQLiteStore, path: Path) -> None:
    """The child's claims survive the parent closing the file, and the other way round."""
    claim(store, "before")
    to_child, to_parent = os.pipe(), os.pipe()

    def child() -> None:
        assert claim(store, "before", "two").state == "busy"
        os.write(to_parent[1], b"1")
        os.read(to_child[0], 1)
        assert claim(store, "from child").state == "acquired"
        assert claim(store, "from parent", "two").state == "busy"
        store.close()

    def parent() -> None:
        os.read(to_parent[0], 1)
        claim(store, "from parent")
        # Had the child no lock of its own, this would delete the log that it writes to.
        store.close()
        os.write(to_child[1], b"1")

    thread = threading.Thread(target=parent)
    thread.start()
    in_child(child)
    thread.join(PATIENCE)
    assert claim(store, "from child", "two").state == "busy"
    assert rows_in(path) == 3
    for end in (*to_child, *to_parent):
        os.close(end)


def test_fork_waits_for_the_transaction(store: SQLiteStore) -> None:
    """A fork never copies a transaction of another thread: it waits for its end."""
    is_open, order = threading.Event(), []

    def write() -> None:
        with store._connections.writing():
            is_open.set()
            time.sleep(0.2)
            order.append("written")

    thread = threading.Thread(target=write)
    thread.start()
    assert is_open.wait(PATIENCE)
    in_child(lambda: claim(store, "key"))
    order.append("forked")
    thread.join(PATIENCE)
    assert order == ["written", "forked"]


# -- what cannot work ---------------------------------------------------------------------------


def test_memory_is_no_file() -> None:
    """An in-memory database is refused, and the message names the store for it."""
    with pytest.raises(ConfigurationError, match=r"use MemoryStore\(\)"):
        SQLiteStore(":memory:")


@pytest.mark.parametrize("name", ["", ".", "missing/claims.db", "file/claims.db"])
def test_path_that_cannot_be_a_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory, or a file in no directory, is refused at once."""
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(ConfigurationError, match="a file in a directory that exists"):
        SQLiteStore(name)


@contextmanager
def as_anyone() -> Generator[Path, None, None]:
    """Be a user to whom things can be forbidden, in a directory that everyone may read."""
    is_root = os.getuid() == 0
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        if is_root:
            os.setreuid(65_534, -1)
        try:
            yield Path(name)
        finally:
            if is_root:
                os.setreuid(0, -1)


def test_path_that_cannot_be_written() -> None:
    """A file or directory that this user may not write is refused at once."""
    refused = r"must be able to write the file '.*claims.db'"
    with as_anyone() as directory:
        SQLiteStore(directory / "claims.db").close()
        (directory / "claims.db").touch(mode=0o444)
        with pytest.raises(ConfigurationError, match=refused):
            SQLiteStore(directory / "claims.db")
        (directory / "claims.db").unlink()
        directory.chmod(0o555)
        with pytest.raises(ConfigurationError, match=refused):
            SQLiteStore(directory / "claims.db")
        directory.chmod(0o777)


def test_file_that_is_no_database(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A claim in another kind of file says so; a delivery is answered 503 and not handled."""
    path.write_bytes(b"%PDF-1.7 " * 1000)
    with closing(SQLiteStore(path)) as store:
        with pytest.raises(ConfigurationError, match="is not an SQLite database"):
            claim(store, "key")
        hooks = Webhooks(SECRET, store=store)
        hooks.on("sale.created")(lambda _: pytest.fail("handled without a claim"))
        reply = hooks.handle(*signed_request(make_event("sale.created"), SECRET))
    assert (reply.outcome, reply.status, reply.headers["Retry-After"]) == ("unavailable", 503, "30")
    assert "is not an SQLite database" in caplog.text
    assert path.read_bytes() == b"%PDF-1.7 " * 1000


def test_directory_that_disappears(tmp_path: Path) -> None:
    """A file that can no longer be opened is reported as such."""
    (tmp_path / "short").mkdir()
    with closing(SQLiteStore(tmp_path / "short" / "claims.db")) as store:
        (tmp_path / "short").rmdir()
        with pytest.raises(ConfigurationError, match="cannot be opened"):
            claim(store, "key")


def test_other_error_while_opening(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other errors while opening come through as they are."""
    monkeypatch.setattr(sqlite, "_SCHEMA", ("CREATE TABLE",))
    with closing(SQLiteStore(path)) as store, pytest.raises(sqlite3.OperationalError):
        claim(store, "key")
    assert open_files(path) == 0


# -- faults -------------------------------------------------------------------------------------


def limit_pages(store: SQLiteStore, count: int) -> None:
    """Make the file full from ``count`` pages on, for this thread's connection."""
    with store._connections.writing() as connection:
        connection.execute(f"PRAGMA max_page_count={count}")


def test_disk_full(store: SQLiteStore, path: Path) -> None:
    """When the disk is full a claim raises and claims nothing, and later it works again."""
    claim(store, "held")
    limit_pages(store, 10)
    number = itertools.count()
    with pytest.raises(sqlite3.OperationalError, match="full"):
        any(claim(store, f"key:{next(number)}").state == "busy" for _ in range(1000))
    failed = next(number) - 1
    assert failed > 0
    assert rows_in(path) == 1 + failed
    limit_pages(store, 100_000)
    assert claim(store, f"key:{failed}", "two") == Claim("acquired", 1, FINGERPRINT, 0.0)
    assert claim(store, "held", "two").state == "busy"


_FULL = """
import resource, signal, sqlite3, sys
from dubhooks import SQLiteStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = SQLiteStore(sys.argv[1])
def claim(key):
    return store.claim(key, "one", fingerprint="f" * 64, lease=600.0, retention=3600.0)
claim("held")
size = 150_000
resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
number = 0
try:
    while True:
        claim(f"key:{number}")
        number += 1
except sqlite3.OperationalError:
    pass
failed = 0
for call in (lambda: claim("more"), lambda: store.complete("held", "one", retention=60.0),
             lambda: store.release("held", "one")):
    try:
        call()
    except sqlite3.OperationalError:
        failed += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert claim(f"key:{number}").state == "acquired"
print(number, failed)
"""


def test_writes_that_fail(path: Path) -> None:
    """When the system refuses to write, every change raises, and what was done before stays."""
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _FULL, str(path)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    number, failed = map(int, ran.stdout.split())
    assert failed == 3
    with closing(SQLiteStore(path)) as store:
        assert rows_in(path) == 2 + number
        assert claim(store, "held", "two").state == "busy"
        assert claim(store, "more", "two") == Claim("acquired", 1, FINGERPRINT, 0.0)


def test_file_locked_by_another_process(path: Path) -> None:
    """A claim waits for another writer, but not beyond the timeout."""
    with closing(SQLiteStore(path, timeout=0.3)) as store:
        claim(store, "key")
        with locked(path):
            begin = time.monotonic()
            for call in (lambda: claim(store, "other"), lambda: store.release("key", "one")):
                with pytest.raises(sqlite3.OperationalError, match="locked"):
                    call()
            assert 0.6 <= time.monotonic() - begin < 10
        assert rows_in(path) == 1
        assert store.release("key", "one")


def test_lock_that_ends_in_time(path: Path) -> None:
    """A claim that waited for another writer goes on when that one is done."""
    with closing(SQLiteStore(path, timeout=PATIENCE)) as store:
        claim(store, "key")
        claims: list[Claim] = []
        thread = threading.Thread(target=lambda: claims.append(claim(store, "other")))
        with locked(path):
            thread.start()
            time.sleep(0.1)
            assert claims == []
        thread.join(PATIENCE)
        assert [each.state for each in claims] == ["acquired"]


def test_locked_by_a_thread(path: Path) -> None:
    """A thread waits for another thread of its process no longer than the timeout."""
    refused = pytest.raises(sqlite3.OperationalError, match="by a thread of this process")
    with closing(SQLiteStore(path, timeout=0.2)) as store:
        with store._connections.writing(), refused:
            in_thread(lambda: claim(store, "key"))
        assert claim(store, "key").state == "acquired"


def test_interrupt_rolls_back(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim that is interrupted halfway leaves nothing, and the store works on."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store, "_purge_a_little", interrupt)
        with pytest.raises(KeyboardInterrupt):
            claim(store, "key")
    assert claim(store, "key", "two") == Claim("acquired", 1, FINGERPRINT, 0.0)


# -- purge --------------------------------------------------------------------------------------


def test_purge(store: SQLiteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A purge deletes every row whose retention is over, in batches, and no other row."""
    monkeypatch.setattr(sqlite, "_PURGE_EVERY", 10**9)
    monkeypatch.setattr(sqlite, "_PURGE_BATCH", 16)
    for number in range(50):
        claim(store, f"old:{number}", keep=0.001)
    for number in range(5):
        claim(store, f"new:{number}")
    until = time.time() + 0.01
    while time.time() < until:
        time.sleep(0.001)
    assert rows_in(path) == 55
    assert store.purge() == 50
    assert store.purge() == 0
    assert rows_in(path) == 5


def test_claims_purge(store: SQLiteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Claims delete old rows now and then, so that nobody has to."""
    monkeypatch.setattr(sqlite, "_PURGE_EVERY", 10**9)
    for number in range(50):
        claim(store, f"old:{number}", keep=0.001)
    assert rows_in(path) == 50
    monkeypatch.setattr(sqlite, "_PURGE_EVERY", 8)
    deadline = time.monotonic() + PATIENCE
    while rows_in(path) != 1:
        assert time.monotonic() < deadline
        claim(store, "new")
    assert claim(store, "new", "two").state == "busy"


def test_purge_while_claiming(store: SQLiteStore, path: Path) -> None:
    """Purges and claims at the same time do not disturb each other."""
    stop = threading.Event()
    purged: list[int] = []

    def purge() -> None:
        while not stop.is_set():
            purged.append(store.purge())

    thread = threading.Thread(target=purge)
    thread.start()
    try:
        for number in range(150):
            assert claim(store, f"old:{number}", keep=0.001).state == "acquired"
            assert claim(store, f"new:{number}").state == "acquired"
            assert store.complete(f"new:{number}", "one", retention=3600.0)
    finally:
        stop.set()
        thread.join(PATIENCE)
    states = {claim(store, f"new:{number}", "two").state for number in range(150)}
    assert states == {"done"}
    assert sum(purged) > 0
    store.purge()
    assert rows_in(path) == 150


# -- clocks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_wall_clock_jumps(jump: float, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Setting the wall clock by an hour neither ends a lease nor forgets what is done."""
    claim(store, "held", lease=60.0, keep=86_400.0)
    claim(store, "done", keep=86_400.0)
    store.complete("done", "one", retention=86_400.0)
    monkeypatch.setattr(sqlite, "time", lambda: time.time() + jump)
    busy = claim(store, "held", "two")
    assert busy.state == "busy"
    assert 0 < busy.retry_after <= 60
    assert claim(store, "done", "two").state == "done"
    assert store.complete("held", "one", retention=86_400.0)


def test_lease_of_an_earlier_boot(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a restart of the machine nobody is left who holds a lease: it is taken over."""
    claim(store, "held", lease=600.0)
    claim(store, "done")
    store.complete("done", "one", retention=3600.0)
    # A new boot counts from zero.
    monkeypatch.setattr(sqlite, "boot_clock", lambda: ("another boot", 1.0))
    assert claim(store, "held", "two") == Claim("acquired", 2, FINGERPRINT, 0.0)
    assert claim(store, "done", "two").state == "done"
    assert not store.complete("held", "one", retention=3600.0)


def test_boot_clock_is_the_same_in_every_process() -> None:
    """Processes of one machine agree on the clock's name and on its time."""
    before = _boot_clock.boot_clock()
    code = "from dubhooks.stores._boot_clock import boot_clock; print(*boot_clock())"
    name, instant = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    after = _boot_clock.boot_clock()
    assert before[0] == name == after[0] != "wall"
    assert before[1] <= float(instant) <= after[1]


def test_without_a_boot_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where boots have no id the wall clock serves."""
    monkeypatch.setattr(_boot_clock, "_BOOT_ID", tmp_path / "missing")
    _boot_clock._boot_id.cache_clear()
    try:
        name, instant = _boot_clock.boot_clock()
    finally:
        _boot_clock._boot_id.cache_clear()
    assert name == "wall"
    assert abs(instant - time.time()) < 60
