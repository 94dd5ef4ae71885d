from tests.aws.mailbox import dynamodb
from tests.aws.moto_server import moto

__all__ = ["dynamodb", "moto"]
