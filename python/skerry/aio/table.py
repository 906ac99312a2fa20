# Written by tools/facades.py from the trio API; change tools/facade_table.py instead.
"""The facade of each class of the trio API that has one."""

from typing import Final

from skerry.aio.app import App
from skerry.aio.configuration import SyncConfiguration
from skerry.aio.email_password import EmailPasswordAuth
from skerry.aio.realm import Realm
from skerry.aio.results import Results
from skerry.aio.session import SyncSession
from skerry.aio.subscriptions import SubscriptionSet
from skerry.aio.user import User
from skerry.client.app import App as TrioApp
from skerry.client.email_password import EmailPasswordAuth as TrioEmailPasswordAuth
from skerry.client.realm import Realm as TrioRealm
from skerry.client.realm_configuration import SyncConfiguration as TrioSyncConfiguration
from skerry.client.results import Results as TrioResults
from skerry.client.session import SyncSession as TrioSyncSession
from skerry.client.subscriptions import SubscriptionSet as TrioSubscriptionSet
from skerry.client.user import User as TrioUser

FACADES: Final[dict[type, type]] = {
    TrioApp: App,
    TrioEmailPasswordAuth: EmailPasswordAuth,
    TrioUser: User,
    TrioSyncConfiguration: SyncConfiguration,
    TrioRealm: Realm,
    TrioSyncSession: SyncSession,
    TrioSubscriptionSet: SubscriptionSet,
    TrioResults: Results,
}
