"""What a build adds to the metadata: the links, whose host stands here and nowhere else."""

import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

REPOSITORY = "https://example.invalid/dubhooks"  # a placeholder: say where the repository is


class Links(MetadataHookInterface):
    """Where the project is; and a README whose links lead there from a package index."""

    def update(self, metadata: dict[str, object]) -> None:
        """Add what ``dynamic`` in pyproject.toml promises."""
        metadata["urls"] = {
            "Homepage": REPOSITORY,
            "Documentation": f"{REPOSITORY}/tree/main/docs",
            "Changelog": f"{REPOSITORY}/blob/main/CHANGELOG.md",
            "Issues": f"{REPOSITORY}/issues",
            "Security": f"{REPOSITORY}/security/policy",
        }
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        text = re.sub(r"(!\[[^]]*\]\()(?!\w+:)", rf"\1{REPOSITORY}/raw/main/", text)
        text = re.sub(r"(\]\()(?!\w+:|#)", rf"\1{REPOSITORY}/blob/main/", text)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
