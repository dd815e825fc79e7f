"""Lines that are kept until no lock is held."""

from __future__ import annotations

import logging

import pytest

from twoway.protocol import ClientOptions
from twoway.threading import connect
from twoway.threading._logging import LateLogger, late_logger


@pytest.fixture
def logger(caplog):
    logger = logging.getLogger("test of late lines")
    logger.setLevel(logging.DEBUG)
    yield logger
    logger.setLevel(logging.NOTSET)


def test_lines_are_written_when_told_and_once(logger, caplog):
    late = LateLogger(logger)
    assert late.isEnabledFor(logging.DEBUG)
    late.debug("%s and %s", "a", "b")
    late.debug("c")
    assert caplog.records == []
    late.write()
    late.write()
    assert [record.getMessage() for record in caplog.records] == ["a and b", "c"]


def test_options_are_only_changed_if_somebody_wants_the_lines(logger):
    options = ClientOptions(logger=logger)
    assert isinstance(late_logger(options).logger, LateLogger)
    logger.setLevel(logging.INFO)
    assert late_logger(options) is options


@pytest.mark.feature("logging")
def test_a_log_handler_may_use_the_connection_that_is_logged(serving, logger):
    """It is called without a lock of ours."""
    client = None
    states = []

    class Curious(logging.Handler):
        def emit(self, record):
            if client is not None:
                states.append((client.state, client.buffered_amount, client.latency))
                if "hello" in record.getMessage() and len(states) < 5:
                    client.pong(b"from the log")

    handler = Curious()
    logger.addHandler(handler)
    try:
        with serving() as (_, uri), connect(uri, logger=logger) as client:
            client.send("hello")
            assert client.recv(timeout=20) == "hello"
    finally:
        logger.removeHandler(handler)
    assert states
