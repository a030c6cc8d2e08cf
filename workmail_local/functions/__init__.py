"""Lambda functions run on this machine: deployed code under AWS's own Lambda Runtime Interface Client."""

from workmail_local.functions.function_host import FunctionHost
from workmail_local.functions.function_spec import FunctionSpec, UnsupportedRuntimeError
from workmail_local.functions.invocation import Invocation, InvocationOutcome

__all__ = ["FunctionHost", "FunctionSpec", "Invocation", "InvocationOutcome", "UnsupportedRuntimeError"]
