"""Requests that are generated from the OpenAPI document get the responses that it promises.

Schemathesis makes them, valid ones and ones that break the schema, and checks status, headers and
bodies of what comes back.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.admin.keys import add_key
from app.admin.rules import Scope
from app.base.actor import cli_actor
from tests.support.apps import whole_app
from tests.support.factories.referrals import friend_orders, make_referrer, settle
from tests.support.factories.surveys import sent_survey
from tests.support.served import served

KEPT = "revoke_api_key"
"""Its calls could revoke the key of all others."""
LEFT_OUT = "positive_data_acceptance"
"""A schema does not tell which languages, shops and templates there are, nor which key was used
before: what has the right shape may be refused."""
LENIENT = """
[[operations]]
include-path-regex = "^/api/v1/codes/(validate|redeem)$"
checks.negative_data_rejection.enabled = false
"""
"""A shop's checkout is never turned away for a detail that decides nothing, such as a date that
cannot be read."""
PHASES = os.environ.get("TENFOLD_REQUESTS", "fuzzing")
"""`coverage,fuzzing` tries every keyword of every schema too, which takes a minute and a half."""
PROGRAM = "from schemathesis.cli import schemathesis; schemathesis()"


async def run_generated(address: str, key: str | None, directory: Path, *options: str) -> tuple[int, str]:
    """Exit code and output of Schemathesis against the API at this address."""
    (directory / "schemathesis.toml").write_text(LENIENT)
    authorization: Sequence[str] = ["-H", f"Authorization: Bearer {key}"] if key else []
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, "--no-color", "run", f"{address}/openapi.json"),
        *("--include-path-regex", "^/api/v1", "--exclude-operation-id", KEPT),
        *("--seed", "1", "--generation-database", "none", *authorization, *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=directory,
    )
    async with asyncio.timeout(300):
        output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


@pytest.mark.slow(seconds=25)
async def test_generated_requests_get_what_the_document_promises(context, brand, shop, tmp_path):
    await sent_survey(context, brand, shop)
    code = await make_referrer(context, brand, shop)
    await friend_orders(context, brand, shop, code.code)
    await settle(context)
    async with context.sessions.begin() as session:
        key = await add_key(session, brand.id, [Scope.admin, Scope.pii], actor=cli_actor(brand.id))
    async with served(whole_app(context)) as address:
        phases = ("--phases", PHASES, "--max-examples", "4", "--exclude-checks", LEFT_OUT)
        code, output = await run_generated(address, key, tmp_path, *phases)
        assert code == 0, output
        code, output = await run_generated(
            address, None, tmp_path, "--phases", "fuzzing", "--max-examples", "1"
        )
        assert code == 0, output
