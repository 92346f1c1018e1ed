"""/openapi.json says what the server does: Schemathesis asks for everything that it describes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

# Bytes drawn at random fit the description and are no photo: that they are refused is right.
LEFT_OUT = [positive_data_acceptance]
EXAMPLES = 50


@pytest.mark.slow
@pytest.mark.parametrize("token", ["", "secret"])
def test_every_answer_is_as_described(address: Callable[..., str], token: str) -> None:
    schema = schemathesis.openapi.from_url(f"{address(token)}openapi.json")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    asked = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        # without parameters nothing can be wrong; with a token, it would often be that, and all
        # requests are given one
        may_be_wrong = operation.method == "post" and not token
        for mode in GenerationMode if may_be_wrong else [GenerationMode.POSITIVE]:

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(
                max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
                suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            def ask(case: schemathesis.Case) -> None:
                asked.add(operation.label)  # noqa: B023 - called at once
                case.call_and_validate(headers=headers, excluded_checks=LEFT_OUT)

            ask()
    assert len(asked) == 6
