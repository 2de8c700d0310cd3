"""The command line as a whole."""

import json
import re
import subprocess
import sys

import pytest

import dubhooks


def python(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Python in a new process."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_version_is_the_package_version() -> None:
    """``--version`` prints the version and nothing else."""
    done = python("-m", "dubhooks", "--version")
    assert (done.returncode, done.stdout) == (0, f"dubhooks {dubhooks.__version__}\n")


@pytest.mark.parametrize("package", ["typer", "rich", "httpx"])
def test_without_the_extra_one_line_says_what_to_install(package: str) -> None:
    """Without a package of the extra the command exits with 2 and one line, no traceback."""
    code = (
        "import importlib.util as u, sys; found = u.find_spec\n"
        f"u.find_spec = lambda name, *a: None if name == {package!r} else found(name, *a)\n"
        f"sys.modules[{package!r}] = None\n"
        "from dubhooks.cli import main; main(['demo'])"
    )
    done = python("-c", code)
    assert done.returncode == 2
    assert done.stderr == "the command line needs more packages: pip install 'dubhooks[cli]'\n"


def test_a_fresh_secret() -> None:
    """``secret`` prints another one each time, in the form of Dub's, and nothing else."""
    made = {python("-m", "dubhooks", "secret").stdout for _ in range(2)}
    assert len(made) == 2
    assert all(re.fullmatch(r"whsec_[0-9a-f]{32}\n", one) for one in made)
    done = python("-m", "dubhooks", "secret", "--postback", "--json")
    assert re.fullmatch(r"pbsec_[0-9a-f]{32}", json.loads(done.stdout)["secret"])
