"""A real RabbitMQ on a free loopback port, with a name server of its own."""

from __future__ import annotations

import socket
import subprocess
from typing import Any

from tests.support.processes import free_port
from tests.support.processes_of_servers import children_of, kill
from tests.support.servers import Server, program


class RabbitMQServer(Server):
    """RabbitMQ with the account ``guest``."""

    user = "rabbitmq"

    @property
    def url(self) -> str:
        """Where it is."""
        return f"amqp://guest:guest@{self.host}:{self.port}//"

    def prepare(self) -> None:
        """Start the name server that Erlang needs, and choose places."""
        names = free_port()
        place = str(self.directory)
        (self.directory / "rabbitmq.conf").write_text("loopback_users = none\nlog.console = true\n")
        self._environment |= {
            "HOME": place,
            "ERL_EPMD_PORT": str(names),
            "ERL_EPMD_ADDRESS": self.host,
            "RABBITMQ_NODENAME": f"dubhooks{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": self.host,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": place,
            "RABBITMQ_LOG_BASE": place,
            "RABBITMQ_CONFIG_FILE": f"{place}/rabbitmq",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{place}/plugins",
            "RABBITMQ_SERVER_START_ARGS": "-start_epmd false",
            # Without them it spins for work that does not come, on every core.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
        }
        with (self.directory / "names.log").open("wb") as log:
            self._names: subprocess.Popen[Any] | None = subprocess.Popen(
                [program("epmd"), "-port", str(names), "-address", self.host],
                env=self._environment,
                stdout=log,
                stderr=log,
                **self._account,
            )

    def command(self) -> list[str]:
        """Return the command line that starts the server."""
        # Debian's own command refuses accounts of others; this is the one behind it.
        return ["/usr/lib/rabbitmq/bin/rabbitmq-server"]

    def check(self) -> None:
        """Raise unless the server answers."""
        with socket.create_connection((self.host, self.port), timeout=2) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            connection.settimeout(5)
            assert connection.recv(1) == b"\x01"

    def kill(self) -> None:
        """End every process of the server with SIGKILL, as a power cut would."""
        if self._process is None:
            return
        children = children_of(self._process.pid)
        super().kill()
        for child in children:
            kill(child)

    def close(self) -> None:
        """Kill the server and its name server, and delete its files."""
        super().close()
        names, self._names = getattr(self, "_names", None), None
        if names is not None:
            names.kill()
            names.wait()
