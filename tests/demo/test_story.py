"""What the demo tells at a terminal: one life as far as it has come, and the dashboard it opens."""

import threading
import webbrowser

import pytest
from sqlalchemy import update

from app.brands.programme import RewardKind
from app.demo.console import Reporter
from app.demo.story import describe_life
from app.referrals.models import Redemption
from app.referrals.reward_models import Reward
from app.referrals.rules import RedemptionStatus


async def test_a_life_is_told_as_far_as_it_has_come(session, brand, rows):
    assert await describe_life(session, brand.id) is None
    await rows.answer(6)
    assert await describe_life(session, brand.id) is None
    lea = await rows.answer(9, customer=await rows.customer(first_name="Lea"))
    code = await rows.code(lea.customer_id, lea.survey_id, display="LEA-CKYJC", code="LEACKYJC")
    described = await describe_life(session, brand.id)
    assert described is not None
    assert described.startswith("Lea answered 9 → LEA-CKYJC")
    await rows.redemption(code, RedemptionStatus.pending)
    described = await describe_life(session, brand.id)
    assert described is not None
    assert described.endswith(" → Ana ordered €72")
    await rows.redemption(code, RedemptionStatus.approved)
    described = await describe_life(session, brand.id)
    assert described is not None
    assert described.endswith(" → Ana ordered €72 → €10 credit")


async def test_credit_is_told_until_a_refund_takes_the_rest(session, brand, rows):
    lea = await rows.answer(9, customer=await rows.customer(first_name="Lea"))
    code = await rows.code(lea.customer_id, lea.survey_id)
    await rows.redemption(code, RedemptionStatus.approved)
    for changes, told in (
        ({"kind": RewardKind.code}, " → Ana ordered €72 → €10"),
        ({"kind": RewardKind.credit}, " → Ana ordered €72 → €10 credit"),
        ({"used_amount": 790}, "€10 credit → €7.90 spent in the shop"),
        ({"net_amount": 0}, "€10 credit → €7.90 spent in the shop → a refund took €2.10 back"),
    ):
        await session.execute(update(Reward).values(**changes))
        if told.endswith("back"):
            await session.execute(update(Redemption).values(status=RedemptionStatus.reversed))
        assert (await describe_life(session, brand.id) or "").endswith(told)


async def test_the_life_that_came_furthest_is_told_and_a_refused_order_is_none(session, brand, rows):
    first = await rows.answer(10, customer=await rows.customer(first_name="Lea"))
    code = await rows.code(first.customer_id, first.survey_id)
    await rows.redemption(code, RedemptionStatus.refused)
    second = await rows.answer(10, customer=await rows.customer(first_name="Mia"))
    await rows.redemption(await rows.code(second.customer_id, second.survey_id), RedemptionStatus.pending)
    described = await describe_life(session, brand.id)
    assert described is not None
    assert described.startswith("Mia answered 10")


@pytest.mark.parametrize(
    ("terminal", "variable", "opens"),
    [(True, "DISPLAY", True), (True, "BROWSER", True), (True, None, False), (False, "DISPLAY", False)],
)
def test_the_dashboard_opens_at_a_terminal_on_a_desktop_alone(monkeypatch, terminal, variable, opens):
    opened: list[str] = []
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, "x")
    monkeypatch.setattr(webbrowser, "open", opened.append)
    Reporter().open_browser("http://127.0.0.1:8000/admin/login/x")
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and thread.daemon and thread.name.endswith("(append)"):
            thread.join(5)
    assert opened == (["http://127.0.0.1:8000/admin/login/x"] if opens else [])


def test_without_a_terminal_no_life_is_told(capsys):
    Reporter().life("Lea answered 9")
    assert capsys.readouterr().out == ""
