"""GitHub itself: its REST API, its webhooks' messages, and commits as folders, by git or from archives.

What a push then sets off is in pushes. Everything that comes from GitHub or from a repository is checked here before
anybody else sees it. Pushes, both platforms and the commands of GitHub import it.
"""
