"""The tasks, a file a theme."""

from evals.task import Task
from evals.tasks import batches, lists, overviews, pricing, purchasing, quotes, traps, trouble, unclear, writes

__all__ = ["all_tasks"]

_THEMES = (pricing, quotes, lists, overviews, unclear, traps, writes, batches, purchasing, trouble)


def all_tasks() -> dict[str, Task]:
    """Every task by its id, theme by theme. Raises ValueError where two have one id."""
    tasks: dict[str, Task] = {}
    for theme in _THEMES:
        for task in theme.TASKS:
            if task.id in tasks:
                raise ValueError(f"two tasks are called {task.id}")
            tasks[task.id] = task
    return tasks
