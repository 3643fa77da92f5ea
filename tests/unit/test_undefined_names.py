"""Every name is defined somewhere: ruff finds those that are not, but for the words in shapes of arrays.

In ``Float[np.ndarray, "band"]`` ruff takes "band" for a name (F821), so the rule is off in general. Here it is on, and
what it finds in texts does not count.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).parents[2]


def undefined_names(*where: Path) -> list[str]:
    """Return the names that are defined nowhere, and their places."""
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821", "--output-format", "json"]
    run = subprocess.run([*ruff, "--no-cache", *map(str, where)], capture_output=True, text=True, check=False)
    assert run.returncode in (0, 1), run.stderr
    texts: dict[str, list[tokenize.TokenInfo]] = {}
    found = []
    for each in json.loads(run.stdout):
        name, place = each["filename"], (each["location"]["row"], each["location"]["column"] - 1)
        if name not in texts:
            tokens = tokenize.generate_tokens(io.StringIO(Path(name).read_text(encoding="utf-8")).readline)
            texts[name] = [token for token in tokens if token.type == tokenize.STRING]
        if not any(token.start <= place < token.end for token in texts[name]):
            found.append(f"{name}:{place[0]}: {each['message']}")
    return found


def test_every_name_is_defined() -> None:
    assert undefined_names(*(ROOT / folder for folder in ("src", "tests", "benchmarks"))) == []


def test_a_name_that_is_not_defined_is_found(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text('from jaxtyping import Float\ndef f(x: Float[int, "band"]) -> int:\n    return x + bnad\n')
    assert undefined_names(tmp_path) == [f"{file}:3: Undefined name `bnad`"]
