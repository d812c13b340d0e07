"""What programs import to have Penstock inside: an engine in this process, and Python functions as its tools."""

from penstock.sdk.deployed import Deployed
from penstock.sdk.embedded import Engine
from penstock.sdk.ends import RunCancelled, RunFaulted
from penstock.sdk.run import Run
from penstock.tools.tool_error import ToolError

__all__ = ["Deployed", "Engine", "Run", "RunCancelled", "RunFaulted", "ToolError"]
