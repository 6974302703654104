"""Fracttal's envelope: `{success, message, data, total}`, where `message` of a success is the status as text."""

from fraction_mcp.sandbox.http import Reply


class Refusal(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    def reply(self) -> Reply:
        return Reply(self.status, {"success": False, "message": self.message, "data": None})


def success(data: object, total: int = 1, *, key: str = "message") -> Reply:
    """The public samples of the reads spell the key `mensaje`."""
    return Reply(200, {"success": True, key: "200", "data": data, "total": total})
