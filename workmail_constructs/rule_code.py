"""The code of a rule's function."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from aws_cdk.aws_lambda import Code

from workmail_constructs.assets import packed_folder
from workmail_constructs.stack_record import StackRecord

if TYPE_CHECKING:
    from aws_cdk import Stack

_HANDLER: Final = re.compile(r"(?P<module>[A-Za-z_]\w*(?:[./][A-Za-z_]\w*)*)\.(?P<function>[A-Za-z_]\w*)")


class RuleCode:
    """A handler's folder, packed with the runtime and the packages of its requirements.txt."""

    def __init__(self, folder: Path, handler: str) -> None:
        self._folder = folder
        self.handler: Final = handler
        """The handler's dotted name, such as `app.handler`."""

    @classmethod
    def from_folder(cls, path: str | Path, *, handler: str = "app.handler") -> Self:
        """Take a folder with Python code; `workmail_runtime` is packed with it.

        uv resolves a `requirements.txt` in it for the function's platform, without Docker; boto3 comes with the Lambda
        runtime. Pin the versions: the asset is as reproducible as its requirements are.

        Args:
            path: The folder; a relative path starts at the working directory, which is where the CDK CLI runs.
            handler: `MODULE.FUNCTION` in the folder.

        Raises:
            ValueError: There is no such folder, or no such module in it, or `handler` is not of that form.
        """
        folder = Path(path).resolve()
        if not folder.is_dir():
            raise ValueError(f"path: found {str(path)!r}, which is not a folder ({folder}); give the handler's folder")
        named = _HANDLER.fullmatch(handler)
        if named is None:
            raise ValueError(f"handler: found {handler!r}; a handler is named MODULE.FUNCTION, for example app.handler")
        module = folder / named["module"].replace(".", "/")
        if not (module.with_suffix(".py").is_file() or (module / "__init__.py").is_file()):
            raise ValueError(f"handler: found {handler!r}, but there is no {module.with_suffix('.py')}")
        return cls(folder, handler)

    def in_stack(self, stack: Stack) -> Code:
        """Return the packed code for functions of one stack: Python 3.13 on arm64, as `RunLambdaRule` makes them.

        Use it for a function that needs what `RunLambdaRule` does not offer, such as a VPC.

        Raises:
            PackingError: The folder has a file that packing would overwrite, or its requirements cannot be resolved.
        """
        packed = packed_folder(self._folder)
        codes = StackRecord.of(stack).codes
        code = codes.get(packed)
        if code is None:
            code = codes[packed] = Code.from_asset(str(packed))
        return code
