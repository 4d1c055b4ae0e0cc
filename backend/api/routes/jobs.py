"""The server's own jobs, for administrators. Ours, beside the contract."""

from typing import Annotated, Final

from fastapi import Path, Query, Request, Response

from backend.api.answers import answer
from backend.api.auditing import Audited
from backend.api.context import context_of
from backend.api.routing import PREFIX, AdminRoute, Routes
from backend.api.wire.jobs import job_form, run_form
from backend.api.wire.text import Id
from backend.services.audit import name_object

_JOBS: Final = f"{PREFIX}/admin/jobs"
_TAGS: Final = ("v1", "admin", "jobs")

JobName = Annotated[Id, Path()]


def add_job_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    routes.add(
        "GET",
        _JOBS,
        list_jobs,
        operation="getV1List system jobs",
        tags=_TAGS,
        route_class=AdminRoute,
    )
    routes.add(
        "GET",
        f"{_JOBS}/{{job_name}}/runs",
        list_runs,
        operation="getV1List runs of system job",
        tags=_TAGS,
        route_class=AdminRoute,
    )
    routes.add(
        "POST",
        f"{_JOBS}/{{job_name}}/run",
        run_job,
        operation="postV1Run system job",
        tags=_TAGS,
        route_class=AdminRoute,
        audit=Audited("run_job", "job"),
    )


async def list_jobs(request: Request) -> Response:
    """Return how all jobs of the server stand."""
    found = await context_of(request).watching.jobs.listed()
    return answer({"jobs": [job_form(one) for one in found]})


async def list_runs(
    request: Request, job_name: JobName, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> Response:
    """Return the newest runs of a job, newest first."""
    found = await context_of(request).watching.jobs.runs(job_name, limit=limit)
    return answer({"runs": [run_form(one) for one in found]})


async def run_job(request: Request, job_name: JobName) -> Response:
    """Have the scheduler run a job at once; its history tells what came of it."""
    name_object(job_name)
    return answer(job_form(await context_of(request).watching.jobs.ask(job_name)))
