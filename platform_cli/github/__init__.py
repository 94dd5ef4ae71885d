"""Push to main deploys: GitHub's REST API, its webhooks, and commits checked out with git."""
