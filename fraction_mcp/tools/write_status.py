"""Where a write stands, and the second step of a write under the policy two_step."""

from pydantic import Field

from fraction_mcp.operations.writes.overview import WriteList, writes_lately
from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.operations.writes.states import State
from fraction_mcp.operations.writes.wording import (
    WritesResult,
    result_for,
    result_for_batch,
    result_within,
    used_before,
)
from fraction_mcp.tools.fields import ToolInput
from fraction_mcp.tools.spec import Effect, tool

__all__: list[str] = []


class GetWriteStatus(ToolInput):
    write_id: str = Field("", max_length=40, description="Empty: what waits, and the latest")


@tool(effect=Effect.STATUS)
async def get_write_status(service: WriteService, ask: GetWriteStatus) -> WritesResult | WriteList:
    """Say where a write stands, or which writes wait and were made lately.

    Use when a write was awaiting approval, in progress or unknown.
    """
    if not ask.write_id:
        return await writes_lately(service)
    write = await service.follow_up(await service.write(ask.write_id))
    batch, looked = await service.batch(write), await service.looked(write)
    return result_within(write, batch, place=service.place, looked=looked)


class ConfirmWrite(ToolInput):
    write_id: str = Field(min_length=1, max_length=40, description="From its result")
    confirmation_token: str = Field(min_length=1, max_length=80, description="From its result")


@tool(effect=Effect.CONFIRM)
async def confirm_write(service: WriteService, ask: ConfirmWrite) -> WritesResult:
    """Send a write whose preview the user has seen and agreed to.

    Use when a write answered confirmation_required and the user said yes to its preview.
    """
    write, counted = await service.confirm(ask.write_id, ask.confirmation_token)
    batch = await service.batch(write)
    # What could not be sent waits again, and its token is used up.
    waits_again = counted and write.state is State.AWAITING and not service.awaits(batch)
    token = await service.new_token(write) if waits_again else ""
    facts = {"token": token, "place": service.place}
    looked = await service.looked(batch.tells if write.batch else write)
    answer = (
        result_for_batch(batch, looked=looked, **facts)
        if write.batch
        else WritesResult(**dict(result_for(write, looked=looked, **facts)))
    )
    return answer if counted else used_before(answer)
