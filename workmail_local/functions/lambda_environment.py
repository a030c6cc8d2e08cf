"""The environment variables of a function's process: its own and Lambda's, none of the developer's shell."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from workmail_local.access_keys import SECRET_ACCESS_KEY, SESSION_TOKEN
from workmail_local.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from workmail_local.functions.function_spec import FunctionSpec


def lambda_environment(
    spec: FunctionSpec,
    *,
    endpoints: Mapping[str, str],
    access_key_id: str,
    task_root: Path,
    python_path: Sequence[Path],
    layers: Path | None,
) -> dict[str, str]:
    """Return the environment of a function's process, without the address of its Runtime API.

    Lambda's reserved names and the endpoints win over the function's own variables. An endpoint of the function's own
    stays only for one service on this machine, such as a stand-in for a service that the local AWS does not have.

    Args:
        spec: The function.
        endpoints: `AWS_ENDPOINT_URL` and the variables like it.
        access_key_id: The function's own key.
        task_root: The unpacked code.
        python_path: The folders that the process imports from, in order.
        layers: The folder that stands for `/opt`; None without layers.
    """
    from_layers = {"LD_LIBRARY_PATH": f"{layers}/lib"} if layers else {}
    return {
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": os.pathsep.join(["/usr/local/bin", "/usr/bin", "/bin", *([f"{layers}/bin"] if layers else [])]),
        **from_layers,
        **{name: value for name, value in spec.environment.items() if _may_stand(name, value)},
        # Does not exist in Lambda either. Without it Python finds the developer's own in the user database.
        "HOME": "/home/sbx_user1051",
        "PYTHONPATH": os.pathsep.join(map(str, python_path)),
        "LAMBDA_TASK_ROOT": str(task_root),
        "LAMBDA_RUNTIME_DIR": str(python_path[-1]),
        "_HANDLER": spec.handler,
        "AWS_REGION": spec.region,
        "AWS_DEFAULT_REGION": spec.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{spec.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": spec.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{spec.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_ACCESS_KEY_ID": access_key_id,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_SESSION_TOKEN": SESSION_TOKEN,
        # Keep the SDK from other configuration, credentials and endpoints.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        **endpoints,
    }


def _may_stand(name: str, value: str) -> bool:
    if not name.startswith("AWS_ENDPOINT_URL"):
        return True
    try:
        return is_loopback(urlsplit(value).hostname)
    except ValueError:  # such as an unclosed bracket
        return False
