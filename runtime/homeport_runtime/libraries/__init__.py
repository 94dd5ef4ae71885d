"""What homeport uses of other people's libraries beyond what they promise: one module for each library.

`tried` has the versions with which these parts were there, and `gaps` records those that a newer one lacks, so that a
deploy can say both. Three modules elsewhere know a library from inside, too: `takeover/transports` replaces the methods
with which SDKs and ASGI servers start to serve, `hosts/http_connection` is uvicorn's HTTP protocol with more to tell,
and `protocol/endpoints` reads the routes of Starlette apps. Servers, takeover and loading import this room, and it
imports a library only for a server that has loaded it.
"""
