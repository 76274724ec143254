"""Rewards are credit by default where all shops let it be spent; stored terms always name it."""

from app.base.actor import cli_actor
from app.brands.add import add_shop, change_programme, patch_programme
from app.brands.find import load_programme
from app.brands.programme import Programme, RewardKind
from app.brands.terms import load_terms
from app.platforms.check import check_shop
from app.platforms.connections import remove_connection
from app.platforms.default_reward import settle_default_reward
from app.referrals.reward_notes import reward_notes
from tests.support.connected_shop import connected_shop
from tests.support.constants import NOW

SCOPE = "write_store_credit_account_transactions"


async def test_default_follows_what_the_shops_let_people_spend(context, brand):
    async with connected_shop(context, brand) as fern:
        context, actor = fern.context, cli_actor(brand.id)

        async def kind() -> RewardKind:
            async with context.sessions() as session:
                found = await load_programme(session, brand.id)
                terms = await load_terms(session, brand.id, [found.terms_id])
            assert terms[found.terms_id].reward.kind is found.programme.reward.kind
            return found.programme.reward.kind

        async def check() -> list[str]:
            report = await check_shop(context, brand.id, fern.shop.id, now=NOW)
            assert report.holds_credit is not None
            async with context.sessions() as session:
                credit = [each for each in report.notes if "store credit" in each]
                return [*credit, *await reward_notes(session)]

        async def put(terms) -> None:
            async with context.sessions.begin() as session:
                given = Programme.model_validate(terms)
                await change_programme(session, brand.id, given, actor=actor, keep_switches=True)

        async def patch(terms) -> None:
            async with context.sessions.begin() as session:
                await patch_programme(session, brand.id, terms, actor=actor)

        fern.remote.scopes -= {SCOPE}
        missing, note = await check()
        assert f"lacks the access scopes {SCOPE}, read_store_credit_account_transactions." in missing
        assert note.endswith(
            "are codes, by default, since the shop holds no credit that customers can spend."
        )
        assert await kind() is RewardKind.code

        fern.remote.scopes |= {SCOPE}
        fern.remote.credit_is_on = False
        assert "checkout takes none" in (await check())[0]
        fern.remote.credit_is_on = True
        assert await check() == [
            "Shop fern: rewards are credit, by default, and customers spend it in the shop."
        ]
        assert await kind() is RewardKind.credit

        await put({"reward": {"value": "7.00"}})
        assert await kind() is RewardKind.credit
        await put({"reward": {"kind": "code"}})
        assert await kind() is RewardKind.code
        assert await check() == ["Shop fern: rewards are codes, as the programme says."]
        await patch({"offer": {"valid_days": 90}})
        assert await kind() is RewardKind.code
        await patch({"reward": {"kind": None}})
        assert await kind() is RewardKind.credit

        async with context.sessions.begin() as session:
            await add_shop(session, context.tokens, brand, "own", name="Own", actor=actor)
            await settle_default_reward(session, brand.id)
        assert await kind() is RewardKind.code
        [note] = await check()
        assert "since another shop of the brand holds no credit" in note
        await put({"reward": {"kind": "credit"}})
        async with context.sessions.begin() as session:
            await remove_connection(session, brand.id, fern.shop.id, actor=actor)
        assert await kind() is RewardKind.credit, "what is named stays"
