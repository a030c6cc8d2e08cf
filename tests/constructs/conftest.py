"""Turns off CDK's template validation, which costs several times the synth; tests about validity turn it on."""

from __future__ import annotations

import os

# Read by the Node.js process that the first import of aws_cdk starts.
os.environ["CDK_VALIDATION"] = "false"
