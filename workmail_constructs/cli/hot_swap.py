"""Gives deployed functions the code of their folders as it changes, without a deployment."""

from __future__ import annotations

import io
import json
import time
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from workmail_constructs.assets import PackingError, Source, packed_hash
from workmail_constructs.packed_files import DEFAULT_EXCLUDES, packed_files
from workmail_constructs.rule_code import module_file
from workmail_flow.handler_code import function_problem
from workmail_local.aws.cdk import synthesized_stacks
from workmail_local.aws.deploy_check import deployment_of
from workmail_local.deployment import load_deployments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from workmail_local.aws.cdk import SynthesizedStack

_POLL_S: Final = 0.3
_QUIET_S: Final = 0.15
"""How long nothing may change before a change counts as whole: editors write in several steps."""

_Stamps = dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SwappedFunction:
    """A deployed function whose code was packed of folders.

    Args:
        label: How messages name it.
        stack: The name of its stack.
        logical_id: Its logical id there.
        account: Of the stack.
        region: Of the stack.
        handler: As Lambda names it, such as `app.handler`.
        source: What its code was packed of.
    """

    label: str
    stack: str
    logical_id: str
    account: str
    region: str
    handler: str
    source: Source


def swapped_functions(assembly: Path, sources: Path, state: Path) -> list[SwappedFunction]:
    """Return the functions of a deployed app whose code can be swapped: those of `RuleCode` and of steps.

    Functions in nested stacks, and those that an alias or a version runs, are not among them.

    Args:
        assembly: The synthesized app.
        sources: What `SOURCES_VARIABLE` named when it was synthesized.
        state: The state folder that it is deployed to.
    """
    lines = sources.read_text(encoding="utf-8").splitlines() if sources.exists() else []
    by_hash = {code_hash: Source(**_tuples(source)) for code_hash, source in map(json.loads, lines)}
    deployments = load_deployments(state)
    found = []
    for stack in synthesized_stacks(assembly):
        deployment = deployment_of(stack, deployments)
        for logical_id, asset, handler in _functions(stack) if deployment else ():
            folder = assembly / f"asset.{asset}"
            source = by_hash.get(packed_hash(folder)) if folder.is_dir() else None
            if deployment is not None and source is not None:
                found.append(
                    SwappedFunction(
                        label=f"{stack.name} {logical_id}",
                        stack=stack.name,
                        logical_id=logical_id,
                        account=deployment.account,
                        region=deployment.region,
                        handler=handler,
                        source=source,
                    )
                )
    return found


def _tuples(source: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in source.items()}


def _functions(stack: SynthesizedStack) -> Iterator[tuple[str, str, str]]:
    """Yield each function's logical id, the asset of its code, and its handler."""
    resources = stack.template.get("Resources", {})
    published = json.dumps([each for each in resources.values() if each["Type"] == "AWS::Lambda::Version"])
    for logical_id, resource in resources.items():
        match resource:
            case {
                "Type": "AWS::Lambda::Function",
                "Properties": {"Code": {"S3Key": str(key)}, "Handler": str(handler)},
            } if f'"{logical_id}"' not in published:
                yield logical_id, key.rpartition("/")[2].removesuffix(".zip"), handler


@dataclass(slots=True)
class HotSwap:
    """Looks for changes and swaps code.

    Args:
        functions: The functions.
        app: The folder of the app; a change of its Python files or its `cdk.json` needs a deployment.
        update: Gives a function new code, a zip.
        say: Tells a person what happens.
    """

    functions: Sequence[SwappedFunction]
    app: Path
    update: Callable[[SwappedFunction, bytes], None]
    say: Callable[[str], None]
    _seen: dict[str, _Stamps] = field(default_factory=dict)
    _app_seen: _Stamps = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._seen = {each.label: _stamps(each.source.files()) for each in self.functions}
        self._app_seen = self._app_files()

    def until_app_changes(self) -> None:
        """Swap code whenever a folder changes; return when the app itself has changed, which needs a deployment."""
        while True:
            time.sleep(_POLL_S)
            if self._app_files() != self._app_seen:
                self._wait_until_quiet()
                return
            self.swap_changed()

    def swap_changed(self) -> None:
        """Swap the code of each function whose folder has changed since the last look."""
        for function in self.functions:
            now = _stamps(function.source.files())
            if now == self._seen[function.label]:
                continue
            self._wait_until_quiet()
            self._seen[function.label] = _stamps(function.source.files())
            self._swap(function)

    def _swap(self, function: SwappedFunction) -> None:
        started = time.monotonic()
        try:
            code = _packed(function)
        except (PackingError, OSError, ValueError) as error:
            self.say(f"{function.label}: keeps its code: {error}")
            return
        self.update(function, _zipped(code))
        self.say(f"{function.label}: has its new code after {time.monotonic() - started:.1f} s")

    def _wait_until_quiet(self) -> None:
        before: object = None
        while before != (now := ([_stamps(each.source.files()) for each in self.functions], self._app_files())):
            before = now
            time.sleep(_QUIET_S)

    def _app_files(self) -> _Stamps:
        """Return the app's own files, without those of handlers."""
        handlers = {str(path) for each in self.functions for path in each.source.files().values()}
        files = packed_files(self.app, excludes=DEFAULT_EXCLUDES).files
        own = {name: path for name, path in files.items() if path.suffix == ".py" or name == "cdk.json"}
        return _stamps({name: path for name, path in own.items() if str(path) not in handlers})


def _packed(function: SwappedFunction) -> Path:
    """Return the function's code as it is now.

    Raises:
        PackingError: It cannot be packed, or Lambda could not load it.
    """
    code = function.source.pack().folder
    if problem := _handler_problem(code, function.handler):
        raise PackingError(problem)
    return code


def _handler_problem(code: Path, handler: str) -> str | None:
    module, _, function = handler.rpartition(".")
    file = module_file(module.replace(".", "/"), code)
    if file is None:
        return f"{handler} is not in it any more"
    problem = function_problem((code / file).read_bytes(), function)
    return problem and f"{file} {problem}"


def _stamps(files: Mapping[str, Path]) -> _Stamps:
    found = {}
    for name, path in files.items():
        try:
            status = path.stat()
        except OSError:  # it is gone since it was listed
            continue
        found[name] = (status.st_mtime_ns, status.st_size)
    return found


def _zipped(folder: Path) -> bytes:
    """Return a folder as a zip that is the same for the same files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in sorted(each for each in folder.rglob("*") if each.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix())
            entry.external_attr = file.stat().st_mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())
    return content.getvalue()
