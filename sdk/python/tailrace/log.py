"""Lines for the host's log, with the name of the plugin. Never log values of telemetry. `print` writes there too."""

from . import _host


def trace(message: str) -> None:
    """For whoever looks very closely."""
    _host.imports.log("trace", message)


def debug(message: str) -> None:
    """For the author."""
    _host.imports.log("debug", message)


def info(message: str) -> None:
    """For the operator."""
    _host.imports.log("info", message)


def warn(message: str) -> None:
    """Something the operator should look at."""
    _host.imports.log("warn", message)


def error(message: str) -> None:
    """Something that does not work."""
    _host.imports.log("error", message)
