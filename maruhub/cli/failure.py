"""What a user sees when a command fails: one message on stderr and a status, no traceback.

Nothing here knows a command; the table of statuses is in ``exits``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import click

from maruhub import errors
from maruhub.cli import exits
from maruhub.cli.output import dumps, printable
from maruhub.cli.standard_output import OutputLost, forget_output


class Failure:
    """Turns whatever a command raises into one message on stderr and a status.

    Args:
        as_json: The message is ``{"error": {code, what, hint}}``.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def guard(self, body: Callable[[], int]) -> int:
        """The status that ``body`` returns, or that of what it raised."""
        try:
            return body()
        except click.exceptions.Exit as ended:
            return ended.exit_code
        except SystemExit as ended:
            return ended.code if isinstance(ended.code, int) else exits.FAULT
        except (KeyboardInterrupt, click.Abort):
            self._say("Interrupted", "Interrupted; what was acknowledged is kept.", "")
            return exits.INTERRUPTED
        except click.exceptions.NoArgsIsHelpError as wanted:
            click.echo(wanted.format_message(), err=True)
            return exits.USAGE
        except click.ClickException as wrong:
            return self._usage(wrong)
        except BrokenPipeError:
            forget_output()
            return exits.BROKEN_PIPE
        except OutputLost as lost:
            forget_output()
            return self._known(lost)
        except errors.MaruError as error:
            return self._known(error)
        except OSError as error:
            known = exits.from_system(error)
            return self._unforeseen(error) if known is None else self._known(known)
        except Exception as error:  # noqa: BLE001 - the edge: whatever it is becomes a message
            return self._unforeseen(error)

    def _usage(self, wrong: click.ClickException) -> int:
        context = getattr(wrong, "ctx", None)
        hint = f"See: {context.command_path} --help" if context is not None else ""
        self._say("InvalidInput", wrong.format_message(), hint)
        return exits.USAGE

    def _known(self, error: errors.MaruError) -> int:
        self._say(error.code, error.what, error.hint)
        return exits.status_of(error)

    def _unforeseen(self, error: Exception) -> int:
        hint = "This is a fault of MaruHub or of the machine; MARU_DEBUG=1 shows where it arose."
        self._say("Fault", f"{type(error).__name__}: {error}", hint)
        return exits.FAULT

    def _say(self, code: str, what: str, hint: str) -> None:
        if self._as_json:
            text = dumps({"error": {"code": code, "what": what, "hint": hint}}, indent=None)
        else:
            text = printable(f"maru: {what} {hint}".rstrip())
        with contextlib.suppress(OSError):
            click.echo(text, err=True)
