"""Violations in references that no foreign key guards."""

from tests.support.violations.sound import Sound, breaks


@breaks("references_lead_to_rows")
async def a_message_without_its_template_version(sound: Sound) -> str:
    message = await sound.sent_message()
    await sound.sql("UPDATE messages SET template_version_id = 'gone' WHERE id = :id", id=message.id)
    return f"messages.template_version_id {message.id}"
