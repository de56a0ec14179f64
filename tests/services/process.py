"""One service in the background: it lives no longer than the process that started it, and leaves nothing behind."""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 30.0
SHOWN_BYTES = 4_000  # of a service's output, in an error
# Below the range the kernel takes outgoing ports from: no client can sit on a port while its service restarts.
PORTS = range(15_000, 32_000)

# Reads the service's process id, and again after each start; an empty line once it was stopped. The end of its input means that whoever
# started the service is gone, however that came: stop it, kill it after ten seconds, and remove its folder.
WATCHER = """
while read -r line; do pid=$line; done
if [ -n "$pid" ] && kill -s "$2" "$pid"; then
  for _ in $(seq 100); do kill -0 "$pid" || break; sleep 0.1; done
  kill -s KILL "$pid"
fi
rm -rf "$1"
"""


class ServiceError(RuntimeError):
    """The service cannot be had, or ended by itself. The message ends with what it said last."""


class Service:
    """A command in a temporary folder of its own, its output in ``folder/output``.

    stop_signal: ends the service in an orderly way and soon, whoever is connected.
    """

    def __init__(self, name: str, stop_signal: signal.Signals) -> None:
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix=f"rledger-{name}-"))
        self._stop_signal = stop_signal
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher = subprocess.Popen(
            ["sh", "-c", WATCHER, "watcher", self.folder, stop_signal.name.removeprefix("SIG")],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C is for the tests; the watcher cleans up after them
        )

    def run(self, command: Sequence[str | Path]) -> None:
        """Run a preparing command in the folder, to its end."""
        with (self.folder / "output").open("ab") as output:
            done = subprocess.run(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False)
        if done.returncode:
            raise self._error(f"could not be prepared: {command[0]} ended with {done.returncode}")

    def start(self, command: Sequence[str | Path], ready: Callable[[], bool]) -> None:
        """Start the service and return once ``ready`` is true."""
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        self._tell_watcher(str(self._process.pid))
        deadline = time.monotonic() + READY_WITHIN_S
        while not ready():
            if self._process.poll() is not None:
                raise self._error(f"ended with {self._process.returncode} before it was ready")
            if time.monotonic() > deadline:
                raise self._error(f"was not ready within {READY_WITHIN_S:.0f} s")
            time.sleep(0.05)

    def stop(self, how: signal.Signals | None = None) -> None:
        """End the service with ``how``, by default in an orderly way; its folder stays. Nothing happens when it has ended already."""
        if self._process is None:
            return
        if how is signal.SIGKILL and docker_works():  # a signal that docker run cannot pass on
            subprocess.run(["docker", "kill", self.folder.name], capture_output=True, check=False)
        else:
            self._process.send_signal(how or self._stop_signal)
        try:
            self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        self._tell_watcher("")

    def close(self) -> None:
        """End the service and remove its folder."""
        self.stop()
        self._watcher.communicate()

    def _tell_watcher(self, line: str) -> None:
        assert self._watcher.stdin is not None
        self._watcher.stdin.write(f"{line}\n".encode())
        self._watcher.stdin.flush()

    def _error(self, what: str) -> ServiceError:
        said = (self.folder / "output").read_bytes()[-SHOWN_BYTES:].decode(errors="replace")
        return ServiceError(f"{self.name} {what}; it said:\n{said}")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as candidate:
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@cache
def docker_works() -> bool:
    """Whether containers can be run here: the command is there and reaches an engine."""
    return shutil.which("docker") is not None and not subprocess.run(["docker", "info"], capture_output=True, check=False).returncode


def docker_pull(image: str) -> None:
    """Fetch the image if it is not here yet."""
    if subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode:
        pulled = subprocess.run(["docker", "pull", "--quiet", image], capture_output=True, text=True, check=False)
        if pulled.returncode:
            raise ServiceError(f"Docker could not fetch {image}:\n{pulled.stderr}")


def docker_run(service: Service, *options: str) -> list[str]:
    """The start of a command that runs a container as if it were a program: it ends with it, and gets its signals."""
    return ["docker", "run", "--rm", "--network=host", f"--name={service.folder.name}", *options]


def is_root() -> bool:
    return os.geteuid() == 0
