"""The embedded local stack: broker, registry, Flink, warehouse and portal as supervised child processes."""

from civicwire.stack.process import Tuning
from civicwire.stack.stack import PARTS, Stack

__all__ = ["PARTS", "Stack", "Tuning"]
