-- POST /w/{ws}/p/{project}/filters     form of create_saved_filter, then {next}
-- message: The filter is saved.

-- POST /w/{ws}/p/{project}/filters/{filter}/delete     form of delete_saved_filter, then {next}
-- message: The filter is deleted.
-- path:   {filter} uuid
