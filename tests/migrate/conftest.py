"""Configurations as files, and recipes of them."""

import pytest
import yaml

from ppedge.migrate.recipe import migrate


@pytest.fixture
def config(tmp_path):
    """Write a configuration and return its path."""

    def write(value):
        path = tmp_path / "theirs.yml"
        path.write_text(value if isinstance(value, str) else yaml.safe_dump(value, sort_keys=False))
        return path

    return write


@pytest.fixture
def migrated(config):
    """Migrate a configuration whose recipe must load."""

    def made(value, *overrides):
        result = migrate(config(value), overrides)
        assert result.problem is None, result.problem
        return result

    return made
