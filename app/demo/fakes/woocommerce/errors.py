"""WooCommerce's errors."""

from typing import Any


class RestError(Exception):
    """An error of the API, with the status of its response or of an item in a batch."""

    def __init__(self, code: str, message: str, status: int, **data: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.data = data

    def shown(self) -> dict[str, Any]:
        """As the body of a response, or in a batch's item."""
        return {
            "code": self.code,
            "message": self.message,
            "data": {"status": self.status, **self.data},
        }


def invalid_id(kind: str, status: int) -> RestError:
    """For an id that is not there; WooCommerce uses both 400 and 404."""
    return RestError(f"woocommerce_rest_shop_{kind}_invalid_id", "Invalid ID.", status)


def invalid_parameters(names: list[str]) -> RestError:
    """For a body or query that does not fit the schema."""
    return RestError("rest_invalid_param", f"Invalid parameter(s): {'; '.join(names)}", 400)
