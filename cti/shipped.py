"""Where are the files that come with the program: houses, settings, what a PBX needs?"""

from pathlib import Path


def config() -> Path:
    """Give the directory of shipped configuration: in the wheel, or at the top of the tree."""
    package = Path(__file__).parent
    inside = package / "config"
    return inside if inside.is_dir() else package.parent / "config"


def houses() -> dict[str, Path]:
    """Give the shipped house files by name."""
    return {path.stem: path for path in sorted((config() / "houses").glob("*.toml"))}
