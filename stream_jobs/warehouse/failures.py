"""Failures of the warehouse as errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from google.api_core.exceptions import ClientError, GoogleAPIError, RetryError, TooManyRequests
from google.auth.exceptions import GoogleAuthError
from requests.exceptions import RequestException

from schemas.errors import ConfigError, FatalError, RetriableError


@contextmanager
def explained(way_on: str) -> Iterator[None]:
    """Turn failures of the warehouse in the block into errors that end with ``way_on``, sentences for a person.

    Raises:
        ConfigError: there are no credentials.
        FatalError: the request itself is refused: rights, names, quota of the project.
        RetriableError: the other side may recover.
    """
    try:
        yield
    except GoogleAuthError as error:
        raise ConfigError(
            f"No credentials for the warehouse: {error} Run `gcloud auth application-default login`."
        ) from error
    except (RetryError, TooManyRequests, RequestException) as error:
        raise _passing(error, way_on) from error
    except ClientError as error:
        if "concurrent update" in str(error):
            raise _passing(error, way_on) from error
        raise FatalError(f"The warehouse refused a request: {error.message} {way_on}") from error
    except GoogleAPIError as error:
        raise _passing(error, way_on) from error


def _passing(error: Exception, way_on: str) -> RetriableError:
    return RetriableError(f"The warehouse does not answer: {error} {way_on}")
