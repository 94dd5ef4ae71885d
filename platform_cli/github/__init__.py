"""Talks to GitHub: its REST API, the messages of its webhooks, and commits as folders, by git or from archives.

What a push then starts is in pushes. Everything that comes from GitHub or from a repository is checked here before any
other room sees it. Pushes, both platforms and the commands of GitHub import this room.
"""
