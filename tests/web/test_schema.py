"""schemathesis against `/openapi.json`: no 5xx, and no answer that is not described.

Its own plugin does not know this pytest, so its cases are drawn by hypothesis here.
"""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
import schemathesis.core.result
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.web.office import Office

Case = schemathesis.Case[Any]

EXAMPLES = 40  # of each operation
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.mark.parametrize("sandbox", [False, True])
def test_every_answer_is_described(office: Office, *, sandbox: bool) -> None:
    software = office.software()
    key = software.key
    if sandbox:
        key = office.services.api_keys.make(software.verifier.verifier_id, "try", sandbox=True)
    schema = schemathesis.openapi.from_wsgi("/openapi.json", office.app)
    tried = 0
    for found in schema.include(path_regex="/api/v1/verifications").get_all_operations():
        assert not isinstance(found, schemathesis.core.result.Err)
        operation = found.ok()
        tried += 1

        @given(case=operation.as_strategy())
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        def ask(case: Case) -> None:
            answer = case.call(headers={"Authorization": f"Bearer {key}"})
            case.validate_response(answer, checks=CHECKS)

        ask()
    assert tried == 2
