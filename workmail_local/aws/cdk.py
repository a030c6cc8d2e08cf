"""Runs the real CDK CLI in the user's app, against the local AWS only."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from workmail_local.access_keys import SECRET_ACCESS_KEY
from workmail_local.loopback import local_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_MANIFEST = "manifest.json"
_SETTINGS = "cdk.json"

_OLDEST_CLI = (2, 1147, 0)
"""The oldest that reads what the oldest aws-cdk-lib we support writes: its `minimumCliVersion`."""

INSTALL_CLI = "npm install --save-dev aws-cdk@^2.1148.1"
"""Without a version, npm may install a release of another kind."""


class CdkError(Exception):
    """The CDK CLI cannot be run; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CdkApp:
    """A CDK app to run.

    Attributes:
        folder: Working directory of the CDK CLI.
        command: What to pass as the CLI's `--app`; None leaves it to the folder's `cdk.json`.
        assembly: Where the synthesized templates are.
    """

    folder: Path
    command: str | None
    assembly: Path

    @property
    def is_synthesized(self) -> bool:
        """Whether it was synthesized before, so that the CDK CLI only reads it."""
        return self.command is not None and self.assembly == Path(self.command)

    @classmethod
    def find(cls, app: str | None, *, output: Path) -> CdkApp:
        """Find the app: a folder with a `cdk.json`, a folder with a synthesized cloud assembly, or a command.

        Args:
            app: As the user gave it; None is the working directory.
            output: Folder to synthesize to.

        Raises:
            CdkError: There is no app, or its `cdk.json` is broken.
        """
        folder = Path(app or ".")
        if not folder.is_dir():
            if app is None or " " not in app.strip():
                raise CdkError(
                    f"--app {app}: there is no such folder, and a command that runs an app has more than one word"
                )
            return cls(folder=Path.cwd(), command=app, assembly=output)
        if (folder / _SETTINGS).is_file():
            _settings(folder)
            return cls(folder=folder, command=None, assembly=output)
        if (folder / _MANIFEST).is_file():
            return cls(folder=Path.cwd(), command=str(folder), assembly=folder)
        raise CdkError(
            f"{folder.absolute()} holds neither a cdk.json nor a synthesized app ({_MANIFEST}): "
            "run this in your app's folder, or name it with --app DIR"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesizedStack:
    """A stack of the synthesized app.

    Attributes:
        identifier: How the CDK CLI names it, which is its path in the construct tree.
        region: None if the stack is environment-agnostic.
    """

    identifier: str
    name: str
    region: str | None
    template: dict[str, Any]
    dependencies: tuple[str, ...]


def run_cdk(
    app: CdkApp,
    arguments: Sequence[str],
    *,
    endpoint: str,
    access_key_id: str,
    region: str,
    output: IO[str] = sys.stderr,
    variables: Mapping[str, str] | None = None,
) -> int:
    """Run the CDK CLI and return its exit status; everything it prints goes straight to `output`.

    Args:
        app: The app.
        arguments: The CLI's command and its options.
        endpoint: The local AWS, `http://localhost:PORT`.
        access_key_id: The developer's key there.
        region: Region of environment-agnostic stacks.
        output: A file of the operating system.
        variables: Further environment variables.

    Raises:
        CdkError: The CLI or Node.js is not found.
        NotLoopbackError: An endpoint is not on this machine; nothing has been run.
    """
    with tempfile.TemporaryDirectory(prefix="workmail-flow-") as folder:
        config = Path(folder) / "config"
        config.write_text(_profiles(app.folder, access_key_id))
        environment = local_environment(
            endpoint=endpoint, access_key_id=access_key_id, region=region, config_file=str(config)
        )
        environment |= {
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            # Warnings about future versions of Node.js do not belong into every local deployment.
            "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
            "NODE_NO_WARNINGS": "1",
            "PATH": _path_of_app(app.folder, environment),
            **(variables or {}),
        }
        command = [find_cdk_cli(app.folder, environment["PATH"]), *arguments, "--no-notices", "--no-version-reporting"]
        if app.command is not None:
            command += ["--app", app.command]
        if not app.is_synthesized:
            command += ["--output", str(app.assembly.absolute())]
        sys.stderr.flush()
        return subprocess.run(
            command, cwd=app.folder, env=environment, stdout=output, stderr=output, check=False
        ).returncode


def find_cdk_cli(folder: Path, path: str) -> str:
    """Find the CDK CLI: `node_modules/.bin/cdk` of the folder or one above it, else on the path.

    Raises:
        CdkError: It, or the Node.js that runs it, is not there, or it is a version that cannot work.
    """
    if shutil.which("node", path=path) is None:
        raise CdkError(
            "Node.js was not found on PATH; the CDK CLI needs it: install Node.js 20 or newer, then try again"
        )
    absolute = folder.absolute()
    own = (parent / "node_modules" / ".bin" / "cdk" for parent in (absolute, *absolute.parents))
    found = next((str(each) for each in own if each.exists()), None) or shutil.which("cdk", path=path)
    if found is None:
        raise CdkError(
            f"The CDK CLI was found neither in node_modules/.bin of {absolute} and the folders above it nor on PATH: "
            f"run {INSTALL_CLI} there"
        )
    version = _cli_version(Path(found))
    if version is not None and not (version >= _OLDEST_CLI and version[0] == _OLDEST_CLI[0]):
        raise CdkError(
            f"{found} has version {_dotted(version)}; needed is {_dotted(_OLDEST_CLI)} or newer of version "
            f"{_OLDEST_CLI[0]}: run {INSTALL_CLI} in {absolute}"
        )
    return found


def _cli_version(cli: Path) -> tuple[int, ...] | None:
    """Return the version of the package that a CDK CLI belongs to; None if that cannot be told."""
    for parent in cli.resolve().parents:
        with suppress(OSError, ValueError, LookupError, TypeError):
            package = json.loads((parent / "package.json").read_bytes())
            if package["name"] == "aws-cdk":
                return tuple(int(part) for part in package["version"].partition("-")[0].split("."))
    return None


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def synthesized_stacks(assembly: Path) -> tuple[SynthesizedStack, ...]:
    """The stacks of a cloud assembly and of its stages, in the order of the manifest."""
    manifest = json.loads((assembly / _MANIFEST).read_text())
    stacks: list[SynthesizedStack] = []
    for identifier, artifact in manifest["artifacts"].items():
        properties = artifact.get("properties", {})
        if artifact["type"] == "cdk:cloud-assembly":
            stacks += synthesized_stacks(assembly / properties["directoryName"])
        elif artifact["type"] == "aws:cloudformation:stack":
            region = artifact["environment"].rpartition("/")[2]
            stacks.append(
                SynthesizedStack(
                    identifier=artifact.get("displayName", identifier),
                    name=properties.get("stackName", identifier),
                    region=None if region == "unknown-region" else region,
                    template=json.loads((assembly / properties["templateFile"]).read_text()),
                    dependencies=tuple(artifact.get("dependencies", ())),
                )
            )
    return tuple(stacks)


def selected_stacks(
    stacks: Sequence[SynthesizedStack], patterns: Iterable[str], *, with_dependencies: bool
) -> tuple[SynthesizedStack, ...]:
    """The stacks that the CDK CLI selects for these patterns; without patterns, all of them.

    Args:
        stacks: The app's stacks.
        patterns: Names or identifiers; `*` stands for any characters.
        with_dependencies: Whether to select the stacks that the selected ones depend on, too.
    """
    patterns = tuple(patterns)
    if not patterns:
        return tuple(stacks)
    chosen = {
        stack.identifier
        for stack in stacks
        for pattern in patterns
        if fnmatchcase(stack.identifier, pattern) or fnmatchcase(stack.name, pattern)
    }
    while with_dependencies:
        wanted = {name for stack in stacks if stack.identifier in chosen for name in stack.dependencies}
        more = {stack.identifier for stack in stacks if {stack.identifier, stack.name} & wanted} - chosen
        if not more:
            break
        chosen |= more
    return tuple(stack for stack in stacks if stack.identifier in chosen)


def _path_of_app(folder: Path, environment: dict[str, str]) -> str:
    # `python3 app.py` of a cdk.json means the app's own environment: the activated one, one in the app's folder, or
    # the one this command is installed in.
    path = environment.get("PATH", os.defpath)
    if "VIRTUAL_ENV" in environment:
        return path
    own = folder.absolute() / ".venv" / "bin"
    return os.pathsep.join([str(own if own.is_dir() else Path(sys.executable).parent), path])


def _profiles(folder: Path, access_key_id: str) -> str:
    # The CLI fails if a cdk.json names a profile that does not exist.
    profile = _settings(folder).get("profile") if (folder / _SETTINGS).is_file() else None
    keys = f"aws_access_key_id = {access_key_id}\naws_secret_access_key = {SECRET_ACCESS_KEY}\n"
    sections = ["[default]"] if profile is None else ["[default]", f"[{profile}]", f"[profile {profile}]"]
    return "".join(f"{section}\n{keys}" for section in sections)


def _settings(folder: Path) -> dict[str, Any]:
    """Return what an app's `cdk.json` says.

    Raises:
        CdkError: It is not a JSON object.
    """
    file = folder / _SETTINGS
    try:
        settings = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CdkError(f"{file.absolute()}: not JSON ({error}); mend it") from None
    if not isinstance(settings, dict):
        raise CdkError(f'{file.absolute()}: found {type(settings).__name__}; allowed is an object such as {{"app": …}}')
    return settings
