"""Tells people what is wrong before their users do: by webhook, in a chat, or by e-mail.

`model` says what an alert and an event are, `target` reads where alerts go, `store` keeps alerts and what waits to be
told, `messages` writes the texts, `channels` and `mail` deliver them, and `courier` tries again. What happens is found
out by the control plane.
"""
