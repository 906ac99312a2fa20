# Written by tools/facades.py from the trio API; change tools/facade_table.py instead.
"""The facade of each class of the trio API that has one."""

from typing import Final

from skerry.blocking.app import App
from skerry.blocking.configuration import SyncConfiguration
from skerry.blocking.email_password import EmailPasswordAuth
from skerry.blocking.realm import Realm
from skerry.blocking.results import Results
from skerry.blocking.session import SyncSession
from skerry.blocking.subscriptions import SubscriptionSet
from skerry.blocking.user import User
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
