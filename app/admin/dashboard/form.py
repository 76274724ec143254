"""The fields of a form, as a browser sends them."""

from fastapi import Request
from starlette.datastructures import FormData, UploadFile


class Form:
    """A form's texts by name, without the white space around them, and its files."""

    def __init__(self, fields: FormData) -> None:
        self._fields = fields

    def text(self, name: str, *, limit: int = 10_000) -> str:
        """The field's last text, cut to `limit` characters; empty where it was left out."""
        texts = self.texts(name)
        return texts[-1][:limit] if texts else ""

    def texts(self, name: str) -> list[str]:
        """Every text of a name, as chosen boxes of a list send them."""
        return [each.strip() for each in self._fields.getlist(name) if isinstance(each, str)]

    def is_on(self, name: str) -> bool:
        """Whether a box was ticked."""
        return name in self._fields

    def names(self) -> list[str]:
        """The names that were sent."""
        return list(self._fields.keys())

    def file(self, name: str) -> UploadFile | None:
        """The file of a field; None where none was chosen."""
        found = self._fields.get(name)
        return found if isinstance(found, UploadFile) and found.filename else None


async def read_form(request: Request) -> Form:
    """The request's form, which `app.admin.csrf.require_own_form` has checked."""
    return Form(await request.form())
