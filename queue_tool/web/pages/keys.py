"""The page `/dashboard/keys`: the API keys, for admins; create one, which is shown once, and revoke one."""

from __future__ import annotations

from flask import Response, g
from werkzeug.wrappers import Response as BaseResponse

from queue_tool.errors import BadRequest
from queue_tool.model.access import KEY_ROLES, Role
from queue_tool.model.times import rfc3339
from queue_tool.services.keys import Keys
from queue_tool.web.http.admission import FORM, keys_exist
from queue_tool.web.http.answers import rfc3339_or_none, runtime
from queue_tool.web.http.operation import Group
from queue_tool.web.pages.page import back_to, choice, field, last_change, page

PATH = "/dashboard/keys"

LONGEST_NAME = 255

pages = Group("keys page", "The API keys.")


@pages.get(PATH, Role.ADMIN, in_document=False, takes_any_query=True)
def show_keys() -> Response:
    """Show the API keys, newest first: those that are valid, and then the revoked ones."""
    found = sorted(_service().all(), key=lambda key: (key.revoked_at is None, key.created_at), reverse=True)
    return page(
        "keys.html",
        keys=[
            {
                "id": key.id,
                "name": key.name,
                "role": key.role.name.lower(),
                "created_at": rfc3339(key.created_at),
                "revoked_at": rfc3339_or_none(key.revoked_at),
                "is_mine": key.id == g.key_id,
            }
            for key in found
        ],
        roles=list(KEY_ROLES),
        is_first=not keys_exist(),
        is_off=runtime().settings.auth == "off",
        done=last_change("revoked"),
    )


@pages.post(PATH, Role.ADMIN, in_document=False, takes=FORM)
def change_keys() -> BaseResponse:
    """Create an API key and show it for the only time, or revoke one."""
    if choice("action", ("create", "revoke")) == "revoke":
        _service().revoke(field("key"))
        return back_to(PATH, done="revoked")
    role, name = KEY_ROLES[choice("role", tuple(KEY_ROLES))], field("name")
    if len(name) > LONGEST_NAME:
        raise BadRequest(f"The name of a key has at most {LONGEST_NAME} characters.")
    if role is not Role.ADMIN and not keys_exist():
        raise BadRequest("The first key must have the role admin: without one, nobody could make another key here.")
    made = _service().create(role, name)
    return page("key_secret.html", secret=made.secret, name=name, role_of_key=role.name.lower())


def _service() -> Keys:
    system = runtime()
    return Keys(store=system.store, clock=system.clock)
