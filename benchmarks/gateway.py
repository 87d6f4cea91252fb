"""A gateway as the chart expects one, by a real HAProxy: Services share requests by weight, pods come and go.

A pod gets requests from when it is admitted, which Kubernetes does when it is ready, until it is withdrawn, which is
when it is to end. In between it is probed. A connection that is refused is tried at another pod; a request that was
sent is not sent again.
"""

import csv
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

PODS = 4
"""Most pods of a Service, those that are about to end among them."""

_HEAD = """
global
  # Of several threads one may send a request over another's connection before that one has seen it end.
  nbthread 1
  stats socket {folder}/admin level admin
defaults
  mode http
  retries 2
  option redispatch 1
  timeout connect 1s
  timeout client 75s
  timeout server 75s
frontend looks
  bind fd@{listener}
  http-request set-var(txn.draw) rand(100)
"""
_SERVICE = """
backend {name}
  balance roundrobin
  option httpchk GET {probe.path}
  http-check expect status 200
  timeout check {patience}
  default-server check inter {milliseconds} fall {probe.failures} rise 1
  server-template pod 1-{pods} 127.0.0.1:1 disabled
"""


@dataclass(frozen=True, slots=True)
class Probe:
    """After so many failures in a row, one every so many seconds, a pod gets no more requests.

    Attributes:
        patience: seconds that it waits for an answer.
    """

    path: str
    seconds: float
    failures: int
    patience: float


@dataclass(slots=True)
class Gateway:
    """`slots` are the places for pods: the port of the one that has it, by Service and number."""

    port: int
    folder: Path
    slots: dict[tuple[str, int], int] = field(default_factory=dict)

    def listens(self) -> bool:
        with suppress(OSError):
            return bool(self._tell("show info"))
        return False

    def admit(self, service: str, port: int) -> None:
        number = next(number for number in range(1, PODS + 1) if (service, number) not in self.slots)
        self.slots[service, number] = port
        self._tell(f"set server {service}/pod{number} addr 127.0.0.1 port {port}")
        self._tell(f"set server {service}/pod{number} state ready")

    def withdraw(self, service: str, port: int) -> None:
        """No new request is sent there; what is under way is finished."""
        number = self._number(service, port)
        self._tell(f"set server {service}/pod{number} state maint")
        del self.slots[service, number]

    def sends_to(self, service: str, port: int) -> bool:
        """Whether the pod passes its probe."""
        return self._statistics(service, port)["status"].startswith("UP")

    def failed_probes(self, service: str, port: int) -> int:
        """How many the pod has failed while it got requests."""
        return int(self._statistics(service, port)["chkfail"])

    def under_way(self, service: str, port: int) -> int:
        """Requests that the pod was sent and has not answered."""
        return int(self._statistics(service, port)["scur"])

    def _statistics(self, service: str, port: int) -> dict[str, str]:
        name = f"pod{self._number(service, port)}"
        rows = csv.DictReader(self._tell("show stat").removeprefix("# ").splitlines())
        return next(row for row in rows if (row["pxname"], row["svname"]) == (service, name))

    def _number(self, service: str, port: int) -> int:
        return next(number for (name, number), at in self.slots.items() if (name, at) == (service, port))

    def _tell(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.folder / "admin"))
            connection.sendall(f"{command}\n".encode())
            return b"".join(iter(lambda: connection.recv(65_536), b"")).decode()


@contextmanager
def gateway(haproxy: str, folder: Path, weights: Mapping[str, int], probe: Probe) -> Iterator[Gateway]:
    """Services by weights that sum to 100. `haproxy` is the program; `folder`, for its files, has a short path."""
    with socket.create_server(("127.0.0.1", 0)) as listener, (folder / "haproxy.log").open("w") as log:
        made, number = Gateway(listener.getsockname()[1], folder), listener.fileno()
        file = folder / "haproxy.cfg"
        file.write_text(_configuration(folder, number, weights, probe), encoding="utf-8")
        process = subprocess.Popen([haproxy, "-db", "-f", str(file)], stdout=log, stderr=log, pass_fds=[number])
    try:
        end = monotonic() + 60
        while not made.listens():
            if process.poll() is not None or monotonic() > end:
                raise RuntimeError(f"HAProxy did not start: {(folder / 'haproxy.log').read_text()}")
            sleep(0.01)
        yield made
    finally:
        process.kill()
        process.wait()


def _configuration(folder: Path, listener: int, weights: Mapping[str, int], probe: Probe) -> str:
    """`listener` is the descriptor of a socket that listens."""
    text, drawn = _HEAD.format(folder=folder, listener=listener), 0
    for name, weight in weights.items():
        drawn += weight
        text += f"  use_backend {name} if {{ var(txn.draw) -m int lt {drawn} }}\n"
    inter, patience = (round(1000 * seconds) for seconds in (probe.seconds, probe.patience))
    for name in weights:
        text += _SERVICE.format(name=name, probe=probe, milliseconds=inter, patience=patience, pods=PODS)
    return text
