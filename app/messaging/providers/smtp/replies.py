"""What a mail server's replies and failures prove. Pure.

A server's own words may quote the address, so only its codes are kept: `550 5.1.1`.
"""

import re
import socket
import ssl

import aiosmtplib

from app.base.errors import Fault, Outcome, OutsideError
from app.base.http import RefusedAddress
from app.messaging.rules import FailureCause, RecipientRefused

_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})(?!\d)")
_NO_SUCH_ADDRESS = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
"""The codes of RFC 3463 and RFC 7505 for a mailbox or domain that does not exist or takes no
mail."""
_NOT_OFFERED = (aiosmtplib.SMTPException, aiosmtplib.SMTPNotSupported)
"""What the library raises, with no class of its own, for an extension that the server lacks."""
_CLOSING = 421
_NEEDS_SIGN_IN = 530
_SIGN_IN_LATER = 454
SLOW = "the mail server takes too long for so many mails"
LOST = "the connection to the mail server broke"


def of_connecting(error: Exception) -> OutsideError:
    """Why no usable connection came about. The mail was certainly not sent."""
    match error:
        case aiosmtplib.SMTPAuthenticationError(code=code) if code != _SIGN_IN_LATER:
            return _access(f"SMTP {_codes(error)}: user or password were not accepted")
        case _ if type(error) in _NOT_OFFERED:
            return _access("the mail server offers no encryption, or no way to sign in")
        case aiosmtplib.SMTPResponseException():
            return _outage(f"SMTP {_codes(error)}: the mail server takes no mail now")
        case _:
            return _of_address(error)


def _of_address(error: Exception) -> OutsideError:
    """Why no connection was opened."""
    match error:
        case RefusedAddress():
            return _access("the mail server's address is not a public one")
        case socket.gaierror(errno=socket.EAI_NONAME):
            return _access("there is no mail server of this name")
        case _ if _is_certificate(error):
            return _access("the mail server's certificate is not valid")
        case _:
            return _outage("no connection to the mail server")


def of_sender(error: aiosmtplib.SMTPResponseException) -> OutsideError:
    """Why the server refused the sender; other brands' mail may go through."""
    if error.code == _NEEDS_SIGN_IN:
        return _needs_sign_in(error)
    if error.code < 500:
        fault = Fault.outage if error.code == _CLOSING else Fault.busy
        return OutsideError(Outcome.refused, f"SMTP {_codes(error)}: not now", fault=fault)
    return OutsideError(Outcome.refused, f"SMTP {_codes(error)}: the sender was refused")


def no_sender() -> OutsideError:
    """The sender is no address, as one that was stored before addresses were checked."""
    return OutsideError(Outcome.refused, "the sender is no address that mail can come from")


def of_recipient(error: aiosmtplib.SMTPResponseException) -> OutsideError:
    """Why the server refused the recipient."""
    if error.code == _NEEDS_SIGN_IN:
        # Some servers, such as hMailServer, say so only here.
        return _needs_sign_in(error)
    if error.code < 500:
        fault = Fault.outage if error.code == _CLOSING else Fault.request
        return OutsideError(Outcome.refused, f"SMTP {_codes(error)}: not now", fault=fault)
    if _enhanced(error) in _NO_SUCH_ADDRESS:
        return RecipientRefused(FailureCause.invalid_address)
    return OutsideError(Outcome.refused, f"SMTP {_codes(error)}: refused", permanent=True)


def of_content(error: aiosmtplib.SMTPResponseException) -> OutsideError:
    """Why the server refused the mail itself, which it then did not take."""
    if error.code == _NEEDS_SIGN_IN:
        return _needs_sign_in(error)
    if error.code < 500:
        fault = Fault.outage if error.code == _CLOSING else Fault.request
        return OutsideError(Outcome.refused, f"SMTP {_codes(error)}: not now", fault=fault)
    return OutsideError(Outcome.refused, f"SMTP {_codes(error)}: the mail was refused", permanent=True)


def lost_before_the_mail() -> OutsideError:
    """The connection broke before the mail was handed over."""
    return _outage(LOST)


def lost_with_the_mail() -> OutsideError:
    """The connection broke after the mail was handed over, before the reply."""
    return OutsideError(Outcome.unknown, LOST, fault=Fault.outage)


def not_begun() -> OutsideError:
    """The mail's turn did not come in time; it is sent later."""
    return OutsideError(Outcome.refused, SLOW, retry_after=1.0, fault=Fault.busy)


def _needs_sign_in(error: Exception) -> OutsideError:
    return _access(f"SMTP {_codes(error)}: the mail server wants user and password")


def _codes(error: Exception) -> str:
    assert isinstance(error, aiosmtplib.SMTPResponseException)  # noqa: S101  # the callers match it
    enhanced = _enhanced(error)
    return f"{error.code} {enhanced}" if enhanced else str(error.code)


def _enhanced(error: aiosmtplib.SMTPResponseException) -> str | None:
    found = _ENHANCED.match(str(error.message))
    return found[1] if found else None


def _is_certificate(error: BaseException | None) -> bool:
    """Whether a failed check of the certificate is the cause."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _access(reason: str) -> OutsideError:
    return OutsideError(Outcome.refused, reason, fault=Fault.access)


def _outage(reason: str) -> OutsideError:
    return OutsideError(Outcome.refused, reason, fault=Fault.outage)
