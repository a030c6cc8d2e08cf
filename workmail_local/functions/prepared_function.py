"""What every process of a function starts from, worked out once per function."""

from __future__ import annotations

import compileall
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workmail_flow.packed_code import RECORDED_REQUIREMENTS
from workmail_local.functions.interpreters import find_interpreter
from workmail_local.functions.lambda_environment import lambda_environment
from workmail_local.functions.runtime_folder import compile_packages, runtime_folder
from workmail_local.functions.unpacked_code import (
    built_for,
    foreign_modules,
    resolved_for_host,
    unpacked,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from workmail_local.access_keys import AccessKeys
    from workmail_local.functions.function_spec import FunctionSpec
    from workmail_local.functions.interpreters import Interpreter


@dataclass(frozen=True, slots=True)
class PreparedFunction:
    """A function ready to be started.

    Attributes:
        command: The process's arguments.
        environment: The process's variables, without the address of its Runtime API.
        task_root: The process's working directory.
        notes: What differs from a run in AWS.
    """

    command: tuple[str, ...]
    environment: dict[str, str]
    task_root: Path
    notes: tuple[str, ...]


def prepare(spec: FunctionSpec, *, work: Path, endpoints: Mapping[str, str], keys: AccessKeys) -> PreparedFunction:
    """Unpack the code and its layers, and choose the interpreter. Blocks: call it in a thread.

    Raises:
        CodeError: The code cannot be unpacked, or its packages cannot be resolved for this machine.
        ModuleNotFoundError: boto3 or one of its requirements is not installed.
    """
    notes = []
    interpreter = find_interpreter(spec.runtime)
    if interpreter.runtime != spec.runtime:
        notes.append(f"runtime {spec.runtime}: no such interpreter can be used here; {interpreter.runtime} ran it")
    if spec.code.is_dir():
        task_root = spec.code  # made for this machine
    else:
        task_root = unpacked([spec.code], work=work)
        if foreign := foreign_modules(task_root, interpreter):
            task_root, note = _made_to_fit(task_root, foreign, interpreter, work=work)
            notes.append(note)
    layers = unpacked(spec.layers, work=work) if spec.layers else None
    if layers and (foreign := foreign_modules(layers, interpreter)):
        notes.append(f"a layer's compiled modules do not load here ({foreign[0]})")
    notes += [f"layer {arn} is not deployed here: the function ran without it" for arn in spec.missing_layers]
    runtime = runtime_folder(work, interpreter)
    site_packages = f"python/lib/{interpreter.runtime}/site-packages"
    from_layers = [layers / site_packages, layers / "python"] if layers else []
    byte_code = _byte_code_options(spec, interpreter, work=work, runtime=runtime, layers=layers)
    return PreparedFunction(
        command=(interpreter.executable, "-S", *byte_code, "-m", "awslambdaric", spec.handler),
        environment=lambda_environment(
            spec,
            endpoints=endpoints,
            access_key_id=keys.of_function(spec.arn),
            task_root=task_root,
            python_path=[task_root, *from_layers, runtime],
            layers=layers,
        ),
        task_root=task_root,
        notes=tuple(notes),
    )


def _made_to_fit(task_root: Path, foreign: Sequence[str], interpreter: Interpreter, *, work: Path) -> tuple[Path, str]:
    """Return the code with its recorded requirements resolved for this machine, if there are any, and a note."""
    others = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
    what = f"compiled packages built for {built_for(task_root)} do not load here ({foreign[0]}{others})"
    if not (task_root / RECORDED_REQUIREMENTS).exists():
        return task_root, f"{what}, and no {RECORDED_REQUIREMENTS} says what to resolve instead"
    fitting = resolved_for_host(task_root, interpreter=interpreter, work=work)
    return fitting, f"{what}: resolved again for this machine from the recorded requirements"


def _byte_code_options(
    spec: FunctionSpec, interpreter: Interpreter, *, work: Path, runtime: Path, layers: Path | None
) -> tuple[str, ...]:
    """Return the options that keep byte code out of the user's folder and of this installation."""
    if not interpreter.is_running:
        return "-X", f"pycache_prefix={work / 'pycache'}"
    if not spec.code.is_dir():
        return ()
    # With -B, each start would compile them again.
    compile_packages(runtime)
    if layers:
        compileall.compile_dir(layers, quiet=2)
    return ("-B",)
