"""Starts what homeport has put into this image.

That is the server, with `health` its health check, with `zygote SOCKET` the zygote of a platform's workers, and
with `published-zygote KEY PORT...` the same where that is reached by ports.
"""

import sys

sys.path.append("/opt/homeport/runtime")

if sys.argv[1:2] == ["health"]:
    from homeport_runtime.hosts.container import health

    health.main()
elif sys.argv[1:2] == ["zygote"]:
    from homeport_runtime.hosts.container import zygote

    zygote.main(sys.argv[2])
elif sys.argv[1:2] == ["published-zygote"]:
    from homeport_runtime.hosts.container import published

    published.main(sys.argv[2], sys.argv[3:])
else:
    from homeport_runtime.hosts.container import serve

    serve.main()
