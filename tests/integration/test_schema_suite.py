"""The JSON Schema Test Suite: all required cases of draft 7, and of 2020-12 all but a list of exclusions."""
import pathlib
import subprocess

import pytest

from support.gateway import program

ROOT = pathlib.Path(__file__).parents[2]
# A metaschema of one's own that leaves validation out: no client sends that.
EXCLUDED = {"vocabulary.json"}


@pytest.mark.full
@pytest.mark.parametrize("draft", ["draft7", "draft2020-12"])
def test_suite(draft):
    fetched = subprocess.run([ROOT / "tools/setup/schema_suite.sh"], capture_output=True, text=True, timeout=600)
    assert fetched.returncode == 0, fetched.stderr
    folder = pathlib.Path(fetched.stdout.split()[-1])
    runner = pathlib.Path(program("LOCALCODE_BIN")).parents[1] / "tests/tools/schema_suite"
    done = subprocess.run([runner, draft, folder / "suite/tests" / draft, folder / "suite/remotes", folder / "metaschemas"],
                          capture_output=True, text=True, timeout=300)
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    right, count = map(int, next(line for line in lines if line[0] == "figures")[1:])
    wrong = [line for line in lines if line[0] != "figures"]
    print(draft, right, "of", count, "excluded:", sorted(EXCLUDED) if draft != "draft7" else "nothing")
    assert count > 900
    assert [line for line in wrong if draft == "draft7" or line[1] not in EXCLUDED] == []
