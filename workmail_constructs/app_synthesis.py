"""The end of an app's synth. CDK has written the app's stages by then, and those of a pipeline long before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

import jsii
from aws_cdk import Stage
from constructs import IValidation

if TYPE_CHECKING:
    from collections.abc import Callable

    from constructs import IConstruct


@jsii.implements(IValidation)
class AtSynth:
    """Runs a step at each synth of the construct that it is a validation of.

    A validation runs after all aspects, which may declare rules, and after CDK has settled references between stacks.
    """

    def __init__(self, step: Callable[[], list[str]]) -> None:
        self._step = step

    def validate(self) -> list[str]:
        """Run the step and return what keeps CDK from writing templates; CDK calls this."""
        return self._step()


class AppSynthesis:
    """What is left to do once all stages of an app are written, and before its own stacks are."""

    def __init__(self, root: IConstruct) -> None:
        self._steps: list[Callable[[], None]] = []
        self._stages: dict[Stage, None] = {}
        root.node.add_validation(AtSynth(self._finish))

    @classmethod
    def of(cls, root: IConstruct) -> AppSynthesis:
        """Return the one of the app that is `root`."""
        return _OF_APP.get(root) or _OF_APP.setdefault(root, cls(root))

    def then(self, step: Callable[[], None]) -> None:
        """Run `step` at the end of the app's synth."""
        self._steps.append(step)

    def write_again(self, scope: IConstruct) -> None:
        """Write the stage around `scope` once more, so that the CDK CLI reads all its annotations.

        `cdk synth` looks only into stages that CDK wrote with `validate_on_synthesis`, as pipelines do. So an error in
        any other stage would not fail it.
        """
        stage = Stage.of(scope)
        if stage is not None and stage.parent_stage is not None:
            self._stages[stage] = None

    def _finish(self) -> list[str]:
        for step in self._steps:
            step()
        stages, self._stages = self._stages, {}
        for stage in stages:
            stage.synth(force=True, validate_on_synthesis=True)
        return []


_OF_APP: Final[WeakKeyDictionary[IConstruct, AppSynthesis]] = WeakKeyDictionary()
