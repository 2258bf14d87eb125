"""The agents of the server under test: those that are shipped, and those in `agents/`."""

import shutil
from pathlib import Path
from string import Template

SHIPPED = Path(__file__).parents[2] / "configs" / "agents"
OURS = Path(__file__).parent / "agents"


def write_agents(folder: Path, **values: str) -> Path:
    """Fills `${NAME}` in ours in; dynamic variables, `{{name}}`, stay as they are."""
    shutil.copytree(SHIPPED, folder)
    for file in OURS.glob("*.yaml"):
        text = Template(file.read_text(encoding="utf-8")).substitute(values)
        (folder / file.name).write_text(text, encoding="utf-8")
    return folder
