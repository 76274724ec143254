"""The marketing team: who they are, what each may do, the API and the dashboard.

`api` has the API's routes and `dashboard` those of the screens; both call the steps beside them, so
what one can do the other can too. `views` shapes what screens show, and knows no web framework.
"""
