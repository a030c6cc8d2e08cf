"""The code of a rule's function."""

from __future__ import annotations

import re
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import jsii
from aws_cdk.aws_lambda import AssetCode, CfnFunction

from workmail_constructs.assets import ARCHITECTURES, OLDEST_PYTHON, Target, pack
from workmail_constructs.defaults import ARCHITECTURE, PYTHON_VERSION
from workmail_constructs.packed_files import DEFAULT_EXCLUDES, NEVER_PACKED, matching_pattern, pattern_problem
from workmail_constructs.problems import add_problem
from workmail_constructs.stack_record import StackRecord
from workmail_flow.handler_code import first_line, function_problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from aws_cdk import CfnResource, Stack
    from aws_cdk.aws_lambda import Architecture, Code, Runtime

    from workmail_constructs.assets import PackedCode

_HANDLER: Final = re.compile(r"(?P<module>[A-Za-z_]\w*(?:[./][A-Za-z_]\w*)*)\.(?P<function>[A-Za-z_]\w*)")
_PYTHON: Final = re.compile(r"python(?P<version>\d+\.\d+)")


class RuleCode:
    """A handler's folder, packed with the runtime, the code it shares with other rules, and its requirements."""

    def __init__(
        self, folder: Path, handler: str, *, include: tuple[Path, ...] = (), exclude: tuple[str, ...] = ()
    ) -> None:
        self._folder = folder
        self._include = include
        self._exclude = exclude
        self.handler: Final = handler
        """The handler's dotted name, such as `app.handler`."""

    @classmethod
    def from_folder(
        cls,
        path: str | Path,
        *,
        handler: str = "app.handler",
        include: Sequence[str | Path] = (),
        exclude: Sequence[str] = (),
    ) -> Self:
        """Take a folder with Python code; `workmail_runtime` is packed with it.

        uv resolves its `requirements.txt`, or without one the dependencies of its `pyproject.toml`, for the function's
        platform, without Docker; boto3 comes with the Lambda runtime. Pin the versions: the asset is as reproducible
        as its requirements are. Projects that they name by path are built; other packages need a wheel.

        Args:
            path: The folder; a relative path starts at the working directory, which is where the CDK CLI runs.
            handler: `MODULE.FUNCTION` in the folder, or in what is included.
            include: Packages (folders) and modules (`.py` files) to pack beside the folder's content, each under its
                own name: with `../shared`, the handler imports `shared`. A relative path starts at the handler's
                folder. Their requirements belong into the handler's.
            exclude: Patterns of files and folders to leave out, besides `DEFAULT_EXCLUDES`. `*.md` is compared with
                names, `data/*.csv` with paths in the packed code. A `.env` is never packed.

        Raises:
            ValueError: There is no such folder, module or function, or the module has a syntax error, or an argument
                is not of that form; all problems together.
            TypeError: One string where a list is needed.
        """
        folder = Path(path).resolve()
        if not folder.is_dir():
            raise ValueError(f"path: found {str(path)!r}, which is not a folder ({folder}); give the handler's folder")
        for argument, values in (("include", include), ("exclude", exclude)):
            if isinstance(values, str | Path):
                raise TypeError(f"{argument}: found {str(values)!r} alone; give a list: [{str(values)!r}]")
        included = tuple((folder / each).resolve() for each in include)
        problems = [
            *filter(None, (_include_problem(given, folder) for given in include)),
            *filter(None, map(pattern_problem, exclude)),
        ]
        problems += _handler_problems(handler, folder, included, (*NEVER_PACKED, *DEFAULT_EXCLUDES, *exclude))
        if problems:
            raise ValueError("\n".join(problems))
        return cls(folder, handler, include=included, exclude=tuple(exclude))

    @cached_property
    def summary(self) -> str | None:
        """The first line of the handler module's docstring, which is read without running it; None without one."""
        module = self.handler.rpartition(".")[0].replace(".", "/")
        root = _root_of(module, self._folder, self._include)
        file = module_file(module, root)
        return file and first_line((root / file).read_bytes())

    def in_stack(
        self, stack: Stack, *, runtime: Runtime | None = None, architecture: Architecture | None = None
    ) -> Code:
        """Return the packed code for functions of one stack that you make yourself.

        A function with another runtime or architecture than the code is packed for is an error at synth.

        Args:
            stack: The functions' stack.
            runtime: Python 3.11 or newer; Python 3.13 by default, as `RunLambdaRule` makes its functions.
            architecture: arm64 by default.

        Raises:
            ValueError: Another runtime or architecture.
            PackingError: Two files have one place, code imports what is left out, or the requirements cannot be
                resolved.
        """
        target = _target(runtime, architecture)
        packed = self._pack(target)
        codes = StackRecord.of(stack).codes
        code = codes.get((packed.folder, _CheckedCode))
        if code is None:
            code = codes[packed.folder, _CheckedCode] = _CheckedCode(packed, target)
        return code

    def unchecked_in_stack(
        self, stack: Stack, *, runtime: Runtime | None = None, architecture: Architecture | None = None
    ) -> Code:
        """Return what `in_stack` returns, for a function that certainly has this runtime and architecture.

        The check of `in_stack` is a call back from Node.js per function, which `RunLambdaRule` does not need.
        """
        packed = self._pack(_target(runtime, architecture))
        codes = StackRecord.of(stack).codes
        code = codes.get((packed.folder, AssetCode))
        if code is None:
            code = codes[packed.folder, AssetCode] = AssetCode(str(packed.folder), asset_hash=packed.hash)
        return code

    def _pack(self, target: Target) -> PackedCode:
        return pack(self._folder, include=self._include, exclude=self._exclude, target=target)


class _CheckedCode(AssetCode):
    """Packed code that reports a function which cannot run it."""

    def __init__(self, packed: PackedCode, target: Target) -> None:
        super().__init__(str(packed.folder), asset_hash=packed.hash)
        self._target = target

    @jsii.member(jsii_name="bindToResource")
    def bind_to_resource(self, resource: CfnResource, *, resource_property: str | None = None) -> None:
        super().bind_to_resource(resource, resource_property=resource_property)
        if not isinstance(resource, CfnFunction):
            return
        wanted = f"python{self._target.python}", self._target.architecture
        # Lambda's own default is x86_64.
        found = resource.runtime or "no runtime", (resource.architectures or ["x86_64"])[0]
        if found != wanted:
            function = resource.node.path.rpartition("/")[0]
            add_problem(
                resource,
                "WorkMailPackedFor",
                found=f"the function {function} of {' on '.join(found)}, with code packed for {' on '.join(wanted)}",
                allowed="a function of the runtime and architecture that its code is packed for",
                remedy="pack the code for the function, with in_stack(stack, runtime=…, architecture=…), or make the "
                "function as its code is packed",
            )


def _include_problem(given: str | Path, folder: Path) -> str | None:
    source = (folder / given).resolve()
    if matching_pattern(source.name, NEVER_PACKED):
        return f"include: found {str(given)!r}, which may hold secrets and is never packed; remove it"
    if source.is_dir():
        module = source.name
        is_code = any(source.glob("*.py"))
    elif source.is_file():
        module = source.stem
        is_code = source.suffix == ".py"
    else:
        return (
            f"include: found {str(given)!r}, but there is no {source}; give a folder or file; a relative path starts "
            f"at the handler's folder, {folder}"
        )
    if is_code and not module.isidentifier():
        return f"include: found {str(given)!r}, whose name Python cannot import; rename it to letters, digits and _"
    return None


def _handler_problems(handler: str, folder: Path, included: Iterable[Path], excludes: Sequence[str]) -> Iterator[str]:
    named = _HANDLER.fullmatch(handler)
    if named is None:
        yield f"handler: found {handler!r}; a handler is named MODULE.FUNCTION, for example app.handler"
        return
    module = named["module"].replace(".", "/")
    root = _root_of(module, folder, included)
    file = module_file(module, root)
    if file is None:
        yield f"handler: found {handler!r}, but there is no {root / module}.py"
        return
    # What is included itself is not left out; what lies in it may be.
    parts = file.split("/")
    paths = ["/".join(parts[: end + 1]) for end in range(0 if root == folder else 1, len(parts))]
    for path in paths:
        if pattern := matching_pattern(path, excludes):
            yield (
                f"handler: found {handler!r}, but the pattern {pattern!r} leaves {path} out of the packed code; rename "
                "it, or change exclude"
            )
            return
    if problem := function_problem((root / file).read_bytes(), named["function"]):
        yield f"handler: found {handler!r}, but {root / file} {problem}"


def _root_of(module: str, folder: Path, included: Iterable[Path]) -> Path:
    """Return the folder that a module's path starts at."""
    top = module.partition("/")[0]
    return next((source.parent for source in included if source.name.removesuffix(".py") == top), folder)


def module_file(module: str, root: Path) -> str | None:
    """Return the path of a module's code within a folder; None if it is not there. `module` has slashes for dots."""
    return next((each for each in (f"{module}.py", f"{module}/__init__.py") if (root / each).is_file()), None)


def _target(runtime: Runtime | None, architecture: Architecture | None) -> Target:
    python = PYTHON_VERSION if runtime is None else _python_version(runtime)
    return Target(python, ARCHITECTURE if architecture is None else _architecture_name(architecture))


# Cached, since a name costs a call into Node.js.
@cache
def _python_version(runtime: Runtime) -> str:
    named = _PYTHON.fullmatch(runtime.name)
    if named is None or tuple(map(int, named["version"].split("."))) < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        raise ValueError(
            f"runtime: found {runtime.name}; a RuleCode runs under python{oldest} and newer; for another runtime, make "
            "the function yourself and pass it as function"
        )
    return named["version"]


@cache
def _architecture_name(architecture: Architecture) -> str:
    if architecture.name not in ARCHITECTURES:
        raise ValueError(f"architecture: found {architecture.name}; allowed are {', '.join(ARCHITECTURES)}")
    return architecture.name
