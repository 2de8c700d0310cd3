"""Real servers for tests: Redis, PostgreSQL, MariaDB and PgBouncer on free loopback ports.

Every server lives in a directory of its own under the system's temporary one and
is ended by its process id.  Tests get them from the session-scoped fixtures in
``conftest.py`` (``redis_server``, ``postgresql_server``, ``mariadb_server``,
``pgbouncer_server``); a test that needs a server of its own uses the class::

    with RedisServer("--maxmemory", "2mb") as server:
        client = redis.Redis.from_url(server.url)
        server.kill()     # SIGKILL; what was acknowledged is in the files
        server.start()    # the same port and the same files
        server.freeze()   # SIGSTOP: it accepts connections and never answers
        server.thaw()

Nothing is flushed to the disk, only to the kernel: that survives every kill of
a process, and is fast.  A server whose program is missing skips the test; the
continuous run counts a skip as a failure.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest
from typing_extensions import Self

from tests.support.fake_clock import FakeClock
from tests.support.processes import free_port
from tests.support.processes_of_servers import children_of, ignore_file_limits, is_stopped, kill

_PATIENCE = 90.0
_PLACES = ("/usr/sbin", "/usr/bin", "/usr/lib/postgresql/*/bin", "/usr/local/bin")


def program(name: str) -> str:
    """Return the path of a program, or skip the test that needs it."""
    found = shutil.which(name)
    for place in _PLACES:
        found = found or next((str(path) for path in Path("/").glob(f"{place[1:]}/{name}")), None)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


class Server:
    """A process that is started, stopped, killed, frozen and started again."""

    user: ClassVar[str | None] = None
    """The account to run as when the tests run as root."""

    def __init__(
        self, *options: str, clock: FakeClock | None = None, directory: Path | None = None
    ) -> None:
        """``directory``: where its files go, when the place matters; it must be empty."""
        self.host = "127.0.0.1"
        self.port = free_port()
        self.directory = directory or Path(tempfile.mkdtemp(prefix="dubhooks-server-"))
        self._options = options
        self._environment = {**os.environ, **(clock.environment if clock else {})}
        self._process: subprocess.Popen[Any] | None = None
        self._account: dict[str, Any] = {}
        if self.user is not None and os.getuid() == 0:
            self._account = {"user": self.user, "group": self.user, "extra_groups": []}
            shutil.chown(self.directory, self.user, self.user)

    def __enter__(self) -> Self:
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def process_id(self) -> int:
        """The id of the running process."""
        assert self._process is not None, "the server does not run"
        return self._process.pid

    def prepare(self) -> None:
        """Make what the server needs before its first start."""

    def command(self) -> list[str]:
        """Return the command line that starts the server."""
        raise NotImplementedError

    def check(self) -> None:
        """Raise unless the server answers."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the server and wait until it answers."""
        log = self.directory / "log"
        with log.open("ab") as output:
            started: subprocess.Popen[Any] = subprocess.Popen(
                self.command(),
                stdout=output,
                stderr=output,
                cwd=self.directory,
                env=self._environment,
                preexec_fn=ignore_file_limits,
                **self._account,
            )
        self._process = started
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                self.check()
            except Exception:
                if started.poll() is not None or time.monotonic() > deadline:
                    self.kill()
                    print(log.read_text(errors="replace")[-4000:])
                    raise
            else:
                return
            time.sleep(0.01)

    def stop(self) -> None:
        """End the server in an orderly way and wait for it."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server with SIGKILL and wait for it."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop its processes where they are: they keep connections and answer nothing."""
        for process in (self.process_id, *children_of(self.process_id)):
            os.kill(process, signal.SIGSTOP)
            # Threads on another processor go on until the signal reaches them.
            while not is_stopped(process):
                time.sleep(0.001)

    def thaw(self) -> None:
        """Let frozen processes go on."""
        for process in (*children_of(self.process_id), self.process_id):
            os.kill(process, signal.SIGCONT)

    def limit_files(self, size: int | None) -> None:
        """Let no file grow beyond ``size`` bytes, like a disk that is full; ``None``: it is not."""
        limit = "unlimited" if size is None else size
        for process in (self.process_id, *children_of(self.process_id)):
            try:
                self.run(program("prlimit"), f"--pid={process}", f"--fsize={limit}:unlimited")
            except AssertionError:
                if Path(f"/proc/{process}").exists():
                    raise  # otherwise it was a connection's, which has just ended

    def close(self) -> None:
        """Kill the server and delete its files."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def run(self, *command: str, **options: Any) -> None:
        """Run a program to its end under the server's account and environment."""
        done = subprocess.run(
            command,
            cwd=self.directory,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            **self._account,
            **options,
        )
        assert done.returncode == 0, done.stdout.decode(errors="replace")

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        if number != signal.SIGKILL:
            process.send_signal(signal.SIGCONT)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class RedisServer(Server):
    """Redis with its append-only file on; options are those of ``redis-server``."""

    def __init__(self, *options: str, **settings: Any) -> None:
        super().__init__("--appendonly", "yes", "--save", "", *options, **settings)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://{self.host}:{self.port}/0"

    def command(self) -> list[str]:
        """Return the command line that starts the server."""
        place = ["--bind", self.host, "--port", str(self.port), "--dir", str(self.directory)]
        return [program("redis-server"), *place, *self._options]

    def check(self) -> None:
        """Raise unless the server answers."""
        with socket.create_connection((self.host, self.port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            assert connection.recv(16) == b"+PONG\r\n"


class PostgreSQLServer(Server):
    """PostgreSQL with databases ``test`` and ``django``.

    Options are settings such as ``max_connections=20``.
    """

    user = "postgres"

    @property
    def where(self) -> str:
        """User, host and port, as in a URL."""
        return f"dubhooks@{self.host}:{self.port}"

    def url(self, driver: str = "psycopg") -> str:
        """Where it is, for SQLAlchemy."""
        return f"postgresql+{driver}://{self.where}/test"

    def prepare(self) -> None:
        """Make the database files."""
        self.run(
            program("initdb"),
            *("--pgdata", str(self._data), "--username", "dubhooks", "--auth", "trust"),
            *("--no-sync", "--encoding", "UTF8", "--locale", "C", "--wal-segsize", "4"),
        )
        # Without a server: a single-user process takes statements from its input.
        command = [program("postgres"), "--single", "-D", str(self._data), "postgres"]
        self.run(*command, input=b"CREATE DATABASE test\nCREATE DATABASE django\n")

    def command(self) -> list[str]:
        """Return the command line that starts the server."""
        settings = (
            f"listen_addresses={self.host}",
            f"port={self.port}",
            "unix_socket_directories=",
            "fsync=off",
            "max_connections=200",
            "shared_buffers=32MB",
            *self._options,
        )
        pairs = [part for setting in settings for part in ("-c", setting)]
        return [program("postgres"), "-D", str(self._data), *pairs]

    def check(self) -> None:
        """Raise unless the server answers."""
        import psycopg

        psycopg.connect(self.url("psycopg").replace("+psycopg", ""), connect_timeout=2).close()

    def stop(self) -> None:
        """End the server without waiting for its clients."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End every process of the server with SIGKILL, as a power cut would."""
        if self._process is None:
            return
        children = children_of(self._process.pid)
        super().kill()
        for child in children:
            # They end by themselves when the first process is gone, a little later.
            kill(child)

    @property
    def _data(self) -> Path:
        return self.directory / "data"


class MariaDBServer(Server):
    """MariaDB with databases ``test`` and ``django``; options are those of ``mariadbd``.

    The server's own collation does not tell case apart, as everywhere.
    """

    user = "mysql"

    def url(self, driver: str = "pymysql") -> str:
        """Where it is, for SQLAlchemy."""
        return f"mysql+{driver}://dubhooks@{self.host}:{self.port}/test"

    def prepare(self) -> None:
        """Make the database files."""
        self._script.write_text(
            "CREATE DATABASE IF NOT EXISTS test;\n"
            "CREATE DATABASE IF NOT EXISTS django;\n"
            "CREATE USER IF NOT EXISTS dubhooks@'127.0.0.1';\n"
            "GRANT ALL ON *.* TO dubhooks@'127.0.0.1' WITH GRANT OPTION;\n"
        )
        self.run(
            program("mariadb-install-db"),
            # It knows its options only when they are written with "=".
            *("--no-defaults", f"--datadir={self._data}", "--skip-test-db", "--force"),
            *("--auth-root-authentication-method=normal", "--skip-name-resolve"),
        )

    def command(self) -> list[str]:
        """Return the command line that starts the server."""
        return [
            program("mariadbd"),
            "--no-defaults",
            *("--datadir", str(self._data), "--socket", str(self.directory / "socket")),
            # A server that starts deletes the temporary tables of every server in the same place.
            *("--tmpdir", str(self.directory)),
            *("--bind-address", self.host, "--port", str(self.port), "--skip-name-resolve"),
            "--innodb-flush-log-at-trx-commit=2",
            *("--innodb-log-file-size=16M", "--innodb-buffer-pool-size=64M"),
            *("--pid-file", str(self.directory / "pid"), "--max-connections=200"),
            f"--init-file={self._script}",
            *self._options,
        ]

    def check(self) -> None:
        """Raise unless the server answers."""
        import pymysql

        pymysql.connect(
            host=self.host, port=self.port, database="test", user="dubhooks", connect_timeout=2
        ).close()

    @property
    def _script(self) -> Path:
        return self.directory / "init.sql"

    @property
    def _data(self) -> Path:
        return self.directory / "data"


class PgBouncerServer(PostgreSQLServer):
    """PgBouncer in transaction mode before a PostgreSQL server; options are ``name=value``."""

    def __init__(self, behind: PostgreSQLServer, *options: str) -> None:
        super().__init__(*options)
        self._behind = behind

    def prepare(self) -> None:
        """Write its settings."""
        users = self.directory / "users"
        users.write_text('"dubhooks" ""\n')
        settings = (
            "[databases]",
            # Any database of that server.
            f"* = host={self._behind.host} port={self._behind.port} user=dubhooks",
            "[pgbouncer]",
            f"listen_addr = {self.host}",
            f"listen_port = {self.port}",
            "unix_socket_dir =",
            "auth_type = trust",
            f"auth_file = {users}",
            "pool_mode = transaction",
            # Fewer than the clients, so that transactions of a client change servers.
            "default_pool_size = 4",
            "max_client_conn = 200",
            *self._options,
        )
        (self.directory / "settings").write_text("\n".join(settings) + "\n")

    def command(self) -> list[str]:
        """Return the command line that starts the server."""
        return [program("pgbouncer"), str(self.directory / "settings")]
