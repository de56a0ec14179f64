"""What ``docs/verification.md`` does by hand works, and prints what it says."""

import re
import subprocess
from pathlib import Path

from ledger.proof.leaf import encode_leaf
from tests.ledger.proof.logs import LOG_SIGNER, inclusion, record

DOCS = Path(__file__).parents[3] / "docs" / "verification.md"


def test_the_proof_followed_by_hand(tmp_path: Path) -> None:
    assert str(LOG_SIGNER.key) in DOCS.read_text()
    (tmp_path / "2.tlog-proof").write_bytes(inclusion(2, 3).encode())
    (tmp_path / "2.leaf").write_bytes(encode_leaf(record(2)))
    lines = "\n".join(re.findall(r"```console\n(.*?)\n```", DOCS.read_text(), re.DOTALL)).split("\n")
    commands = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    printed = [line for line in lines if not line.startswith("$ ")]
    run = subprocess.run(["bash", "-euo", "pipefail", "-c", "\n".join(commands)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (run.stdout.splitlines(), run.returncode) == (printed, 0), run.stderr
