"""What the desk may know of the wall: its levels, its failures, and the form in which data cross it."""

from fourrounds.answers.sandbox import LEVELS, SandboxError, best_sandbox
from fourrounds.answers.wire import Decoder, Encoder, Handle, WireError
from fourrounds.checks import Kind

__all__ = ["LEVELS", "Decoder", "Encoder", "Handle", "Kind", "SandboxError", "WireError", "best_sandbox"]
