-- The forms of what is said about a thing, and of watching it. The parts that show
-- it (talk, comments) stand with the story's page; templates/partials/comments.html
-- is their template.

-- POST /w/{ws}/p/{project}/stories/{story}/comments    form of create_story_comment, then /w/{ws}/p/{project}/stories/{story}#comments     with story
-- POST /w/{ws}/p/{project}/epics/{epic}/comments       form of create_epic_comment, then /w/{ws}/p/{project}/epics/{epic}#comments         with epic
-- POST /w/{ws}/p/{project}/sprints/{sprint}/comments   form of create_sprint_comment, then /w/{ws}/p/{project}/sprints/{sprint}#comments   with sprint
-- POST /w/{ws}/objectives/{objective}/comments         form of create_objective_comment, then /w/{ws}/objectives/{objective}#comments      with objective
-- message: The comment is added.
-- path:   {<one>} <key>
-- page:   show_<one>

-- POST /w/{ws}/p/{project}/stories/{story}/comments/{comment}    form of update_story_comment, then /w/{ws}/p/{project}/stories/{story}#comments     with story
-- POST /w/{ws}/p/{project}/epics/{epic}/comments/{comment}       form of update_epic_comment, then /w/{ws}/p/{project}/epics/{epic}#comments         with epic
-- POST /w/{ws}/p/{project}/sprints/{sprint}/comments/{comment}   form of update_sprint_comment, then /w/{ws}/p/{project}/sprints/{sprint}#comments   with sprint
-- POST /w/{ws}/objectives/{objective}/comments/{comment}         form of update_objective_comment, then /w/{ws}/objectives/{objective}#comments      with objective
-- message: The comment is changed.
-- path:   {<one>} <key>, {comment} uuid
-- page:   show_<one>

-- POST /w/{ws}/p/{project}/stories/{story}/comments/{comment}/delete    form of delete_story_comment, then /w/{ws}/p/{project}/stories/{story}#comments     with story
-- POST /w/{ws}/p/{project}/epics/{epic}/comments/{comment}/delete       form of delete_epic_comment, then /w/{ws}/p/{project}/epics/{epic}#comments         with epic
-- POST /w/{ws}/p/{project}/sprints/{sprint}/comments/{comment}/delete   form of delete_sprint_comment, then /w/{ws}/p/{project}/sprints/{sprint}#comments   with sprint
-- POST /w/{ws}/objectives/{objective}/comments/{comment}/delete         form of delete_objective_comment, then /w/{ws}/objectives/{objective}#comments      with objective
-- message: The comment is deleted.
-- path:   {<one>} <key>, {comment} uuid
-- page:   show_<one>

-- POST /w/{ws}/p/{project}/stories/{story}/watch    form of watch_story, then /w/{ws}/p/{project}/stories/{story}     with story
-- POST /w/{ws}/p/{project}/epics/{epic}/watch       form of watch_epic, then /w/{ws}/p/{project}/epics/{epic}         with epic
-- POST /w/{ws}/p/{project}/sprints/{sprint}/watch   form of watch_sprint, then /w/{ws}/p/{project}/sprints/{sprint}   with sprint
-- POST /w/{ws}/objectives/{objective}/watch         form of watch_objective, then /w/{ws}/objectives/{objective}      with objective
-- message: You watch this now. Its changes reach you as notifications.
-- path:   {<one>} <key>
-- page:   show_<one>

-- POST /w/{ws}/p/{project}/stories/{story}/unwatch    form of unwatch_story, then /w/{ws}/p/{project}/stories/{story}     with story
-- POST /w/{ws}/p/{project}/epics/{epic}/unwatch       form of unwatch_epic, then /w/{ws}/p/{project}/epics/{epic}         with epic
-- POST /w/{ws}/p/{project}/sprints/{sprint}/unwatch   form of unwatch_sprint, then /w/{ws}/p/{project}/sprints/{sprint}   with sprint
-- POST /w/{ws}/objectives/{objective}/unwatch         form of unwatch_objective, then /w/{ws}/objectives/{objective}      with objective
-- message: You have stopped watching this.
-- path:   {<one>} <key>
-- page:   show_<one>
