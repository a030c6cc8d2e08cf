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
    """A handler's folder, to be packed with the runtime and with what its requirements.txt asks for."""

    def __init__(self, folder: Path, handler: str) -> None:
        self._folder = folder
        self.handler: Final = handler
        """The handler's dotted name, such as `app.handler`."""

    @classmethod
    def from_folder(cls, path: str | Path, *, handler: str = "app.handler") -> Self:
        """Take a folder with Python code; `workmail_runtime` is put beside it.

        A `requirements.txt` in it is resolved by uv, without Docker, for the function's platform; boto3 comes with the
        Lambda runtime. Pin what it asks for: the asset is as reproducible as the requirements are.

        Args:
            path: The folder; a relative path counts from the working directory, which is where the CDK CLI runs.
            handler: `MODULE.FUNCTION` in the folder.

        Raises:
            ValueError: There is no such folder, or no such module in it.
        """
        folder = Path(path).resolve()
        if not folder.is_dir():
            raise ValueError(f"path: found {str(path)!r}, which is no folder ({folder}); give the handler's folder")
        named = _HANDLER.fullmatch(handler)
        if named is None:
            raise ValueError(f"handler: found {handler!r}; a handler is named MODULE.FUNCTION, such as app.handler")
        module = folder / named["module"].replace(".", "/")
        if not (module.with_suffix(".py").is_file() or (module / "__init__.py").is_file()):
            raise ValueError(f"handler: found {handler!r}, but there is no {module.with_suffix('.py')}")
        return cls(folder, handler)

    def in_stack(self, stack: Stack) -> Code:
        """Return the packed code for functions of one stack: Python 3.13 on arm64, as `RunLambdaRule` makes them.

        For a function of your own that needs what `RunLambdaRule` does not offer, such as a VPC.

        Raises:
            PackingError: A file of the folder has the name of one of ours, or its requirements cannot be resolved.
        """
        packed = packed_folder(self._folder)
        codes = StackRecord.of(stack).codes
        code = codes.get(packed)
        if code is None:
            code = codes[packed] = Code.from_asset(str(packed))
        return code
