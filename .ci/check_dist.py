"""Check the archives of a release: ``check_dist.py DIRECTORY`` with a wheel and an sdist in it."""

import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOP = {
    *(".ci", ".gitignore", "docs", "examples", "src", "tests"),
    *("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md"),
    *("pyproject.toml", "PKG-INFO"),
}


MADE = {"__pycache__", "_build", "reference"}
"""Folders that Python and the site's builder write."""


def list_files(*folders: str) -> set[str]:
    """Return the files of the tree in ``folders``, but for those that were made from others."""
    files = (it for folder in folders for it in (ROOT / folder).rglob("*") if it.is_file())
    return {str(it.relative_to(ROOT)) for it in files if not MADE.intersection(it.parts)}


def check_same(what: str, found: set[str], wanted: set[str]) -> None:
    """End with an error that says which files are missing, and which ones should not be there."""
    missing, more = sorted(wanted - found), sorted(found - wanted)
    if missing or more:
        sys.exit(f"{what}: missing: {missing}; should not be there: {more}")


def main(directory: Path) -> None:
    """Compare the archives with the tree."""
    (wheel,), (sdist,) = directory.glob("*.whl"), directory.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = (it for it in names if it.endswith(".dist-info/METADATA"))
        text = archive.read(metadata).decode()
    info = metadata.rpartition("/")[0]
    ours = {it.removeprefix("src/") for it in list_files("src")}
    added = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    check_same(wheel.name, names, ours | {f"{info}/{it}" for it in added})
    for line in ("License-Expression: MIT", "Requires-Python: >=3.10", "Project-URL: Changelog"):
        if line not in text:
            sys.exit(f"{wheel.name}: its METADATA lacks {line!r}")
    with tarfile.open(sdist) as archive:
        inside = {it.name.split("/", 1)[1] for it in archive.getmembers() if it.isfile()}
    check_same(sdist.name, {it for it in inside if it.split("/")[0] not in TOP}, set())
    folders = (".ci", "docs", "examples", "src", "tests")
    kept = {it for it in inside if it.split("/")[0] in folders}
    check_same(sdist.name, kept, list_files(*folders))
    print(f"{wheel.name}: {len(names)} files; {sdist.name}: {len(inside)} files")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
