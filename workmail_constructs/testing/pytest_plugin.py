"""The pytest fixture for snapshots of templates; pytest finds it when this package is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion


@pytest.fixture
def template_snapshot(request: pytest.FixtureRequest) -> SnapshotAssertion:
    """Give a test what `assert stack == template_snapshot` compares with; needs syrupy."""
    # Loaded only here: other tests, and other projects, need neither syrupy nor aws_cdk.
    from workmail_constructs.testing.template_snapshot import TemplateSnapshotExtension

    snapshot: SnapshotAssertion = request.getfixturevalue("snapshot")
    return snapshot.use_extension(TemplateSnapshotExtension)
