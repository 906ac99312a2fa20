"""A login that is ended on the server ends the device's sync, and nobody else's."""

import httpx2

from skerry import SessionState
from skerry.errors import AuthExpiredError
from tests.support.devices import settle


async def test_a_revoked_session_logs_its_device_out_and_no_other(system):
    async with (
        system.device("lost", "alice") as lost,
        system.device("kept", "alice") as kept,
    ):
        await lost.add(1)
        await settle(lost)
        await settle(kept)
        links = system.proxy.links_of(kept.user.id)
        async with httpx2.AsyncClient(trust_env=False) as http:
            response = await http.delete(
                f"{system.server.http_url}/api/client/v2.0/auth/session",
                headers={"Authorization": f"Bearer {lost.user.refresh_token}"},
            )
            assert response.status_code == 204
        await lost.error_bell.until(lambda: lost.errors, "the device is told")
        assert [type(error) for error in lost.errors] == [AuthExpiredError]
        assert not lost.user.is_logged_in
        assert lost.session.state is SessionState.INACTIVE
        # What it has stays readable; the other goes on over the link it had.
        assert len(lost.objects) == 1
        await kept.add(2)
        await settle(kept)
        assert kept.errors == []
        assert system.proxy.links_of(kept.user.id) == links
