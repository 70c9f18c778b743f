-- GET /help/api                                                 show_help_api
-- The API for people: every address, what it takes and gives, with a line for curl.
-- role:    public
-- handler: help_api
-- page:    help_api

-- GET /help/errors                                           show_help_errors
-- Every error, what it means and what to do.
-- role:    public
-- handler: help_errors
-- page:    help_errors

-- GET /help/errors/{code}                                     show_help_error
-- One error: what it means and what to do.
-- role:    public
-- path:    {code} text(1..64)
-- handler: help_error
-- page:    help_error
