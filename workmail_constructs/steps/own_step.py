"""A step of the user's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, Unpack

from workmail_constructs.content_access import ContentAccess
from workmail_constructs.steps.configuration import json_problems
from workmail_constructs.steps.step import Step, StepOptions
from workmail_flow.handler_code import function_problem
from workmail_flow.words import one_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workmail_constructs.content_access import AnyContentAccess
    from workmail_constructs.steps.binding import StepBinding

_FUNCTION: Final = re.compile(r"(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\.(?P<function>[A-Za-z_]\w*)")


class OwnStep(Step):
    """A folder with a function of the message, packed with its `requirements.txt` and run like any other step.

    The function gets a `workmail_rules.Message` and the configuration as keyword arguments. The rule is a grantee:
    `secret.grant_read(rule)` gives the function a right.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        function: str = "step.run",
        configuration: Mapping[str, object] | None = None,
        content_access: AnyContentAccess = ContentAccess.NONE,
        decides: bool = True,
        once: bool = False,
        **options: Unpack[StepOptions],
    ) -> None:
        """Take the folder.

        Args:
            folder: A folder whose name Python can import; a relative path starts at the working directory.
            function: `MODULE.FUNCTION` in the folder.
            configuration: The function's keyword arguments: JSON values, and text may be a token. No secrets: give the
                ARN of a secret, and read it with `workmail_rules.secret.read_secret`.
            content_access: What the function does with message content.
            decides: Whether it may bounce, drop or junk. Say False for a step that only looks, which may then run in
                an asynchronous rule (R10).
            once: Whether it uses `message.once`.
            **options: What all steps have; see `Step`.

        Raises:
            ValueError: There is no such folder, module or function, the module has a syntax error, a name that Python
                cannot import, or a value that is not JSON.
        """
        self._folder = Path(folder).resolve()
        if options.get("name") is None:
            options["name"] = self._folder.name
        named = _FUNCTION.fullmatch(function)
        if not self._folder.is_dir():
            raise ValueError(
                f"folder: found {str(folder)!r}, which is not a folder ({self._folder}); give the step's folder"
            )
        if not self._folder.name.isidentifier():
            raise ValueError(
                f"folder: found {self._folder.name!r}, which Python cannot import; use letters, digits and _"
            )
        if named is None:
            raise ValueError(f"function: found {function!r}; a function is named MODULE.FUNCTION, for example step.run")
        module = self._folder / f"{named['module'].replace('.', '/')}.py"
        if not module.is_file():
            raise ValueError(f"function: found {function!r}, but there is no {module}")
        if problem := function_problem(module.read_bytes(), named["function"]):
            raise ValueError(f"function: found {function!r}, but {module} {problem}")
        if problems := list(json_problems(configuration or {}, "configuration")):
            raise ValueError("\n".join(problems))
        super().__init__(**options)
        self.function = f"{self._folder.name}.{named['module']}:{named['function']}"
        self._configuration = dict(configuration or {})
        self._content_access = one_of(ContentAccess, content_access, argument="content_access")
        self._decides = decides
        self._once = once

    @property
    def content_access(self) -> ContentAccess:
        """What was given."""
        return self._content_access

    @property
    def decides(self) -> bool:
        """What was given."""
        return self._decides

    def bind(self, binding: StepBinding) -> Mapping[str, object]:
        """Pack the folder, and return the configuration."""
        binding.pack(self._folder)
        if self._once:
            binding.use_once()
        return self._configuration
