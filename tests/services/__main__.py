"""Make sure that the tests' services can be had; ``bin/test`` runs this.

What is missing is installed where we are root on Debian; elsewhere the error says what to install.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.services import kafka, pgbouncer, postgres
from tests.services.process import ServiceError, docker_pull, docker_works, is_root

# PostgreSQL's package makes and starts a cluster of its own unless this file says otherwise; the tests start theirs.
NO_CLUSTER = Path("/etc/postgresql-common/createcluster.conf")


def missing_packages() -> list[str]:
    """Debian's packages for what this machine cannot do yet."""
    has = {
        "docker-compose": shutil.which("docker-compose") is not None,  # checks docker-compose.yml; no engine needed
        "kcat": shutil.which("kcat") is not None,  # a producer that is not ours, and the only one that sends what is not UTF-8
        "openjdk-17-jre-headless": docker_works() or shutil.which("java") is not None,
        "maven": docker_works() or shutil.which("mvn") is not None,
        "pgbouncer": pgbouncer.program() is not None,
        "postgresql": docker_works() or "RLEDGER_TEST_POSTGRES" in os.environ or postgres.programs() is not None,
    }
    return [package for package, here in has.items() if not here]


def install(packages: list[str]) -> None:
    """Install with apt. Raises: ServiceError with the exact command where we may not, or where it fails."""
    names = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise ServiceError(f"the tests need what Debian calls: {names}; install that and try again")
    if not is_root():
        raise ServiceError(f"the tests need Debian packages; run: sudo apt-get install --no-install-recommends {names}")
    print(f"Installing Debian packages for the tests: {names}", flush=True)
    if "postgresql" in packages and not NO_CLUSTER.exists():
        NO_CLUSTER.parent.mkdir(exist_ok=True)
        NO_CLUSTER.write_text("create_main_cluster = false\n")
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", "-qq", *command],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServiceError(f"apt-get {command[0]} failed:\n{done.stdout}{done.stderr}")


def main() -> int:
    try:
        if packages := missing_packages():
            install(packages)
        if docker_works():
            docker_pull(kafka.IMAGE)
            docker_pull(postgres.IMAGE)
        else:
            kafka.jars()
    except ServiceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
