"""What the tests of the configuration share."""

from pathlib import Path

from monitor.config import examine

SECRET = "correct horse battery staple"  # the passphrase of a well-known comic


def written(tmp_path: Path, text: str) -> Path:
    """A configuration file with this text."""
    path = tmp_path / "liqmon.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(path: Path | None, **environ: str) -> list[str]:
    """Every complaint about this file and these variables."""
    return list(examine(path, environ).problems)
