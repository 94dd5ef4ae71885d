"""Explains refusals of AWS, and failures on the way to it: what is wrong, and what to do."""

from __future__ import annotations

from botocore import exceptions
from botocore.parsers import ResponseParserError

from ...errors import AWSError, BusyError, HomeportError
from .client import code_of

NO_CREDENTIALS = "run `aws sso login` or `aws configure`, or set AWS_PROFILE or AWS_ACCESS_KEY_ID"
# Errors in the machine's own settings, before any request.
NOT_SET_UP: tuple[type[exceptions.BotoCoreError], ...] = (
    exceptions.CredentialRetrievalError,
    exceptions.InvalidConfigError,
    exceptions.LoginError,
    exceptions.NoAuthTokenError,
    exceptions.PartialCredentialsError,
    exceptions.ProfileNotFound,
    exceptions.SSOError,
    exceptions.TokenRetrievalError,
    exceptions.UnknownCredentialError,
)
# The codes of https://docs.aws.amazon.com/general/latest/gr/sigv4-troubleshooting.html, and the common errors of each
# service.
REJECTED = (
    "AuthFailure", "ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidClientTokenId",
    "TokenRefreshRequired", "UnrecognizedClientException",
)  # fmt: skip
SKEWED = ("RequestExpired", "RequestTimeTooSkewed")
WRONG_SIGNATURE = ("InvalidSignatureException", "SignatureDoesNotMatch")
BUSY = ("PreconditionFailedException", "ResourceConflictException")
# The errors that are explained.
ERRORS = (exceptions.BotoCoreError, exceptions.ClientError, ResponseParserError)


def explain(error: Exception, region: str | None = None) -> HomeportError:
    """Returns the error for the person; `region` is the requested one where it may not exist."""
    if isinstance(error, exceptions.WaiterError) and "Error" in (error.last_response or {}):
        # What was waited for is not late: AWS refused to say how it is.
        error = exceptions.ClientError(error.last_response, str(error.kwargs["name"]))
    if isinstance(error, ResponseParserError) or code_of(error).isdigit():
        return AWSError(
            f"what came was no answer of AWS's, but of a proxy on the way or of an outage{_status(error)}",
            hint="check the proxy (HTTPS_PROXY) and https://health.aws.amazon.com, then run the command again",
        )
    if isinstance(error, exceptions.ClientError):
        return _refused(error)
    if isinstance(error, exceptions.NoCredentialsError):
        return AWSError("there are no AWS credentials", hint=NO_CREDENTIALS)
    if isinstance(error, NOT_SET_UP):
        return AWSError(f"there are no AWS credentials that can be used: {error}", hint=NO_CREDENTIALS)
    if isinstance(error, exceptions.WaiterError):
        return AWSError(f"AWS did not get ready: {error}", hint="run the command again")
    return _not_reached(error, region)


def _status(error: Exception) -> str:
    """Returns the HTTP status, which botocore uses as the code of an answer without one."""
    return f" (HTTP {code})" if (code := code_of(error)) else ""


def _refused(error: exceptions.ClientError) -> HomeportError:
    code = code_of(error)
    if code in BUSY:
        return BusyError("the function is being changed by somebody else", hint="run the command again in a moment")
    if code in SKEWED or (code in WRONG_SIGNATURE and "expired" in str(error)):
        return AWSError(
            f"AWS does not accept the time of this machine: {code}",
            hint="set its clock, for instance with timedatectl set-ntp true",
        )
    if code in (*REJECTED, *WRONG_SIGNATURE):
        why = "the secret access key is not the one of this key"
        if code in REJECTED:
            why = "they have expired, or belong to another account or a region that the account has not enabled"
        return AWSError(f"AWS does not accept the credentials: {code}; {why}", hint=NO_CREDENTIALS)
    hint = "the credentials need the permission that is named" if "Denied" in code else None
    return AWSError(f"AWS refused: {error}", hint=hint)


def _not_reached(error: Exception, region: str | None) -> HomeportError:
    if isinstance(error, exceptions.InvalidRegionError) or (region and not _is_region(region)):
        hint = 'AWS_REGION or region = "..." under [deployment.lambda] name one, such as eu-central-1'
        return AWSError(f"AWS has no region {region or ''}: {error}", hint=hint)
    return AWSError(f"AWS cannot be reached: {error}", hint="check the network and the region")


def _is_region(name: str) -> bool:
    """Tells whether there is such a region, as far as this boto3 knows."""
    from boto3 import Session

    known = Session()
    partitions = known.get_available_partitions()
    return any(name in known.get_available_regions("lambda", partition) for partition in partitions)
