"""Where a write stands, and the second step of a write under the policy two_step."""

from pydantic import Field

from fraction_mcp.operations.desk import Desk
from fraction_mcp.operations.standing import answer_for, used_before
from fraction_mcp.operations.writes import WriteAnswer
from fraction_mcp.shapes import Ask
from fraction_mcp.tools.spec import Effect, tool

__all__: list[str] = []


class GetWriteStatus(Ask):
    write_id: str = Field(min_length=1, max_length=40, description="From its result")


@tool(effect=Effect.STATUS)
async def get_write_status(desk: Desk, ask: GetWriteStatus) -> WriteAnswer:
    """Say where a write stands.

    Use when a write was awaiting approval, in progress or unknown.
    """
    clerk = await desk.clerk()
    return answer_for(await clerk.follow_up(await clerk.write(ask.write_id)))


class ConfirmWrite(GetWriteStatus):
    confirmation_token: str = Field(min_length=1, max_length=80, description="From its result")


@tool(effect=Effect.CONFIRM)
async def confirm_write(desk: Desk, ask: ConfirmWrite) -> WriteAnswer:
    """Send a write whose preview the user has seen and agreed to.

    Use when a write answered confirmation_required and the user said yes to its preview.
    """
    clerk = await desk.clerk()
    write, counted = await clerk.confirm(ask.write_id, ask.confirmation_token)
    return answer_for(write) if counted else used_before(write)
