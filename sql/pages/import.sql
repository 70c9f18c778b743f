-- GET /w/{ws}/p/{project}/import                                     show_import
-- Stories from a CSV file: paste, look what would come of it, import.
-- role:   member
-- page:   import
-- part: counts one
SELECT count(*) AS "sourceCount" FROM story_sources f
 WHERE f.workspace_id = gnomon.workspace() AND f.project_id = gnomon.project()

-- POST /w/{ws}/p/{project}/import     form of import_stories_csv, then /w/{ws}/p/{project}/stories
-- message: The stories are imported.
-- page:   show_import
